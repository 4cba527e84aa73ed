import { Button, Modal } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';

import { providersQuery } from '../../api/queries';
import type { ClusterView, OperationKind } from '../../api/types';
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
  toSize,
} from './create/draft';
import { SizeInputs } from './create/SizeInputs';
import { ResizePlans } from './ResizePlans';
import { useEngine } from './useEngine';
import { useReviewedChange } from './useReviewedChange';

const words = messages.resize;

/** What gives a node its size. */
const KINDS: OperationKind[] = ['resize', 'replace_node'];

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

function useBounds(cluster: ClusterView) {
  const { spec } = cluster;
  const engine = useEngine(cluster);
  const provider = useQuery(providersQuery).data?.find((one) => one.name === spec.provider);
  return sizeBounds(engine, provider);
}

function Form({ cluster, onClose }: Omit<Props, 'isOpen'>) {
  const has = cluster.spec.size;
  const bounds = useBounds(cluster);
  const [size, setSize] = useState<SizeEntries>({
    cpus: has.cpus,
    memoryGib: has.memory / GIB,
    diskGib: has.disk / GIB,
  });
  const [errors, setErrors] = useState<FieldErrors>({});
  const [allowsWaiting, setAllowsWaiting] = useState(false);
  const form = useFirstWrong<HTMLFormElement>(errors);
  const change = { size: toSize(size), allow_waiting: allowsWaiting };
  const reviewed = useReviewedChange(cluster, change, KINDS, onClose);
  const { isReviewed, query, apply, plans, isReady, named } = reviewed;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const found = checkSize(size, bounds);
    setErrors(found);
    if (Object.keys(found).length > 0) return;
    if (isReady) apply.mutate();
    else reviewed.review();
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
          reviewed.restart();
        }}
      />
      {isReviewed && query.isPending && <PlanSkeleton />}
      {isReviewed && query.error && Object.keys(named).length === 0 && (
        <ErrorNote error={query.error} retry={() => void query.refetch()} />
      )}
      {isReviewed && query.data && <ResizePlans plans={plans} />}
      {isReviewed && (reviewed.isRefused || allowsWaiting) && (
        <AllowWaiting isAllowed={allowsWaiting} onChange={setAllowsWaiting} />
      )}
      {apply.error && <ErrorNote error={apply.error} />}
      <div className={classes.buttons}>
        <Button variant="default" onClick={onClose}>
          {words.cancel}
        </Button>
        <Button
          type="submit"
          loading={apply.isPending || (isReviewed && query.isFetching)}
          disabled={isReviewed && query.data !== undefined && !isReady}
        >
          {isReviewed ? words.action : words.review}
        </Button>
      </div>
    </form>
  );
}
