import { Button, Modal } from '@mantine/core';
import type { ReactNode } from 'react';

import type { ClusterView, NewOperation } from '../../api/types';
import { ErrorNote } from '../../ui/ErrorNote';
import { PlanSkeleton } from '../plans/PlanSkeleton';
import { PlanView } from '../plans/PlanView';
import { usePlannedOperation } from '../plans/usePlannedOperation';
import classes from './nodes.module.css';
import { messages } from './nodes.messages';

interface Props {
  cluster: ClusterView;
  request: NewOperation;
  title: string;
  action: string;
  isDangerous?: boolean;
  /** Something has to be said first. */
  isIncomplete?: boolean;
  /** What else has to be decided, above the buttons. */
  choices?: ReactNode;
  isOpen: boolean;
  onClose: () => void;
}

/** Says what would happen, as the server plans it, and starts it when told to. */
export function ConfirmOperation(props: Props) {
  const { isOpen, onClose, title } = props;
  return (
    <Modal opened={isOpen} onClose={onClose} title={<strong>{title}</strong>}>
      <Body {...props} />
    </Modal>
  );
}

function Body({
  cluster,
  request,
  action,
  isDangerous,
  isIncomplete,
  choices,
  onClose,
}: Props) {
  const { plan, start } = usePlannedOperation(cluster, request, onClose);
  const isRefused = plan.data !== undefined && plan.data.refusals.length > 0;
  return (
    <>
      {plan.isPending && <PlanSkeleton />}
      {plan.error && <ErrorNote error={plan.error} retry={() => void plan.refetch()} />}
      {plan.data && <PlanView plan={plan.data} />}
      {choices}
      {start.error && (
        <div style={{ marginTop: 14 }}>
          <ErrorNote error={start.error} />
        </div>
      )}
      <div className={classes.buttons}>
        <Button variant="default" onClick={onClose} data-autofocus={isDangerous || undefined}>
          {messages.cancel}
        </Button>
        <Button
          color={isDangerous ? 'red' : undefined}
          disabled={!plan.data || plan.isPlaceholderData || isRefused || isIncomplete}
          loading={start.isPending}
          onClick={() => start.mutate()}
          data-autofocus={isDangerous ? undefined : true}
        >
          {action}
        </Button>
      </div>
    </>
  );
}
