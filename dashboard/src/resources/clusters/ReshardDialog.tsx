import { Button, Modal, NumberInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';

import { changeCluster, planChange } from '../../api/clusters';
import { applyEvents } from '../../api/feed';
import { asProblem } from '../../api/problem';
import { enginesQuery } from '../../api/queries';
import type { ClusterView } from '../../api/types';
import { ErrorNote } from '../../ui/ErrorNote';
import { PlanSkeleton } from '../plans/PlanSkeleton';
import { PlanView } from '../plans/PlanView';
import classes from './clusters.module.css';
import { messages } from './clusters.messages';
import { shardsRange, toFieldErrors } from './create/draft';

const words = messages.reshard;

interface Props {
  cluster: ClusterView;
  isOpen: boolean;
  onClose: () => void;
}

/** Asks for another number of shards, says what moves and what goes, and begins it. */
export function ReshardDialog({ cluster, isOpen, onClose }: Props) {
  return (
    <Modal
      opened={isOpen}
      onClose={onClose}
      title={<strong>{words.heading(cluster.name)}</strong>}
    >
      <Form cluster={cluster} onClose={onClose} />
    </Modal>
  );
}

function Form({ cluster, onClose }: Omit<Props, 'isOpen'>) {
  const client = useQueryClient();
  const engines = useQuery(enginesQuery).data;
  const range = shardsRange(engines?.find((one) => one.name === cluster.spec.engine));
  const [shards, setShards] = useState<number | string>(cluster.spec.shards ?? 0);
  const [isReviewed, setIsReviewed] = useState(false);
  const change = { shards: Number(shards) };
  const isWhole = shards !== '' && Number.isInteger(change.shards);
  const plans = useQuery({
    queryKey: ['plan', cluster.id, 'shards', change.shards, cluster.generation],
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
      onClose();
    },
  });
  const divided = plans.data?.filter((plan) => plan.kind === 'reshard') ?? [];
  const isRefused = divided.some((plan) => plan.refusals.length > 0);
  const isReady = isReviewed && plans.data !== undefined && divided.length > 0 && !isRefused;
  const named = toFieldErrors(plans.error ? asProblem(plans.error).fields : []);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (isReady) apply.mutate();
    else if (isWhole) setIsReviewed(true);
  };
  return (
    <form className={classes.form} onSubmit={submit} noValidate>
      <p className={classes.dim}>{words.text}</p>
      <NumberInput
        label={words.shards}
        description={words.help(range.least, range.most)}
        maw={280}
        value={shards}
        min={1}
        max={range.most}
        clampBehavior="none"
        allowDecimal={false}
        error={isWhole ? named.shards : words.whole}
        onChange={(value) => {
          setShards(value);
          setIsReviewed(false);
          apply.reset();
        }}
      />
      {isReviewed && plans.isPending && <PlanSkeleton />}
      {isReviewed && plans.error && Object.keys(named).length === 0 && (
        <ErrorNote error={plans.error} retry={() => void plans.refetch()} />
      )}
      {isReviewed && plans.data && divided.length === 0 && (
        <p className={classes.dim}>{words.nothing}</p>
      )}
      {isReviewed && divided.map((plan) => <PlanView key={plan.summary} plan={plan} />)}
      {apply.error && <ErrorNote error={apply.error} />}
      <div className={classes.buttons}>
        <Button variant="default" onClick={onClose}>
          {words.cancel}
        </Button>
        <Button
          type="submit"
          loading={apply.isPending || (isReviewed && plans.isFetching)}
          disabled={isReviewed && !plans.isFetching && !isReady}
        >
          {isReviewed && !plans.error ? words.action : words.review}
        </Button>
      </div>
    </form>
  );
}
