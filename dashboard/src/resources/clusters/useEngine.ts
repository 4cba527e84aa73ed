import { useQuery } from '@tanstack/react-query';

import { enginesQuery } from '../../api/queries';
import type { ClusterView } from '../../api/types';

/** What the cluster's engine can do; undefined before it is known. */
export function useEngine({ spec }: ClusterView) {
  return useQuery(enginesQuery).data?.find((one) => one.name === spec.engine);
}
