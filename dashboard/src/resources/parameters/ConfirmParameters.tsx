import { Button, Modal } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect } from 'react';

import { changeCluster, planChange } from '../../api/clusters';
import { applyEvents } from '../../api/feed';
import { keys } from '../../api/keys';
import { asProblem } from '../../api/problem';
import type { ClusterView } from '../../api/types';
import { ErrorNote } from '../../ui/ErrorNote';
import { startSentence } from '../../ui/format';
import { PlanSkeleton } from '../plans/PlanSkeleton';
import { PlanView } from '../plans/PlanView';
import type { Chosen } from './choose';
import classes from './parameters.module.css';
import { messages } from './parameters.messages';

interface Props {
  cluster: ClusterView;
  chosen: Chosen;
  isOpen: boolean;
  onRefused: (errors: Record<string, string>) => void;
  onClose: () => void;
}

/** Shows what would differ and what it takes, and does it when told to. */
export function ConfirmParameters(props: Props) {
  const { isOpen, onClose } = props;
  return (
    <Modal
      opened={isOpen}
      onClose={onClose}
      size="lg"
      title={<strong>{messages.heading}</strong>}
    >
      <Body {...props} />
    </Modal>
  );
}

function Body({ cluster, chosen, onRefused, onClose }: Props) {
  const client = useQueryClient();
  const change = { parameters: chosen };
  const plans = useQuery({
    queryKey: ['plan', cluster.id, 'parameters', JSON.stringify(chosen), cluster.generation],
    queryFn: () => planChange(cluster, change),
    retry: false,
    gcTime: 0,
    staleTime: 0,
  });
  const apply = useMutation({
    mutationFn: () => changeCluster(cluster, change),
    onSuccess: (changed) => {
      applyEvents(client, [{ kind: 'cluster', cluster: changed }]);
      if (changed.operation) client.setQueryData(keys.watched(cluster.id), changed.operation);
      onClose();
    },
  });
  // A value that cannot be had is shown where it was entered.
  const { error } = plans;
  useEffect(() => {
    const fields = error ? asProblem(error).fields : [];
    if (fields.length === 0) return;
    onRefused(
      Object.fromEntries(fields.map(({ field, message }) => [field, startSentence(message)])),
    );
  }, [error, onRefused]);
  const plan = plans.data?.find((one) => one.kind === 'reconfigure');
  const isRefused = plan !== undefined && plan.refusals.length > 0;
  return (
    <>
      {plans.isPending && <PlanSkeleton />}
      {error && <ErrorNote error={error} retry={() => void plans.refetch()} />}
      {plan && <PlanView plan={plan} hideSummary />}
      {plans.data && !plan && <p>{messages.nothing}</p>}
      {apply.error && <ErrorNote error={apply.error} />}
      <div className={classes.buttons}>
        <Button variant="default" onClick={onClose}>
          {messages.cancel}
        </Button>
        <Button
          disabled={!plan || isRefused}
          loading={apply.isPending}
          onClick={() => apply.mutate()}
          data-autofocus
        >
          {messages.apply}
        </Button>
      </div>
    </>
  );
}
