import { Alert, Checkbox, Modal } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';

import { deleteCluster, planOperation } from '../../api/clusters';
import { applyEvents } from '../../api/feed';
import { keys } from '../../api/keys';
import type { ClusterView } from '../../api/types';
import { ErrorNote } from '../../ui/ErrorNote';
import { formatMoment } from '../../ui/format';
import { TypeToConfirm } from '../../ui/TypeToConfirm';
import { RepositorySelect, useRepositoryChoice } from '../backups/RepositorySelect';
import { PlanSkeleton } from '../plans/PlanSkeleton';
import { PlanView } from '../plans/PlanView';
import classes from './clusters.module.css';
import { messages } from './clusters.messages';
import { useEngine } from './useEngine';

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
  const engine = useEngine(cluster);
  const canStore = Boolean(engine?.capabilities.backups) && cluster.phase !== 'failed';
  const [isLast, setIsLast] = useState(Boolean(cluster.spec.backup));
  const [repository, setRepository] = useRepositoryChoice(cluster.spec.backup?.repository);
  const last = canStore && isLast && repository ? repository : undefined;
  const plan = useQuery({
    queryKey: ['plan', cluster.id, 'delete_cluster', last],
    queryFn: () =>
      planOperation(cluster.id, {
        kind: 'delete_cluster',
        confirm: cluster.name,
        ...(last && { repository: last }),
      }),
    gcTime: 0,
    staleTime: 0,
  });
  const remove = useMutation({
    mutationFn: () => deleteCluster(cluster.id, cluster.name, last),
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
      {canStore && (
        <Checkbox
          label={words.last}
          description={words.lastText}
          checked={isLast}
          onChange={(event) => setIsLast(event.currentTarget.checked)}
        />
      )}
      {canStore && isLast && <RepositorySelect value={repository} onChange={setRepository} />}
      {!last && <NewestBackup cluster={cluster} />}
    </TypeToConfirm>
  );
}

/** Up to when the data could be brought back afterwards. */
function NewestBackup({ cluster }: { cluster: ClusterView }) {
  const engine = useEngine(cluster);
  // Of what never was nothing is missed.
  if (!engine || cluster.phase === 'failed') return null;
  const until = cluster.backup?.recoverable_to;
  if (until) return <p className={classes.dim}>{words.backedUp(formatMoment(until))}</p>;
  return (
    <Alert color="red">
      {words.notBackedUp}
    </Alert>
  );
}
