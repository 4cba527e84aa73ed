import {
  getV1ClustersByClusterAllowlist,
  postV1ClustersByClusterAllowlistDecision,
  putV1ClustersByClusterAllowlist,
} from './generated/sdk.gen';
import { body } from './http';
import type { AllowlistPlan, AllowlistView, NewAllowlist } from './types';

export const getAllowlist = (cluster: string, signal?: AbortSignal) =>
  body(getV1ClustersByClusterAllowlist({ path: { cluster }, signal })) as Promise<AllowlistView>;

/** Refused when somebody else changed the cluster since it was looked at. */
export const changeAllowlist = (cluster: string, generation: number, list: NewAllowlist) =>
  body(
    putV1ClustersByClusterAllowlist({
      path: { cluster },
      body: list,
      headers: { 'If-Match': `"${generation}"` },
    }),
  ) as Promise<AllowlistView>;

/** Whom another list would cut off. */
export const planAllowlist = (cluster: string, generation: number, list: NewAllowlist) =>
  body(
    putV1ClustersByClusterAllowlist({
      path: { cluster },
      body: list,
      query: { plan: true },
      headers: { 'If-Match': `"${generation}"` },
    }),
  ) as Promise<AllowlistPlan>;

export const decideAllowlist = (cluster: string, keep: boolean) =>
  body(
    postV1ClustersByClusterAllowlistDecision({ path: { cluster }, body: { keep } }),
  ) as Promise<AllowlistView>;
