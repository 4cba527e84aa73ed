import type { Backup, BackupStatus, ClusterView } from '../../api/types';
import { formatMoment } from '../../ui/format';
import type { StatusLook } from '../../ui/tones';
import { messages } from './backups.messages';

const looks: Record<BackupStatus, StatusLook> = {
  running: { tone: 'busy', word: 'Being taken' },
  complete: { tone: 'ok', word: 'Complete' },
  failed: { tone: 'bad', word: 'Failed' },
  deleting: { tone: 'idle', word: 'Being removed' },
};

/** How it is, and of a complete one whether it was proven. */
export function backupLook({ status, proof }: Pick<Backup, 'status' | 'proof'>): StatusLook {
  if (status !== 'complete' || !proof) return looks[status];
  return proof.proven
    ? { tone: 'ok', word: messages.isProven }
    : { tone: 'warn', word: messages.isNotProven };
}

/** The moment it holds, or when it was begun. */
export const momentOf = (backup: Pick<Backup, 'facts' | 'created_at'>): string =>
  backup.facts?.taken_at ?? backup.created_at;

/** What would be missed most, were this one removed; empty when another stands in for it. */
export function whatIsLost(backup: Backup, all: Backup[]): string {
  if (backup.status !== 'complete') return '';
  const others = all.filter(
    (other) =>
      other.id !== backup.id &&
      other.cluster_name === backup.cluster_name &&
      other.status === 'complete',
  );
  if (others.length === 0) return messages.lastOne(backup.cluster_name);
  const isProven = (one: Backup) => one.proof?.proven ?? false;
  if (isProven(backup) && !others.some(isProven)) return messages.lastProven(backup.cluster_name);
  const isNewest = others.every((other) => momentOf(other) < momentOf(backup));
  return isNewest ? messages.newest(backup.cluster_name) : '';
}

/** Times in the server's sentences, as people read them. */
export const withMoments = (text: string): string =>
  text.replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g, (time) => formatMoment(time));

/** Whether its engine can be backed up at all; its reason is in the words otherwise. */
export const backupAllowed = (cluster: ClusterView): { allowed: boolean; reason: string } => {
  const found = cluster.operations.find((operation) => operation.kind === 'backup');
  return { allowed: found?.allowed ?? false, reason: found?.reason || messages.unavailable };
};

/** A backup on the time line: how far along it is, 0 to 1. */
export interface Mark {
  backup: Backup;
  at: number;
}

/** Backups in the order of what they hold, spread over the time they span. */
export function timelineOf(backups: Backup[]): Mark[] {
  const times = backups.map((backup) => Date.parse(momentOf(backup)));
  const [first, last] = [Math.min(...times), Math.max(...times)];
  const span = last - first;
  return backups
    .map((backup, index) => ({
      backup,
      at: span === 0 ? 1 : ((times[index] ?? first) - first) / span,
    }))
    .toSorted((a, b) => a.at - b.at);
}
