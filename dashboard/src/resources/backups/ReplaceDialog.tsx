import { Modal } from '@mantine/core';
import { keepPreviousData, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { type ReactNode, useState } from 'react';

import { planOperation, startOperation } from '../../api/clusters';
import { applyEvents } from '../../api/feed';
import { keys } from '../../api/keys';
import type { ClusterView, NewOperation } from '../../api/types';
import { ErrorNote } from '../../ui/ErrorNote';
import { newKey } from '../../ui/newKey';
import { TypeToConfirm } from '../../ui/TypeToConfirm';
import { PlanSkeleton } from '../plans/PlanSkeleton';
import { PlanView } from '../plans/PlanView';
import { messages } from './backups.messages';

interface Props {
  cluster: ClusterView;
  request: NewOperation;
  title: string;
  action: string;
  /** What else has to be decided. */
  choices?: ReactNode;
  isOpen: boolean;
  onClose: () => void;
}

/** Says what is replaced on which node, and does it when the cluster's name was typed. */
export function ReplaceDialog(props: Props) {
  const { isOpen, onClose, title } = props;
  return (
    <Modal opened={isOpen} onClose={onClose} title={<strong>{title}</strong>}>
      <Body {...props} />
    </Modal>
  );
}

function Body({ cluster, request, action, choices, onClose }: Props) {
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
    mutationFn: () => startOperation(cluster.id, { ...request, confirm: cluster.name }, key),
    onSuccess: (operation) => {
      applyEvents(client, [{ kind: 'operation', operation }]);
      client.setQueryData(keys.watched(cluster.id), operation.id);
      onClose();
    },
  });
  return (
    <TypeToConfirm
      word={cluster.name}
      label={messages.removeConfirm(cluster.name)}
      action={action}
      keep={messages.cancel}
      error={start.error}
      isPending={start.isPending}
      onConfirm={() => start.mutate()}
      onClose={onClose}
    >
      {choices}
      {plan.isPending && <PlanSkeleton />}
      {plan.error && <ErrorNote error={plan.error} retry={() => void plan.refetch()} />}
      {plan.data && <PlanView plan={plan.data} />}
    </TypeToConfirm>
  );
}
