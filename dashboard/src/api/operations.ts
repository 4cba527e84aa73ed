import { getV1Operations, getV1OperationsById } from './generated/sdk.gen';
import { body } from './http';

export const listOperations = (cluster?: string, after?: string, signal?: AbortSignal) =>
  body(getV1Operations({ query: { cluster, limit: 30, after }, signal }));

export const getOperation = (id: string, signal?: AbortSignal) =>
  body(getV1OperationsById({ path: { id }, signal }));
