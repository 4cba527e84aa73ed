import { keepPreviousData, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';

import { planOperation, startOperation } from '../../api/clusters';
import { applyEvents } from '../../api/feed';
import { keys } from '../../api/keys';
import type { ClusterView, NewOperation } from '../../api/types';
import { newKey } from '../../ui/newKey';

/** What an operation would do, and its start, which is watched; `confirm` is the cluster's name, typed. */
export function usePlannedOperation(
  cluster: ClusterView,
  request: NewOperation,
  onStarted: () => void,
  confirm?: string,
) {
  // One key for each time the question is asked: a second click starts nothing twice.
  const [key] = useState(newKey);
  const client = useQueryClient();
  const plan = useQuery({
    queryKey: ['plan', cluster.id, JSON.stringify(request), key],
    placeholderData: keepPreviousData,
    queryFn: () => planOperation(cluster.id, request),
    gcTime: 0,
    staleTime: 0,
  });
  const start = useMutation({
    mutationFn: () =>
      startOperation(cluster.id, { ...request, ...(confirm !== undefined && { confirm }) }, key),
    onSuccess: (operation) => {
      applyEvents(client, [{ kind: 'operation', operation }]);
      if (operation.status !== 'scheduled') {
        client.setQueryData(keys.watched(cluster.id), operation.id);
      }
      onStarted();
    },
  });
  return { plan, start };
}
