import { Button, Modal, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';

import { deleteCluster, planOperation } from '../../api/clusters';
import { applyEvents } from '../../api/feed';
import { keys } from '../../api/keys';
import type { ClusterView } from '../../api/types';
import { ErrorNote } from '../../ui/ErrorNote';
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
  const [typed, setTyped] = useState('');
  const [isChecked, setIsChecked] = useState(false);
  const client = useQueryClient();
  const plan = useQuery({
    queryKey: ['plan', cluster.id, 'delete_cluster'],
    queryFn: () =>
      planOperation(cluster.id, { kind: 'delete_cluster', confirm: cluster.name }),
    gcTime: 0,
    staleTime: 0,
  });
  const remove = useMutation({
    mutationFn: () => deleteCluster(cluster.id, typed.trim()),
    onSuccess: (operation) => {
      applyEvents(client, [{ kind: 'operation', operation }]);
      client.setQueryData(keys.watched(cluster.id), operation.id);
      onClose();
    },
  });
  const isMatching = typed.trim() === cluster.name;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setIsChecked(true);
    if (isMatching) remove.mutate();
  };
  return (
    <form className={classes.form} onSubmit={submit} noValidate>
      {plan.isPending && <PlanSkeleton />}
      {plan.error && <ErrorNote error={plan.error} retry={() => void plan.refetch()} />}
      {plan.data && <PlanView plan={plan.data} />}
      <p className={classes.dim} style={{ margin: 0 }}>
        <strong>{words.staysTitle}:</strong> {words.stays}
      </p>
      <TextInput
        label={words.confirmLabel(cluster.name)}
        value={typed}
        autoComplete="off"
        autoCapitalize="none"
        spellCheck={false}
        data-autofocus
        onChange={(event) => setTyped(event.currentTarget.value)}
        error={isChecked && !isMatching ? words.mismatch(typed.trim() || '–') : undefined}
      />
      {remove.error && <ErrorNote error={remove.error} />}
      <div className={classes.buttons}>
        <Button variant="default" onClick={onClose}>
          {words.cancel}
        </Button>
        <Button type="submit" color="red" disabled={!isMatching} loading={remove.isPending}>
          {words.action}
        </Button>
      </div>
    </form>
  );
}
