import {
  deleteV1ClustersByClusterDatabasesByDatabase,
  deleteV1ClustersByClusterDatabaseUsersByDatabaseUser,
  getV1ClustersByClusterDatabases,
  getV1ClustersByClusterDatabaseUsers,
  getV1ClustersByClusterDatabaseUsersByDatabaseUser,
  patchV1ClustersByClusterDatabaseUsersByDatabaseUser,
  postV1ClustersByClusterDatabases,
  postV1ClustersByClusterDatabaseUsers,
  postV1ClustersByClusterDatabaseUsersByDatabaseUserRotation,
  postV1ClustersByClusterDatabaseUsersByDatabaseUserRotationCancel,
  postV1ClustersByClusterDatabaseUsersByDatabaseUserRotationEnd,
} from './generated/sdk.gen';
import { body } from './http';
import type { Grant } from './types';

export const listDatabases = (cluster: string, signal?: AbortSignal) =>
  body(getV1ClustersByClusterDatabases({ path: { cluster }, signal }));

export const createDatabase = (cluster: string, name: string) =>
  body(postV1ClustersByClusterDatabases({ path: { cluster }, body: { name } }));

export const dropDatabase = (cluster: string, database: string) =>
  body(
    deleteV1ClustersByClusterDatabasesByDatabase({
      path: { cluster, database },
      query: { confirm: database },
    }),
  );

export const listDatabaseUsers = (cluster: string, signal?: AbortSignal) =>
  body(getV1ClustersByClusterDatabaseUsers({ path: { cluster }, signal }));

/** With the password, which the audit log remembers. */
export const revealDatabaseUser = (cluster: string, database_user: string, signal?: AbortSignal) =>
  body(
    getV1ClustersByClusterDatabaseUsersByDatabaseUser({
      path: { cluster, database_user },
      query: { reveal: true },
      signal,
    }),
  );

export const createDatabaseUser = (cluster: string, name: string, grants: Grant[]) =>
  body(postV1ClustersByClusterDatabaseUsers({ path: { cluster }, body: { name, grants } }));

export const changeGrants = (cluster: string, database_user: string, grants: Grant[]) =>
  body(
    patchV1ClustersByClusterDatabaseUsersByDatabaseUser({
      path: { cluster, database_user },
      body: { grants },
    }),
  );

export const dropDatabaseUser = (cluster: string, database_user: string) =>
  body(deleteV1ClustersByClusterDatabaseUsersByDatabaseUser({ path: { cluster, database_user } }));

export const rotateDatabaseUser = (cluster: string, database_user: string) =>
  body(
    postV1ClustersByClusterDatabaseUsersByDatabaseUserRotation({ path: { cluster, database_user } }),
  );

/** Turns it round: the login that was to be replaced stays. */
export const cancelRotation = (cluster: string, database_user: string) =>
  body(
    postV1ClustersByClusterDatabaseUsersByDatabaseUserRotationCancel({
      path: { cluster, database_user },
    }),
  );

export const endRotation = (cluster: string, database_user: string, even_if_used: boolean) =>
  body(
    postV1ClustersByClusterDatabaseUsersByDatabaseUserRotationEnd({
      path: { cluster, database_user },
      body: { even_if_used },
    }),
  );
