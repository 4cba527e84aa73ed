import type { Operation } from '../../api/types';
import { formatTicking, startSentence } from '../../ui/format';
import { StatusDot } from '../../ui/Status';
import { useNow } from '../../ui/useNow';
import { messages as operationMessages } from '../operations/operations.messages';
import { isEnded, operationLooks, progressOf } from '../operations/status';
import { messages } from './backups.messages';
import classes from './backups.module.css';

/** How far an operation has come, in a line. */
export function Progress({ operation, title }: { operation: Operation; title?: string }) {
  const now = useNow(1_000, !isEnded(operation));
  const { at, of, title: step } = progressOf(operation);
  const running = operation.steps[at - 1];
  const begun = Date.parse(operation.started_at ?? operation.created_at);
  const words =
    operation.status === 'queued'
      ? startSentence(messages.waits)
      : operationMessages.stepOf(at, of, step);
  return (
    <div className={classes.progress}>
      <StatusDot tone={operationLooks[operation.status].tone} />
      <span className={classes.progressWords} role="status">
        {title && <strong>{title}. </strong>}
        {words}
        {running?.message && <span className={classes.dim}> {startSentence(running.message)}</span>}
      </span>
      <span className={classes.ago}>{formatTicking(now - begun)}</span>
      <progress
        className={classes.bar}
        value={at - 1}
        max={Math.max(1, of)}
        aria-label={title ?? words}
      />
    </div>
  );
}
