// Schedules as people say them and as the server reads them, and what is kept, in words.

import type { BackupSchedule, Retention } from '../../api/types';
import { messages } from './backups.messages';

const named = ['hourly', 'daily', 'weekly', 'monthly'] as const;
type Named = (typeof named)[number];
export type ScheduleChoice = 'off' | Named | 'own';
export const scheduleChoices: ScheduleChoice[] = ['off', ...named, 'own'];

/** What the server takes the words for. */
const crons: Record<Named, string> = {
  hourly: '0 * * * *',
  daily: '0 2 * * *',
  weekly: '0 2 * * 0',
  monthly: '0 2 1 * *',
};

const isNamed = (text: string): text is Named => (named as readonly string[]).includes(text);

export function choiceOf(schedule: string | undefined): ScheduleChoice {
  if (schedule === undefined) return 'off';
  return isNamed(schedule) ? schedule : 'own';
}

/** The schedule of a choice; none for never. */
export function scheduleOf(choice: ScheduleChoice, own: string): string | null {
  if (choice === 'off') return null;
  return choice === 'own' ? own.trim() : choice;
}

/** `every Sunday at 02:00 UTC`; what cannot be said plainly is shown as cron has it. */
export const scheduleWords = (schedule: string): string =>
  plainWords(schedule) ?? messages.asCron(schedule);

/** The same, where it can be said plainly. */
export const plainWords = (schedule: string): string | null =>
  plainly((isNamed(schedule) ? crons[schedule] : schedule).trim().split(/\s+/));

/** The words of five fields of cron, where there are plain ones. */
function plainly(fields: string[]): string | null {
  const [minute = '', hour = '', day = '', month = '', weekday = ''] = fields;
  if (fields.length !== 5 || month !== '*') return null;
  const isEveryDay = day === '*' && weekday === '*';
  if (hour === '*' && isEveryDay) {
    const every = /^\*\/(\d+)$/.exec(minute);
    if (every) return messages.everyMinutes(Number(every[1]));
    return isNumber(minute, 59) ? messages.everyHour(Number(minute)) : null;
  }
  if (!isNumber(minute, 59)) return null;
  const everyHours = /^\*\/(\d+)$/.exec(hour);
  if (everyHours && isEveryDay && minute === '0') return messages.everyHours(Number(everyHours[1]));
  if (!isNumber(hour, 23)) return null;
  const time = `${hour.padStart(2, '0')}:${minute.padStart(2, '0')}`;
  if (isEveryDay) return messages.everyDay(time);
  if (day === '*' && isNumber(weekday, 7)) {
    return messages.everyWeekday(messages.weekdays[Number(weekday) % 7] ?? '', time);
  }
  return weekday === '*' && isNumber(day, 31) ? messages.everyMonth(Number(day), time) : null;
}

const isNumber = (text: string, most: number): boolean =>
  /^\d{1,2}$/.test(text) && Number(text) <= most;

/** What the server takes for what is left out. */
export const usualRetention: Required<Retention> = {
  last: 3,
  hourly: 0,
  daily: 7,
  weekly: 4,
  monthly: 6,
  log_days: 7,
};

export const spans = ['last', 'hourly', 'daily', 'weekly', 'monthly'] as const;
export type Span = (typeof spans)[number];

/** `the last 3, one a day for 7 days`. */
export function retentionWords(keep: BackupSchedule['keep']): string {
  const counts = { ...usualRetention, ...keep };
  const words = spans.filter((span) => counts[span] > 0);
  return words.map((span) => messages.keeps[span](counts[span])).join(', ');
}
