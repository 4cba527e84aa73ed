// What whoever is signed in may. The server decides; this only spares people buttons that would be
// refused.

import { useQuery } from '@tanstack/react-query';

import { meQuery } from '../../api/queries';
import type { Access, ClusterView, Role } from '../../api/types';

export const roles: Role[] = ['viewer', 'operator', 'admin', 'owner'];
export const DEFAULT_PROJECT = 'default';

const rank = (role: Role | null | undefined): number => (role ? roles.indexOf(role) : -1);

/** Whether a role is at least another. */
export const isAtLeast = (role: Role | null | undefined, least: Role): boolean =>
  rank(role) >= rank(least);

/** The role in a project: the greater of the one held there and the one held everywhere. */
export function roleIn(access: Access | undefined, project: string): Role | null {
  const there = access?.projects?.[project];
  const everywhere = access?.everywhere;
  return (rank(there) > rank(everywhere) ? there : everywhere) ?? null;
}

/** Whether a role is held everywhere, or in any project at all. */
export const hasSomewhere = (access: Access | undefined, least: Role): boolean =>
  isAtLeast(access?.everywhere, least) ||
  Object.values(access?.projects ?? {}).some((role) => isAtLeast(role, least));

export function useAccess(): Access | undefined {
  return useQuery(meQuery).data?.access;
}

/** What may be done with a cluster. */
export function useMay(cluster: ClusterView): { operate: boolean; administer: boolean } {
  const role = roleIn(useAccess(), cluster.spec.project ?? DEFAULT_PROJECT);
  return { operate: isAtLeast(role, 'operator'), administer: isAtLeast(role, 'admin') };
}
