import {
  deleteV1ClustersByCluster,
  getV1Clusters,
  getV1ClustersByCluster,
  getV1ClustersByClusterConnection,
  getV1ClustersByClusterNodes,
  getV1ClustersByClusterParameters,
  patchV1ClustersByCluster,
  postV1Clusters,
  postV1ClustersByClusterOperations,
} from './generated/sdk.gen';
import { body } from './http';
import type {
  ClusterChange,
  ClusterSpec,
  ClusterView,
  NewOperation,
  Operation,
  Page,
  Plan,
} from './types';

// With `plan` the server answers with a plan and without it with the thing itself; the document has
// both under one path, so these functions say which it is.

export const listClusters = (after?: string, signal?: AbortSignal) =>
  body(getV1Clusters({ query: { limit: 100, after }, signal })) as Promise<Page<ClusterView>>;

export const getCluster = (cluster: string, signal?: AbortSignal) =>
  body(getV1ClustersByCluster({ path: { cluster }, signal })) as Promise<ClusterView>;

export const planCluster = (spec: ClusterSpec) =>
  body(postV1Clusters({ body: spec, query: { plan: true } })) as Promise<Plan>;

/** The key makes a repeated click or a lost answer create one cluster, not two. */
export const createCluster = (spec: ClusterSpec, key: string) =>
  body(
    postV1Clusters({ body: spec, headers: { 'Idempotency-Key': key } }),
  ) as Promise<ClusterView>;

/** Refused when somebody else changed the cluster since it was looked at. */
export const changeCluster = ({ id, generation }: ClusterView, change: ClusterChange) =>
  body(
    patchV1ClustersByCluster({
      path: { cluster: id },
      body: change,
      headers: { 'If-Match': `"${generation}"` },
    }),
  ) as Promise<ClusterView>;

/** What would follow from a change, and what it would differ. */
export const planChange = ({ id, generation }: ClusterView, change: ClusterChange) =>
  body(
    patchV1ClustersByCluster({
      path: { cluster: id },
      body: change,
      query: { plan: true },
      headers: { 'If-Match': `"${generation}"` },
    }),
  ) as Promise<Plan[]>;

export const listParameters = (cluster: string, signal?: AbortSignal) =>
  body(getV1ClustersByClusterParameters({ path: { cluster }, signal }));

/** `last`: the repository that a last backup is stored in first. */
export const deleteCluster = (cluster: string, confirm: string, last?: string) =>
  body(
    deleteV1ClustersByCluster({
      path: { cluster },
      query: { confirm, ...(last && { final_backup: last }) },
    }),
  ) as Promise<Operation>;

export const listNodes = (cluster: string, signal?: AbortSignal) =>
  body(getV1ClustersByClusterNodes({ path: { cluster }, signal }));

export const getConnection = (cluster: string, reveal: boolean, signal?: AbortSignal) =>
  body(getV1ClustersByClusterConnection({ path: { cluster }, query: { reveal }, signal }));

export const planOperation = (cluster: string, operation: NewOperation) =>
  body(
    postV1ClustersByClusterOperations({
      path: { cluster },
      body: operation,
      query: { plan: true },
    }),
  ) as Promise<Plan>;

export const startOperation = (cluster: string, operation: NewOperation, key: string) =>
  body(
    postV1ClustersByClusterOperations({
      path: { cluster },
      body: operation,
      headers: { 'Idempotency-Key': key },
    }),
  ) as Promise<Operation>;
