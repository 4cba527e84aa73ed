import type { DrillKind } from '../../api/types';
import { formatDuration } from '../../ui/format';

export const messages = {
  title: 'Drills',
  none: 'The change of primary was never tried. A drill shows how long writes wait when it happens.',
  kinds: { switchover: 'Switchover', failover: 'Failover' } satisfies Record<DrillKind, string>,
  kindHints: {
    switchover: 'The primary hands over as planned; clients wait and go on.',
    failover: 'The primary’s engine is killed; a replica takes over as in earnest, and sessions end.',
  } satisfies Record<DrillKind, string>,
  last: (ago: string) => `Last drill: ${ago}`,
  waited: (ms: number) => `writes waited ${formatDuration(ms)}`,
  whole: (ms: number) => `whole again after ${formatDuration(ms)}`,
  next: (moment: string) => `Next by itself: ${moment}`,
  noSchedule: 'None begins by itself.',
  history: 'Earlier drills',
  run: 'Run a drill…',
  runTitle: (name: string) => `Try the change of primary of ${name}?`,
  confirmRun: 'Run the drill',
  what: 'What is tried',
  allowLoss: 'It may lose what was acknowledged last',
  allowLossHint: 'A failover in asynchronous replication promises nothing else.',
  schedule: 'Schedule…',
  scheduleTitle: (name: string) => `When shall drills of ${name} begin by themselves?`,
  when: 'When',
  choices: { off: 'Never', weekly: 'Every Sunday at 4:00', monthly: 'On the first of a month at 4:00', own: 'As cron has it' },
  cron: 'Minute, hour, day of the month, month, day of the week, in UTC',
  save: 'Save',
  cancel: 'Cancel',
  unavailable: 'This is not possible now.',
  report: 'Report',
};
