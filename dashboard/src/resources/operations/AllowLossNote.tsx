import { Button } from '@mantine/core';
import { useState } from 'react';

import type { ClusterView, Operation } from '../../api/types';
import { useNow } from '../../ui/useNow';
import { ConfirmOperation } from '../nodes/ConfirmOperation';
import { useMay } from '../people/may';
import classes from './OperationBanner.module.css';
import { messages } from './operations.messages';

/** A failover that takes longer waits for somebody. */
const PATIENCE_MS = 3_000;

interface Props {
  cluster: ClusterView;
  operation: Operation;
}

/** Where more would be lost than automation may lose: what it waits for, and a person's choice. */
export function AllowLossNote({ cluster, operation }: Props) {
  const [isAsked, setIsAsked] = useState(false);
  const now = useNow(1_000, true);
  const step = operation.steps.find((step) => step.state === 'running');
  const waits = step?.name === 'rescue_tail' && isOlder(step.started_at, now);
  const isAllowed = cluster.operations.some(({ kind, allowed }) => kind === 'failover' && allowed);
  const may = useMay(cluster);
  if (!isAsked && !(waits && isAllowed && may.operate)) return null;
  return (
    <section className={classes.banner} data-status="failed" aria-label={messages.allowLoss}>
      <div className={classes.words} role="status">
        <span className={classes.step}>{step?.message}</span>
      </div>
      <Button color="red" size="xs" onClick={() => setIsAsked(true)}>
        {messages.allowLoss}
      </Button>
      <ConfirmOperation
        cluster={cluster}
        request={{ kind: 'failover', allow_loss: true }}
        title={messages.allowLossTitle(cluster.name)}
        action={messages.allowLoss}
        isDangerous
        isOpen={isAsked}
        onClose={() => setIsAsked(false)}
      />
    </section>
  );
}

function isOlder(since: string | null | undefined, now: number) {
  return since != null && now - Date.parse(since) > PATIENCE_MS;
}
