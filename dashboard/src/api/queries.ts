import {
  type InfiniteData,
  infiniteQueryOptions,
  keepPreviousData,
  queryOptions,
} from '@tanstack/react-query';

import { getBackup, listBackups, listRepositories } from './backups';
import { getAllowlist } from './allowlist';
import { listAudit } from './audit';
import { showAuthority } from './authority';
import { listEngineParameters, listEngines, listProviders } from './catalogue';
import {
  getCluster,
  getConnection,
  listClusters,
  listNodes,
  listParameters,
} from './clusters';
import { listDatabases, listDatabaseUsers, revealDatabaseUser } from './databases';
import { getIdentityProvider } from './identity';
import { keys } from './keys';
import { getOperation, getReport, listDrills, listOperations } from './operations';
import { listProjects, listSessions, listTokens, listUsers } from './people';
import { getMe } from './session';
import type { Backup, ClusterSpec, NodeView, Page } from './types';

export type Pages<T> = InfiniteData<Page<T>, string | undefined>;

const nextPage = <T>(page: Page<T>) => page.next ?? undefined;
const first = undefined as string | undefined;

export const meQuery = queryOptions({
  queryKey: keys.me,
  queryFn: ({ signal }) => getMe(signal),
  staleTime: Number.POSITIVE_INFINITY,
});

export const identityProviderQuery = queryOptions({
  queryKey: keys.identityProvider,
  queryFn: ({ signal }) => getIdentityProvider(signal),
});

export const auditQuery = infiniteQueryOptions({
  queryKey: keys.audit,
  queryFn: ({ pageParam, signal }) => listAudit(pageParam, signal),
  initialPageParam: first,
  getNextPageParam: nextPage,
});

export const authorityQuery = queryOptions({
  queryKey: keys.authority,
  queryFn: ({ signal }) => showAuthority(signal),
  refetchInterval: 3_000,
});

export const usersQuery = queryOptions({
  queryKey: keys.users,
  queryFn: ({ signal }) => listUsers(signal),
});

export const projectsQuery = queryOptions({
  queryKey: keys.projects,
  queryFn: ({ signal }) => listProjects(signal),
});

export const sessionsQuery = queryOptions({
  queryKey: keys.sessions,
  queryFn: ({ signal }) => listSessions(signal),
});

export const tokensQuery = queryOptions({
  queryKey: keys.tokens,
  queryFn: ({ signal }) => listTokens(signal),
});

export const enginesQuery = queryOptions({
  queryKey: keys.engines,
  queryFn: ({ signal }) => listEngines(signal),
  staleTime: 300_000,
});

/** Whether a provider can be used changes without an event, so it is asked again each time. */
export const providersQuery = queryOptions({
  queryKey: keys.providers,
  queryFn: ({ signal }) => listProviders(signal),
  staleTime: 5_000,
});

export const clustersQuery = infiniteQueryOptions({
  queryKey: keys.clusters,
  queryFn: ({ pageParam, signal }) => listClusters(pageParam, signal),
  initialPageParam: first,
  getNextPageParam: nextPage,
});

export const clusterQuery = (name: string) =>
  queryOptions({ queryKey: keys.cluster(name), queryFn: ({ signal }) => getCluster(name, signal) });

/** Something of the dashboard's own that several parts of it read and write. */
const note = <K extends readonly unknown[]>(queryKey: K) =>
  queryOptions({
    queryKey,
    queryFn: () => Promise.resolve<string | null>(null),
    enabled: false,
    initialData: null as string | null,
    staleTime: Number.POSITIVE_INFINITY,
  });

/** The id of a cluster that went away while it was looked at; only events write it. */
export const goneQuery = (name: string) => note(keys.gone(name));

/** The id of the operation that is followed above a cluster's tabs. */
export const watchedQuery = (clusterId: string) => note(keys.watched(clusterId));

/** The id of the last change of primary that was followed there; its report is worth a look. */
export const changedQuery = (clusterId: string) => note(keys.changed(clusterId));

export const nodesQuery = (clusterId: string) =>
  queryOptions({
    queryKey: keys.nodes(clusterId),
    queryFn: async ({ signal }): Promise<NodeView[]> =>
      (await listNodes(clusterId, signal)).items.toSorted((a, b) => a.ordinal - b.ordinal),
  });

/** Read anew when the spec changes, and when an operation begins or ends: it may have been one of these. */
export const parametersQuery = (clusterId: string, generation: number, operation?: string | null) =>
  queryOptions({
    queryKey: [...keys.parameters(clusterId), generation, operation ?? ''],
    queryFn: ({ signal }) => listParameters(clusterId, signal),
    placeholderData: keepPreviousData,
  });

export const engineParametersQuery = (spec: ClusterSpec) =>
  queryOptions({
    queryKey: [...keys.engineParameters, spec.engine, spec.version, spec.size],
    queryFn: ({ signal }) => listEngineParameters(spec, signal),
    placeholderData: keepPreviousData,
  });

export const connectionQuery = (clusterId: string, reveal: boolean) =>
  queryOptions({
    queryKey: keys.connection(clusterId, reveal),
    queryFn: ({ signal }) => getConnection(clusterId, reveal, signal),
    placeholderData: keepPreviousData,
    // A revealed password leaves the memory with the page.
    gcTime: reveal ? 0 : 300_000,
  });

/** Who is connected and who was refused changes without an event, so it is asked again and again. */
export const allowlistQuery = (clusterId: string, generation: number) =>
  queryOptions({
    queryKey: [...keys.allowlist(clusterId), generation],
    queryFn: ({ signal }) => getAllowlist(clusterId, signal),
    placeholderData: keepPreviousData,
    refetchInterval: 3_000,
  });

/** Engines are given what was asked for without an event, so both are asked for again and again. */
export const databasesQuery = (clusterId: string) =>
  queryOptions({
    queryKey: keys.databases(clusterId),
    queryFn: ({ signal }) => listDatabases(clusterId, signal),
    refetchInterval: 3_000,
  });

export const databaseUsersQuery = (clusterId: string) =>
  queryOptions({
    queryKey: keys.databaseUsers(clusterId),
    queryFn: ({ signal }) => listDatabaseUsers(clusterId, signal),
    refetchInterval: 3_000,
  });

/** A user with the password, which leaves the memory with the page. */
export const revealedQuery = (clusterId: string, name: string) =>
  queryOptions({
    queryKey: keys.databaseUser(clusterId, name),
    queryFn: ({ signal }) => revealDatabaseUser(clusterId, name, signal),
    // Each time is written down: once is enough while it is looked at.
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 0,
  });

export const operationsQuery = (clusterId?: string) =>
  infiniteQueryOptions({
    queryKey: keys.operations(clusterId),
    queryFn: ({ pageParam, signal }) => listOperations(clusterId, pageParam, signal),
    initialPageParam: first,
    getNextPageParam: nextPage,
  });

export const operationQuery = (id: string) =>
  queryOptions({ queryKey: keys.operation(id), queryFn: ({ signal }) => getOperation(id, signal) });

export const reportQuery = (id: string) =>
  queryOptions({ queryKey: keys.report(id), queryFn: ({ signal }) => getReport(id, signal) });

/** A removal ends without an event, so it is asked for again until it has. */
const whileRemoved = (backups: Backup[] | undefined) =>
  backups?.some((backup) => backup.status === 'deleting') ? 2_000 : false;

/** The backups of a cluster by its name, those of earlier ones of that name too; all without. */
export const backupsQuery = (cluster?: string) =>
  infiniteQueryOptions({
    queryKey: keys.backups(cluster),
    queryFn: ({ pageParam, signal }) => listBackups(cluster, pageParam, signal),
    initialPageParam: first,
    getNextPageParam: nextPage,
    refetchInterval: ({ state }) =>
      whileRemoved(state.data?.pages.flatMap((page) => page.items)),
  });

export const backupQuery = (id: string) =>
  queryOptions({ queryKey: keys.backup(id), queryFn: ({ signal }) => getBackup(id, signal) });

export const repositoriesQuery = queryOptions({
  queryKey: keys.repositories,
  queryFn: async ({ signal }) => (await listRepositories(signal)).items,
});

export const drillsQuery = (clusterId: string) =>
  queryOptions({
    queryKey: keys.drills(clusterId),
    queryFn: async ({ signal }) => (await listDrills(clusterId, signal)).items,
  });
