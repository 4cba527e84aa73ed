import type { Loss } from '../../api/types';
import { formatBytes, formatCount, formatDuration } from '../../ui/format';

export const messages = {
  title: 'Report',
  gone: 'There is no report of this yet.',
  waited: 'Writes waited',
  notMeasured: 'not measured',
  waitedAt: (name: string, ms: number, slack: number) =>
    slack > 0
      ? `${name}: ${formatDuration(ms)}, perhaps ${formatDuration(slack)} less`
      : `${name}: ${formatDuration(ms)}`,
  measuredBy: 'As clients saw it at',
  lost: 'Lost',
  lostWords: { nothing: 'Nothing', range: 'Something', not_known: 'Not known' } satisfies Record<
    Loss,
    string
  >,
  from: 'Former primary',
  to: 'New primary',
  term: 'Term',
  seen: 'What was seen',
  decided: 'What was decided',
  rule: (rule: number) => `rule ${rule}`,
  by: (name: string) => `asked by ${name}`,
  fence: 'Why it could not write any more',
  promised: 'Who promised',
  rescued: 'Taken from its disk',
  found: 'Transactions that only it held',
  bytes: formatBytes,
  transactions: (count: number) => formatCount(count, 'transaction', 'transactions'),
  timeline: 'Timeline',
  timelineOf: (ms: number) => `From the beginning to the end it took ${formatDuration(ms)}.`,
  after: (title: string, ms: number) => `${title} after ${formatDuration(ms)}.`,
  evidence: 'Evidence in numbers',
  silentAfter: (ms: number) => `older than ${formatDuration(ms)} is silence`,
  ownReport: 'Its own report',
  columns: {
    witness: 'Heard by',
    lease: 'Lease request',
    engine: 'Engine’s message',
    report: 'Heard itself',
  },
  never: 'never',
  ago: (ms: number) => `${formatDuration(ms)} ago`,
  votes: 'votes',
  engineDied: 'Its agent said that the engine had died.',
  machineStopped: 'The provider said that its machine did not run.',
  suspected: (name: string) => `${name} is suspected`,
  willFailOver: 'A replica takes its place by itself.',
  staysSo: 'Nothing is done by itself.',
  see: 'See the report',
};
