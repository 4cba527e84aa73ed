import { useQuery } from '@tanstack/react-query';

import { operationQuery } from '../../api/queries';
import { StatusDot } from '../../ui/Status';
import { isEnded, operationLooks, operationTitle, progressOf } from '../operations/status';
import classes from './clusters.module.css';
import { messages } from './clusters.messages';

/** The operation that moves a cluster, in a few words. */
export function OperationNow({ id }: { id: string }) {
  const { data: operation } = useQuery(operationQuery(id));
  if (!operation || isEnded(operation)) return null;
  const { at, of } = progressOf(operation);
  return (
    <span className={classes.now}>
      <StatusDot tone={operationLooks[operation.status].tone} />
      {operationTitle(operation)}, {messages.page.underWay(at, of)}
    </span>
  );
}
