import {
  deleteV1OperationsById,
  getV1ClustersByClusterDrills,
  getV1Operations,
  getV1OperationsById,
  getV1ReportsById,
} from './generated/sdk.gen';
import { body } from './http';

export const listOperations = (cluster?: string, after?: string, signal?: AbortSignal) =>
  body(getV1Operations({ query: { cluster, limit: 30, after }, signal }));

export const getOperation = (id: string, signal?: AbortSignal) =>
  body(getV1OperationsById({ path: { id }, signal }));

/** Takes back what was asked for at a later time. */
export const cancelOperation = (id: string) => body(deleteV1OperationsById({ path: { id } }));

/** What a change of primary has seen, decided, taken and lost; by the id of its operation. */
export const getReport = (id: string, signal?: AbortSignal) =>
  body(getV1ReportsById({ path: { id }, signal }));

/** The newest drills. */
export const listDrills = (cluster: string, signal?: AbortSignal) =>
  body(getV1ClustersByClusterDrills({ path: { cluster }, query: { limit: 20 }, signal }));
