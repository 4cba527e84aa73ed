import { Modal } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';

import { deleteCluster, planOperation } from '../../api/clusters';
import { applyEvents } from '../../api/feed';
import { keys } from '../../api/keys';
import type { ClusterView } from '../../api/types';
import { ErrorNote } from '../../ui/ErrorNote';
import { TypeToConfirm } from '../../ui/TypeToConfirm';
import { PlanSkeleton } from '../plans/PlanSkeleton';
import { PlanView } from '../plans/PlanView';
import classes from './clusters.module.css';
import { messages } from './clusters.messages';

const words = messages.danger;

interface Props {
  cluster: ClusterView;
  isOpen: boolean;
  onClose: () => void;
}

/** Shows what goes and what stays, and deletes when the name was typed. */
export function DeleteDialog({ cluster, isOpen, onClose }: Props) {
  return (
    <Modal
      opened={isOpen}
      onClose={onClose}
      title={<strong>{words.heading(cluster.name)}</strong>}
    >
      <Body cluster={cluster} onClose={onClose} />
    </Modal>
  );
}

function Body({ cluster, onClose }: Omit<Props, 'isOpen'>) {
  const client = useQueryClient();
  const plan = useQuery({
    queryKey: ['plan', cluster.id, 'delete_cluster'],
    queryFn: () =>
      planOperation(cluster.id, { kind: 'delete_cluster', confirm: cluster.name }),
    gcTime: 0,
    staleTime: 0,
  });
  const remove = useMutation({
    mutationFn: () => deleteCluster(cluster.id, cluster.name),
    onSuccess: (operation) => {
      applyEvents(client, [{ kind: 'operation', operation }]);
      client.setQueryData(keys.watched(cluster.id), operation.id);
      onClose();
    },
  });
  return (
    <TypeToConfirm
      word={cluster.name}
      label={words.confirmLabel(cluster.name)}
      action={words.action}
      keep={words.cancel}
      error={remove.error}
      isPending={remove.isPending}
      onConfirm={() => remove.mutate()}
      onClose={onClose}
    >
      {plan.isPending && <PlanSkeleton />}
      {plan.error && <ErrorNote error={plan.error} retry={() => void plan.refetch()} />}
      {plan.data && <PlanView plan={plan.data} />}
      <p className={classes.dim}>
        <strong>{words.staysTitle}:</strong> {words.stays}
      </p>
    </TypeToConfirm>
  );
}
