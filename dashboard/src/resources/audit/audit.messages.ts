import { formatCount } from '../../ui/format';

export const messages = {
  title: 'Audit log',
  lead: 'Every change, every secret that was shown and every refusal for want of a role.',
  columns: { at: 'When', user: 'Who', source: 'From', action: 'What', object: 'Of', result: 'Result' },
  empty: 'Nothing is in it yet.',
  more: 'Older entries',
  verify: 'Verify',
  download: 'Export',
  whole: (count: number) => `Whole: ${formatCount(count, 'entry', 'entries')}, each follows from the one before.`,
  head: 'The last hash; kept elsewhere, it shows later that nothing was cut off:',
  headLabel: 'Hash of the last entry',
  broken: (id: number) => `Not as it was written: entry ${id} does not follow from the one before.`,
};
