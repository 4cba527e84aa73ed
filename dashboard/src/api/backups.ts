import { getV1Backups, postV1BackupsByBackupVerify } from './generated/sdk.gen';
import { body } from './http';
import type { Operation } from './types';

/** The newest backups of a cluster. */
export const listBackups = (cluster: string, signal?: AbortSignal) =>
  body(getV1Backups({ query: { cluster, limit: 50 }, signal }));

/** Restores it in a scratch node and looks through it. */
export const verifyBackup = (id: string) =>
  body(postV1BackupsByBackupVerify({ path: { backup: id } })) as Promise<Operation>;
