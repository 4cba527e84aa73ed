import { Button, Modal } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';

import { changeCluster, planChange } from '../../api/clusters';
import { applyEvents } from '../../api/feed';
import { asProblem } from '../../api/problem';
import { enginesQuery, providersQuery } from '../../api/queries';
import type { ClusterView } from '../../api/types';
import { ErrorNote } from '../../ui/ErrorNote';
import { GIB } from '../../ui/format';
import { useFirstWrong } from '../../ui/useFirstWrong';
import { AllowWaiting } from '../nodes/AllowWaiting';
import { PlanSkeleton } from '../plans/PlanSkeleton';
import classes from './clusters.module.css';
import { messages } from './clusters.messages';
import {
  checkSize,
  type FieldErrors,
  sizeBounds,
  type SizeEntries,
  toFieldErrors,
  toSize,
} from './create/draft';
import { SizeInputs } from './create/SizeInputs';
import { ResizePlans } from './ResizePlans';

const words = messages.resize;

interface Props {
  cluster: ClusterView;
  isOpen: boolean;
  onClose: () => void;
}

/** Asks for another size of the nodes, says what each of them goes through, and begins it. */
export function ResizeDialog({ cluster, isOpen, onClose }: Props) {
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

function useBounds({ spec }: ClusterView) {
  const engine = useQuery(enginesQuery).data?.find((one) => one.name === spec.engine);
  const provider = useQuery(providersQuery).data?.find((one) => one.name === spec.provider);
  // A disk can only grow.
  return sizeBounds(engine, provider, spec.size.disk);
}

function Form({ cluster, onClose }: Omit<Props, 'isOpen'>) {
  const client = useQueryClient();
  const has = cluster.spec.size;
  const bounds = useBounds(cluster);
  const [size, setSize] = useState<SizeEntries>({
    cpus: has.cpus,
    memoryGib: has.memory / GIB,
    diskGib: has.disk / GIB,
  });
  const [errors, setErrors] = useState<FieldErrors>({});
  const [isReviewed, setIsReviewed] = useState(false);
  const [allowsWaiting, setAllowsWaiting] = useState(false);
  const form = useFirstWrong<HTMLFormElement>(errors);
  const change = { size: toSize(size), allow_waiting: allowsWaiting };
  const plans = useQuery({
    queryKey: ['plan', cluster.id, 'size', JSON.stringify(change), cluster.generation],
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
  const resized = plans.data?.filter((plan) => plan.kind === 'resize') ?? [];
  const isRefused = resized.some((plan) => plan.refusals.length > 0);
  const isReady = isReviewed && plans.data !== undefined && resized.length > 0 && !isRefused;
  const named = toFieldErrors(plans.error ? asProblem(plans.error).fields : []);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const found = checkSize(size, bounds);
    setErrors(found);
    if (Object.keys(found).length > 0) return;
    if (isReady) apply.mutate();
    else setIsReviewed(true);
  };
  return (
    <form ref={form} className={classes.form} onSubmit={submit} noValidate>
      <p className={classes.dim}>{words.text}</p>
      <SizeInputs
        size={size}
        bounds={bounds}
        errors={{ ...errors, ...named }}
        onChange={(changed) => {
          setSize({ ...size, ...changed });
          setErrors({});
          setIsReviewed(false);
          apply.reset();
        }}
      />
      {isReviewed && plans.isPending && <PlanSkeleton />}
      {isReviewed && plans.error && Object.keys(named).length === 0 && (
        <ErrorNote error={plans.error} retry={() => void plans.refetch()} />
      )}
      {isReviewed && plans.data && <ResizePlans plans={resized} />}
      {isReviewed && (isRefused || allowsWaiting) && (
        <AllowWaiting isAllowed={allowsWaiting} onChange={setAllowsWaiting} />
      )}
      {apply.error && <ErrorNote error={apply.error} />}
      <div className={classes.buttons}>
        <Button variant="default" onClick={onClose}>
          {words.cancel}
        </Button>
        <Button
          type="submit"
          loading={apply.isPending || (isReviewed && plans.isFetching)}
          disabled={isReviewed && plans.data !== undefined && !isReady}
        >
          {isReviewed ? words.action : words.review}
        </Button>
      </div>
    </form>
  );
}
