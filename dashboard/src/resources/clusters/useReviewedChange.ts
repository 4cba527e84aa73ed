import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';

import { changeCluster, planChange } from '../../api/clusters';
import { applyEvents } from '../../api/feed';
import { asProblem } from '../../api/problem';
import type { ClusterChange, ClusterView, OperationKind } from '../../api/types';
import { toFieldErrors } from './create/draft';

/**
 * A change of a cluster that is planned first, when asked to, and then made by operations of those
 * kinds.
 */
export function useReviewedChange(
  cluster: ClusterView,
  change: ClusterChange,
  kinds: OperationKind[],
  onDone: () => void,
) {
  const client = useQueryClient();
  const [isReviewed, setIsReviewed] = useState(false);
  const query = useQuery({
    // Nodes and shards may come and go meanwhile: what was planned without them is planned anew.
    queryKey: [
      'plan',
      cluster.id,
      kinds.join(),
      JSON.stringify(change),
      cluster.generation,
      cluster.nodes_total,
      (cluster.shards ?? []).map((shard) => shard.name).join(),
    ],
    queryFn: () => planChange(cluster, change),
    enabled: isReviewed,
    retry: false,
    gcTime: 0,
    staleTime: 0,
  });
  const apply = useMutation({
    mutationFn: () => changeCluster(cluster, change),
    onSuccess: (changed) => {
      applyEvents(client, [{ kind: 'cluster', cluster: changed }]);
      onDone();
    },
  });
  const plans = query.data?.filter((plan) => kinds.includes(plan.kind)) ?? [];
  const isRefused = plans.some((plan) => plan.refusals.length > 0);
  return {
    isReviewed,
    query,
    apply,
    plans,
    isRefused,
    isReady: isReviewed && query.data !== undefined && plans.length > 0 && !isRefused,
    /** Errors of the server, by field. */
    named: toFieldErrors(query.error ? asProblem(query.error).fields : []),
    review: () => setIsReviewed(true),
    /** What was entered has changed. */
    restart: () => {
      setIsReviewed(false);
      apply.reset();
    },
  };
}
