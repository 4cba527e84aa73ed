import { request } from './http';
import type {
  ClusterChange,
  ClusterSpec,
  ClusterView,
  Connection,
  NewOperation,
  NodeView,
  Operation,
  Page,
  Plan,
} from './types';

const path = (cluster: string) => `/v1/clusters/${encodeURIComponent(cluster)}`;

export const listClusters = (after?: string, signal?: AbortSignal) =>
  request<Page<ClusterView>>('GET', '/v1/clusters', { query: { limit: 100, after }, signal });

export const getCluster = (cluster: string, signal?: AbortSignal) =>
  request<ClusterView>('GET', path(cluster), { signal });

export const planCluster = (spec: ClusterSpec) =>
  request<Plan>('POST', '/v1/clusters', { query: { plan: true }, body: spec });

/** The key makes a repeated click or a lost answer create one cluster, not two. */
export const createCluster = (spec: ClusterSpec, key: string) =>
  request<ClusterView>('POST', '/v1/clusters', {
    body: spec,
    headers: { 'Idempotency-Key': key },
  });

export const changeCluster = (cluster: ClusterView, change: ClusterChange) =>
  request<ClusterView>('PATCH', path(cluster.id), {
    body: change,
    headers: { 'If-Match': `"${cluster.generation}"` },
  });

export const deleteCluster = (cluster: string, confirm: string) =>
  request<Operation>('DELETE', path(cluster), { query: { confirm } });

export const listNodes = (cluster: string, signal?: AbortSignal) =>
  request<Page<NodeView>>('GET', `${path(cluster)}/nodes`, { signal });

export const getConnection = (cluster: string, reveal: boolean, signal?: AbortSignal) =>
  request<Connection>('GET', `${path(cluster)}/connection`, { query: { reveal }, signal });

export const planOperation = (cluster: string, operation: NewOperation) =>
  request<Plan>('POST', `${path(cluster)}/operations`, { query: { plan: true }, body: operation });

export const startOperation = (cluster: string, operation: NewOperation, key: string) =>
  request<Operation>('POST', `${path(cluster)}/operations`, {
    body: operation,
    headers: { 'Idempotency-Key': key },
  });
