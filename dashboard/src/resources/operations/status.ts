import type { Operation, OperationKind, OperationStatus, StepState } from '../../api/types';
import type { StatusLook } from '../../ui/tones';

export const operationLooks: Record<OperationStatus, StatusLook> = {
  scheduled: { tone: 'idle', word: 'For later' },
  queued: { tone: 'idle', word: 'Queued' },
  running: { tone: 'busy', word: 'Running' },
  succeeded: { tone: 'ok', word: 'Succeeded' },
  failed: { tone: 'bad', word: 'Failed' },
  cancelled: { tone: 'warn', word: 'Cancelled' },
};

export const stepLooks: Record<StepState, StatusLook> = {
  pending: { tone: 'idle', word: 'To do' },
  running: { tone: 'busy', word: 'Running' },
  done: { tone: 'ok', word: 'Done' },
  failed: { tone: 'bad', word: 'Failed' },
  skipped: { tone: 'idle', word: 'Skipped' },
};

const titles: Record<OperationKind, string> = {
  create_cluster: 'Create cluster',
  add_node: 'Add node',
  remove_node: 'Remove node',
  replace_node: 'Replace',
  drain: 'Drain',
  undrain: 'Return to service',
  reboot: 'Reboot',
  resize: 'Change the size of',
  reshard: 'Move slots',
  switchover: 'Promote',
  failover: 'Failover',
  rejoin: 'Rejoin',
  resync: 'Resync',
  reconfigure: 'Change settings',
  drill: 'Drill',
  backup: 'Backup',
  prove: 'Verify backup',
  restore: 'Restore over',
  undo_restore: 'Undo restore',
  keep_restored: 'Keep restored data',
  delete_cluster: 'Delete cluster',
};

/** `Promote demo-2`: what it does and to which node. */
export function operationTitle(operation: Pick<Operation, 'kind' | 'node_name'>): string {
  const { kind, node_name } = operation;
  if (!node_name) return titles[kind];
  return kind === 'failover' ? `${titles[kind]} to ${node_name}` : `${titles[kind]} ${node_name}`;
}

/** Whether it leaves a report. */
export const isChangeOfPrimary = (operation: Pick<Operation, 'kind'>): boolean =>
  operation.kind === 'failover' || operation.kind === 'switchover';

export const isEnded = (operation: Pick<Operation, 'status'>): boolean =>
  operation.status !== 'queued' &&
  operation.status !== 'running' &&
  operation.status !== 'scheduled';

/** The step that runs or comes next, counted from 1, and how many there are. */
export function progressOf(operation: Operation): { at: number; of: number; title: string } {
  const index = operation.steps.findIndex(
    (step) => step.state === 'running' || step.state === 'pending',
  );
  const at = index === -1 ? operation.steps.length : index + 1;
  return { at, of: operation.steps.length, title: operation.steps[at - 1]?.title ?? '' };
}
