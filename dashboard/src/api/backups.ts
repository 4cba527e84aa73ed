import {
  deleteV1BackupsByBackup,
  deleteV1RepositoriesByRepository,
  getV1Backups,
  getV1BackupsByBackup,
  getV1Repositories,
  getV1RepositoriesByRepositoryKey,
  postV1BackupsByBackupVerify,
  postV1Repositories,
} from './generated/sdk.gen';
import { body } from './http';
import type { Backup, NewRepository, Operation } from './types';

/** The newest backups of a cluster, with those of earlier ones of that name; of all without. */
export const listBackups = (cluster?: string, after?: string, signal?: AbortSignal) =>
  body(getV1Backups({ query: { cluster, limit: 50, after }, signal }));

export const getBackup = (id: string, signal?: AbortSignal) =>
  body(getV1BackupsByBackup({ path: { backup: id }, signal }));

/** It is removed from its repository in the background. */
export const deleteBackup = (id: string) =>
  body(deleteV1BackupsByBackup({ path: { backup: id } })) as Promise<Backup>;

/** Where a browser fetches it as a file. */
export const downloadAddress = (id: string) => `/v1/backups/${encodeURIComponent(id)}/download`;

/** Restores it in a scratch node and looks through it. */
export const verifyBackup = (id: string) =>
  body(postV1BackupsByBackupVerify({ path: { backup: id } })) as Promise<Operation>;

export const listRepositories = (signal?: AbortSignal) =>
  body(getV1Repositories({ query: { limit: 500 }, signal }));

/** Tries the credentials, which takes as long as the store does to answer. */
export const createRepository = (repository: NewRepository) =>
  body(postV1Repositories({ body: repository }));

/** The encryption key. The audit log remembers who saw it. */
export const showRepositoryKey = (repository: string) =>
  body(getV1RepositoriesByRepositoryKey({ path: { repository } }));

/** Forgets it with the list of what is in it; nothing is removed from it. */
export const forgetRepository = (repository: string) =>
  body(deleteV1RepositoriesByRepository({ path: { repository } }));
