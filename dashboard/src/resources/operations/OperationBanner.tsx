import { ActionIcon } from '@mantine/core';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useEffect } from 'react';

import { keys } from '../../api/keys';
import { changedQuery, operationQuery, watchedQuery } from '../../api/queries';
import type { ClusterView, Operation } from '../../api/types';
import { formatDuration, formatTicking } from '../../ui/format';
import { CrossIcon } from '../../ui/icons';
import { StatusDot } from '../../ui/Status';
import { useNow } from '../../ui/useNow';
import { AllowLossNote } from './AllowLossNote';
import classes from './OperationBanner.module.css';
import { messages } from './operations.messages';
import { changeWords } from './report';
import { isChangeOfPrimary, isEnded, operationLooks, operationTitle, progressOf } from './status';

/**
 * What moves the cluster now and, afterwards, how it went, until it is dismissed. A change of
 * primary stays while the former primary comes back: it has a report.
 */
export function OperationBanner({ cluster }: { cluster: ClusterView }) {
  const client = useQueryClient();
  const { data: watched } = useQuery(watchedQuery(cluster.id));
  const { data: changed } = useQuery(changedQuery(cluster.id));
  const current = cluster.operation;
  useEffect(() => {
    if (current) client.setQueryData(keys.watched(cluster.id), current);
  }, [client, cluster.id, current]);
  const operation = useOperation(cluster, watched);
  const change = useOperation(cluster, changed);
  useEffect(() => {
    if (operation && isChangeOfPrimary(operation)) {
      client.setQueryData(keys.changed(cluster.id), operation.id);
    }
  }, [client, cluster.id, operation]);
  const dismiss = ({ id }: Operation) => {
    for (const key of [keys.watched(cluster.id), keys.changed(cluster.id)]) {
      if (client.getQueryData(key) === id) client.setQueryData(key, null);
    }
  };
  return (
    <>
      {change && change.id !== watched && isEnded(change) && (
        <Banner operation={change} onDismiss={() => dismiss(change)} />
      )}
      {operation && <Banner operation={operation} onDismiss={() => dismiss(operation)} />}
      {operation && <AllowLossNote cluster={cluster} operation={operation} />}
    </>
  );
}

function useOperation(cluster: ClusterView, id: string | null): Operation | undefined {
  const { data } = useQuery({ ...operationQuery(id ?? ''), enabled: id !== null });
  return id !== null && data?.cluster === cluster.id ? data : undefined;
}

function Banner({ operation, onDismiss }: { operation: Operation; onDismiss: () => void }) {
  const isOver = isEnded(operation);
  const now = useNow(1_000, !isOver);
  const { at, of, title } = progressOf(operation);
  const begun = Date.parse(operation.started_at ?? operation.created_at);
  const ended = operation.ended_at ? Date.parse(operation.ended_at) : now;
  const words = isOver
    ? operation.message
    : [messages.stepOf(at, of, title), ...changeWords(operation)].join(' · ');
  const hasReport = isOver && isChangeOfPrimary(operation);
  return (
    <section
      className={classes.banner}
      data-status={operation.status}
      aria-label={operationTitle(operation)}
    >
      <StatusDot tone={operationLooks[operation.status].tone} size={11} />
      <div className={classes.words} role="status">
        <span className={classes.title}>
          {operationTitle(operation)}
          {isOver && `: ${operationLooks[operation.status].word.toLowerCase()}`}
        </span>
        <span className={classes.step}>{words}</span>
      </div>
      <span className={classes.step}>
        {isOver ? formatDuration(ended - begun) : formatTicking(now - begun)}
      </span>
      <Link
        to="/clusters/$name"
        params={{ name: operation.cluster_name }}
        search={{ tab: 'activity', operation: operation.id }}
      >
        {hasReport ? messages.seeReport : messages.watch}
      </Link>
      {isOver && (
        <ActionIcon size={26} aria-label={messages.dismiss} onClick={onDismiss}>
          <CrossIcon size={14} />
        </ActionIcon>
      )}
      {!isOver && (
        <div className={classes.track} aria-hidden="true">
          <div className={classes.fill} style={{ width: `${((at - 1) / of) * 100}%` }} />
        </div>
      )}
    </section>
  );
}
