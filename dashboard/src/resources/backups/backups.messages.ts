import { formatBytes, formatDuration } from '../../ui/format';

export const messages = {
  title: 'Backups',
  take: 'Back up now',
  takeTitle: (name: string) => `Back up ${name}`,
  unavailable: 'this engine cannot be backed up yet',
  none: 'There is no backup yet. Register a repository (bellwether repository add), then take one.',
  history: 'Backups, newest first',
  recoverable: (when: string) => `Recoverable up to ${when}`,
  proven: (when: string) => `proven up to ${when}`,
  unproven: 'not proven yet',
  restoring: (ms: number) => `restoring now would take about ${formatDuration(ms)}`,
  next: (when: string) => `The next one is due ${when}.`,
  noSchedule: 'None begins by itself.',
  size: (bytes: number) => formatBytes(bytes),
  stored: (bytes: number) => `${formatBytes(bytes)} new`,
  isProven: 'proven',
  isNotProven: 'could not be proven',
  verify: 'Verify',
  verifyLabel: (when: string) => `Verify the backup of ${when}`,
};
