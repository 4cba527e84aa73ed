import type { BackupStatus } from '../../api/types';
import { formatBytes, formatCount } from '../../ui/format';
import type { ScheduleChoice, Span } from './schedule';

/** `1st`, `2nd`, `13th`. */
function ordinal(day: number): string {
  const isTeen = day % 100 > 10 && day % 100 < 14;
  const ending = isTeen ? 'th' : (['th', 'st', 'nd', 'rd'][day % 10] ?? 'th');
  return `${day}${ending}`;
}

export const messages = {
  title: 'Backups',
  sub: 'Where backups are kept, and all of them, also of clusters that are gone.',
  unavailable: 'this engine cannot be backed up yet',
  cannot: (engine: string) => `${engine} cannot be backed up yet`,
  cannotText: (engine: string) =>
    `Replicas keep copies of the data, but no copy outlives the cluster. Until Bellwether can do it, use ${engine}’s own tools.`,
  cannotGroup: 'No backups where every node accepts writes',

  standing: 'What can be recovered',
  recoverable: 'Recoverable up to',
  proven: 'Proven up to',
  restoring: 'Restoring now would take about',
  nothingYet: 'Nothing yet: there is no complete backup.',
  unproven: 'Not proven yet: no backup was restored to see whether it works.',
  untimed: 'Not known until a backup was proven.',
  ago: (moment: string, ago: string) => `${moment} (${ago})`,
  problem: 'Backups need attention',
  look: 'Look at the backups',

  schedule: 'Schedule',
  when: 'Begins',
  next: 'Next run',
  nextIn: (moment: string, left: string) => `${moment}, in ${left}`,
  nextNow: (moment: string) => `${moment}, any moment`,
  keep: 'Kept',
  keepAlso: 'and always the newest, and the newest proven one',
  to: 'Goes to',
  rate: 'Sent at most',
  rateOf: (kib: number) => `${formatBytes(kib * 1024)} a second`,
  verify: 'Each is proven',
  verifyYes: 'yes, by restoring it in a scratch node',
  verifyNo: 'no',
  none: 'No backup begins by itself: what is lost is what was not backed up by hand.',
  set: 'Set a schedule…',
  change: 'Change…',
  scheduleTitle: (name: string) => `When shall backups of ${name} begin by themselves?`,
  choices: {
    off: 'Never',
    hourly: 'Every hour',
    daily: 'Every day at 02:00 UTC',
    weekly: 'Every Sunday at 02:00 UTC',
    monthly: 'On the first of a month at 02:00 UTC',
    own: 'As cron has it',
  } satisfies Record<ScheduleChoice, string>,
  cron: 'Minute, hour, day of the month, month, day of the week, in UTC',
  cronIs: (words: string) => `That is ${words}.`,
  asCron: (schedule: string) => `as cron has it: ${schedule}`,
  everyMinutes: (minutes: number) => (minutes === 1 ? 'every minute' : `every ${minutes} minutes`),
  everyHour: (minute: number) =>
    minute === 0 ? 'every hour' : `every hour, ${formatCount(minute, 'minute', 'minutes')} past`,
  everyHours: (hours: number) =>
    hours === 1 ? 'every hour' : `every ${hours} hours, from 00:00 UTC`,
  everyDay: (time: string) => `every day at ${time} UTC`,
  everyWeekday: (day: string, time: string) => `every ${day} at ${time} UTC`,
  everyMonth: (day: number, time: string) =>
    `on the ${ordinal(day)} of each month at ${time} UTC`,
  weekdays: ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'],
  keeping: 'How many are kept',
  keepingHelp: 'What was asked for by a person stays until a person removes it.',
  spans: {
    last: 'The last',
    hourly: 'Hours',
    daily: 'Days',
    weekly: 'Weeks',
    monthly: 'Months',
  } satisfies Record<Span, string>,
  keeps: {
    last: (count: number) => (count === 1 ? 'the last one' : `the last ${count}`),
    hourly: (count: number) =>
      count === 1 ? 'one of the last hour' : `one of each of ${count} hours`,
    daily: (count: number) => (count === 1 ? 'one of the last day' : `one of each of ${count} days`),
    weekly: (count: number) =>
      count === 1 ? 'one of the last week' : `one of each of ${count} weeks`,
    monthly: (count: number) =>
      count === 1 ? 'one of the last month' : `one of each of ${count} months`,
  } satisfies Record<Span, (count: number) => string>,
  verifyEach: 'Prove each one',
  verifyEachHint:
    'It is restored in a scratch node that serves nobody, looked through, compared, and the node goes.',
  keepLog: 'Keep the log, too',
  keepLogHint:
    'Any moment can be restored, not only those of backups. The primary stores what was written once a minute.',
  logDays: 'How many days back any moment can be restored',
  log: 'Any moment',
  logKept: (days: number) => `of ${days === 1 ? 'the last day' : `the last ${days} days`}`,
  window: 'Any moment to',
  rateLabel: 'MiB a second that are sent at most',
  rateHelp: 'Empty for no limit.',
  repository: 'Repository',
  chooseRepository: 'Choose a repository.',
  noRepository: 'There is no repository yet.',
  register: 'Register one',
  save: 'Save',
  cancel: 'Cancel',

  take: 'Back up now',
  takeOpen: 'Back up now…',
  takeTitle: (name: string) => `Back up ${name}?`,
  waits: 'waiting for its turn',
  proving: (name: string) => `A backup of ${name} is being proven`,

  history: 'History',
  historyOf: 'Backups, newest first',
  all: 'All backups',
  empty: 'There is no backup yet.',
  emptyAll: 'There is no backup yet. One is taken on the Backups tab of a cluster.',
  more: 'Show earlier',
  timeline: (count: number, from: string, to: string) =>
    `${formatCount(count, 'backup', 'backups')} from ${from} to ${to}`,
  stored: (bytes: number) => `${formatBytes(bytes)} new`,
  earlier: 'of an earlier cluster of this name',
  isProven: 'Proven',
  isNotProven: 'Not proven: it failed',
  restore: 'Restore…',
  restoreLabel: (when: string) => `Restore the backup of ${when}`,
  verifyNow: 'Prove now',
  verifyLabel: (when: string) => `Prove the backup of ${when}`,
  notComplete: {
    running: 'it is being taken; wait until it has ended',
    failed: 'it failed: there is nothing in it to restore',
    deleting: 'it is being removed',
    complete: '',
  } satisfies Record<BackupStatus, string>,
  mayNotRestore: 'restoring makes a cluster, which takes an admin of a project',
  dismiss: 'Dismiss',
  download: {
    open: 'Download…',
    label: (when: string) => `Download the backup of ${when}`,
    title: (when: string) => `Download the backup of ${when}?`,
    text: (size: number) =>
      `It is one tar file of about ${formatBytes(size)}: unpacked, the engine starts from it.`,
    care: 'The file is the data itself, without the encryption of the repository. Keep it where nobody else reads it.',
    action: 'Download',
  },
  remove: 'Delete…',
  removeLabel: (when: string) => `Delete the backup of ${when}`,

  holds: 'Holds the state of',
  started: 'Begun',
  took: 'Took',
  size: 'Size',
  sizeOf: (size: number, stored: number | null | undefined) =>
    stored == null
      ? formatBytes(size)
      : `${formatBytes(size)} of data, ${formatBytes(stored)} new in the repository`,
  node: 'Taken from',
  fromPrimary: (name: string) => `${name}, the primary: there was no replica`,
  engine: 'Engine',
  position: 'Its log ends at',
  startedBy: 'Asked for by',
  due: 'Was due',
  proof: 'Proof',
  noProof: 'not restored yet to see whether it works',
  proofAt: 'Proven at',
  proofTriedAt: 'Tried at',
  proofTook: 'Restoring took',
  fingerprints: 'Fingerprints',
  compared: (count: number) =>
    count === 0
      ? 'no table was compared'
      : `${formatCount(count, 'table holds', 'tables hold')} what they held when it was taken`,
  archives: 'In the repository as',
  id: 'Id',
  result: 'Result',

  over: {
    open: 'Restore over this cluster…',
    label: (when: string) => `Restore over this cluster: the backup of ${when}`,
    title: (name: string, when: string) => `Replace the data of ${name} by the backup of ${when}?`,
    action: 'Replace the data',
    at: 'As of a moment after the backup',
    window: (from: string, to: string) => `From ${from} to ${to}; empty: as the backup holds it.`,
    first: 'Back up what is there now first',
    firstText: 'Nothing is replaced when that fails.',
    waiting: 'Writes may wait until enough replicas are copied anew',
    aside: 'The data was replaced',
    asideText: (when: string, node: string) =>
      `At ${when} other data took the place of this cluster’s. What it replaced is set aside on ${node} and takes up room there until you decide.`,
    undo: 'Bring it back…',
    keep: 'Remove it…',
    undoTitle: (name: string) => `Bring the former data of ${name} back?`,
    undoAction: 'Bring it back',
    keepTitle: (name: string) => `Remove the former data of ${name}?`,
    keepAction: 'Remove it for ever',
  },

  removeTitle: (when: string) => `Delete the backup of ${when}?`,
  removeText: (repository: string) =>
    `It is removed from ${repository} for good. There is no way back.`,
  lastOne: (name: string) =>
    `This is the only complete backup of ${name}: nothing can be recovered without it.`,
  lastProven: (name: string) =>
    `Of the backups of ${name} this is the only one that was proven to work.`,
  newest: (name: string) =>
    `This is the newest backup of ${name}: what changed since the one before it could not be recovered.`,
  removeConfirm: (name: string) => `Type ${name} to confirm`,
  removeAction: 'Delete for ever',
  keepIt: 'Keep it',
};
