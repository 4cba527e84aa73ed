import type { PastPauses } from '../../api/types';
import { formatBytes, formatCount, formatDuration } from '../../ui/format';

export const messages = {
  refused: 'This would be refused now',
  writes: 'Writes',
  writesPause: (ms: number) => `wait about ${formatDuration(ms)}; they are held, not refused`,
  /** A drill may be of a loss, where sessions end. */
  writesWait: (ms: number) => `wait about ${formatDuration(ms)}, as in earnest`,
  writesGoOn: 'go on without a pause',
  before: 'Measured here',
  pausesBefore: ({ count, median_ms, max_ms }: PastPauses) =>
    count === 0
      ? 'not known yet; the figure is what is usual elsewhere'
      : `${formatDuration(median_ms)} in the middle and ${formatDuration(max_ms)} at most, in the last ${formatCount(count, 'change', 'changes')} of primary`,
  copies: 'Copies',
  copiesMin: (count: number) =>
    count === 0
      ? 'none beside the primary at the lowest point'
      : `at least ${formatCount(count, 'copy', 'copies')} beside the primary all the time`,
  copied: 'Copied',
  copiedBytes: (bytes: number) => `about ${formatBytes(bytes)} between nodes`,
  changes: 'What differs',
  restart: 'needs a restart',
  restarts: 'Restarts',
  restartsOf: (nodes: readonly string[]) => `one after the other: ${nodes.join(', ')}`,
  restartsNone: 'none: it is taken while the engines run',
  erases: 'Erased for ever',
  replaces: 'Replaces',
  steps: 'Steps',
};
