import { Modal } from '@mantine/core';
import type { ReactNode } from 'react';

import type { ClusterView, NewOperation } from '../../api/types';
import { ErrorNote } from '../../ui/ErrorNote';
import { TypeToConfirm } from '../../ui/TypeToConfirm';
import { PlanSkeleton } from '../plans/PlanSkeleton';
import { PlanView } from '../plans/PlanView';
import { usePlannedOperation } from '../plans/usePlannedOperation';
import { messages } from './backups.messages';

interface Props {
  cluster: ClusterView;
  request: NewOperation;
  title: string;
  action: string;
  /** What else has to be decided. */
  choices?: ReactNode;
  isOpen: boolean;
  onClose: () => void;
}

/** Says what is replaced on which node, and does it when the cluster's name was typed. */
export function ReplaceDialog(props: Props) {
  const { isOpen, onClose, title } = props;
  return (
    <Modal opened={isOpen} onClose={onClose} title={<strong>{title}</strong>}>
      <Body {...props} />
    </Modal>
  );
}

function Body({ cluster, request, action, choices, onClose }: Props) {
  const { plan, start } = usePlannedOperation(cluster, request, onClose, cluster.name);
  return (
    <TypeToConfirm
      word={cluster.name}
      label={messages.removeConfirm(cluster.name)}
      action={action}
      keep={messages.cancel}
      error={start.error}
      isPending={start.isPending}
      onConfirm={() => start.mutate()}
      onClose={onClose}
    >
      {choices}
      {plan.isPending && <PlanSkeleton />}
      {plan.error && <ErrorNote error={plan.error} retry={() => void plan.refetch()} />}
      {plan.data && <PlanView plan={plan.data} />}
    </TypeToConfirm>
  );
}
