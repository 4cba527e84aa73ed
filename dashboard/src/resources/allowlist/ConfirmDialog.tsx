import { Alert, Button, Checkbox, Modal, Skeleton } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';

import { changeAllowlist, planAllowlist } from '../../api/allowlist';
import { keys } from '../../api/keys';
import type { AllowEntry, AllowlistPlan, ClusterView } from '../../api/types';
import { ErrorNote } from '../../ui/ErrorNote';
import classes from './allowlist.module.css';
import { messages } from './allowlist.messages';

/** A list that is only tried goes back after so long. */
const REVERT_AFTER_SECONDS = 120;

interface Props {
  cluster: ClusterView;
  generation: number;
  /** The list that is wanted; none: nothing is asked. */
  entries: AllowEntry[] | null;
  onClose: () => void;
}

/** Says whom another list would cut off, and applies it. */
export function ConfirmDialog({ cluster, entries, onClose, ...rest }: Props) {
  const title = <strong>{messages.confirmTitle(cluster.name)}</strong>;
  return (
    <Modal opened={entries !== null} onClose={onClose} title={title}>
      {entries && <Review cluster={cluster} entries={entries} onClose={onClose} {...rest} />}
    </Modal>
  );
}

function Review({
  cluster,
  generation,
  entries,
  onClose,
}: Props & { entries: AllowEntry[] }) {
  const client = useQueryClient();
  // The list of this moment: another one meanwhile is refused, not overwritten.
  const [seen] = useState(generation);
  const [isTried, setIsTried] = useState<boolean | null>(null);
  const plan = useQuery({
    queryKey: ['plan', 'allowlist', cluster.id, seen, entries],
    queryFn: () => planAllowlist(cluster.id, seen, { entries }),
    gcTime: 0,
    staleTime: 0,
    retry: false,
  });
  const isRisky = plan.data ? plan.data.removed.length > 0 || plan.data.excludes_caller : false;
  const goesBack = isTried ?? isRisky;
  const apply = useMutation({
    mutationFn: () =>
      changeAllowlist(cluster.id, seen, {
        entries,
        ...(goesBack && { revert_after_seconds: REVERT_AFTER_SECONDS }),
      }),
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: keys.allowlist(cluster.id) });
      onClose();
    },
  });
  const error = apply.error ?? plan.error;
  return (
    <div className={classes.form}>
      {plan.isPending && <Skeleton height={60} />}
      {plan.data && <Changes plan={plan.data} />}
      {plan.data && (
        <Checkbox
          label={messages.tryIt}
          checked={goesBack}
          onChange={(event) => setIsTried(event.currentTarget.checked)}
        />
      )}
      {error && <ErrorNote error={error} />}
      <div className={classes.formButtons}>
        <Button variant="default" onClick={onClose}>
          {messages.cancel}
        </Button>
        <Button disabled={!plan.data} loading={apply.isPending} onClick={() => apply.mutate()}>
          {messages.apply}
        </Button>
      </div>
    </div>
  );
}

function Changes({ plan }: { plan: AllowlistPlan }) {
  const cut = plan.cut.map((one) =>
    messages.cutOne(one.address, one.connections, one.nodes.join(', ')),
  );
  return (
    <>
      <Named title={messages.added} items={plan.added} />
      <Named title={messages.removed} items={plan.removed} />
      {cut.length === 0 ? (
        <p className={classes.dim}>{messages.cutNobody}</p>
      ) : (
        <Named title={messages.cut} items={cut} />
      )}
      {plan.unknown.length > 0 && (
        <p className={classes.dim}>{messages.unknown(plan.unknown.join(', '))}</p>
      )}
      {plan.excludes_caller && <Alert color="yellow">{messages.excludesCaller}</Alert>}
    </>
  );
}

function Named({ title, items }: { title: string; items: string[] }) {
  if (items.length === 0) return null;
  return (
    <div>
      <h3>{title}</h3>
      <ul>
        {items.map((item) => (
          <li key={item}>{item}</li>
        ))}
      </ul>
    </div>
  );
}
