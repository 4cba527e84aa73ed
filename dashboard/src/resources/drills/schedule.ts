/** What most people want, and what only some do. */
export type ScheduleChoice = 'off' | 'weekly' | 'monthly' | 'own';

const known: Record<'weekly' | 'monthly', string> = {
  weekly: '0 4 * * 0',
  monthly: '0 4 1 * *',
};

export function choiceOf(schedule: string | undefined): ScheduleChoice {
  if (schedule === undefined) return 'off';
  if (schedule === known.weekly) return 'weekly';
  return schedule === known.monthly ? 'monthly' : 'own';
}

/** The schedule of a choice; none for never. */
export function cronOf(choice: ScheduleChoice, own: string): string | null {
  if (choice === 'off') return null;
  return choice === 'own' ? own.trim() : known[choice];
}
