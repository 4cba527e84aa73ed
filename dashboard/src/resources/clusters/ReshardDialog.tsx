import { Button, Modal, NumberInput } from '@mantine/core';
import { type FormEvent, useState } from 'react';

import type { ClusterView, OperationKind } from '../../api/types';
import { ErrorNote } from '../../ui/ErrorNote';
import { PlanSkeleton } from '../plans/PlanSkeleton';
import { PlanView } from '../plans/PlanView';
import classes from './clusters.module.css';
import { messages } from './clusters.messages';
import { shardsRange } from './create/draft';
import { useEngine } from './useEngine';
import { useReviewedChange } from './useReviewedChange';

const words = messages.reshard;

const KINDS: OperationKind[] = ['reshard'];

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
  const range = shardsRange(useEngine(cluster));
  const [shards, setShards] = useState<number | string>(cluster.spec.shards ?? 0);
  const change = { shards: Number(shards) };
  const isWhole = shards !== '' && Number.isInteger(change.shards);
  const reviewed = useReviewedChange(cluster, change, KINDS, onClose);
  const { isReviewed, query, apply, plans, isReady, named } = reviewed;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (isReady) apply.mutate();
    else if (isWhole) reviewed.review();
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
          reviewed.restart();
        }}
      />
      {isReviewed && query.isPending && <PlanSkeleton />}
      {isReviewed && query.error && Object.keys(named).length === 0 && (
        <ErrorNote error={query.error} retry={() => void query.refetch()} />
      )}
      {isReviewed && query.data && plans.length === 0 && (
        <p className={classes.dim}>{words.nothing}</p>
      )}
      {isReviewed && plans.map((plan) => <PlanView key={plan.summary} plan={plan} />)}
      {apply.error && <ErrorNote error={apply.error} />}
      <div className={classes.buttons}>
        <Button variant="default" onClick={onClose}>
          {words.cancel}
        </Button>
        <Button
          type="submit"
          loading={apply.isPending || (isReviewed && query.isFetching)}
          disabled={isReviewed && !query.isFetching && !isReady}
        >
          {isReviewed && !query.error ? words.action : words.review}
        </Button>
      </div>
    </form>
  );
}
