import { request } from './http';
import type { Operation, Page } from './types';

export const listOperations = (cluster?: string, after?: string, signal?: AbortSignal) =>
  request<Page<Operation>>('GET', '/v1/operations', { query: { cluster, limit: 30, after }, signal });

export const getOperation = (id: string, signal?: AbortSignal) =>
  request<Operation>('GET', `/v1/operations/${encodeURIComponent(id)}`, { signal });
