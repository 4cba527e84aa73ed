import { Link } from '@tanstack/react-router';
import { type ReactNode, useId, useState } from 'react';

import type { Operation } from '../../api/types';
import { Facts } from '../../ui/Facts';
import {
  formatAgo,
  formatDuration,
  formatMoment,
  formatTicking,
  startSentence,
} from '../../ui/format';
import { ChevronRightIcon } from '../../ui/icons';
import { Status } from '../../ui/Status';
import { useNow } from '../../ui/useNow';
import { ReportView } from '../reports/ReportView';
import classes from './operations.module.css';
import { messages } from './operations.messages';
import { reportRows } from './report';
import { StepList } from './StepList';
import { TakeBack } from './TakeBack';
import { isChangeOfPrimary, isEnded, operationLooks, operationTitle } from './status';

interface Props {
  operation: Operation;
  isOpenAtFirst: boolean;
  showCluster: boolean;
}

/** One line for an operation; its steps, times and report when opened. */
export function OperationItem({ operation, isOpenAtFirst, showCluster }: Props) {
  const [isOpen, setIsOpen] = useState(isOpenAtFirst);
  const id = useId();
  const isRunning = !isEnded(operation);
  const now = useNow(isRunning ? 1_000 : 15_000);
  const title = operationTitle(operation);
  return (
    <li className={classes.item}>
      <button
        type="button"
        className={classes.head}
        aria-expanded={isOpen}
        aria-controls={id}
        onClick={() => setIsOpen(!isOpen)}
      >
        <ChevronRightIcon className={classes.chevron} size={14} />
        <span className={classes.title}>
          <span className={classes.name}>
            {title}
            {showCluster && ` · ${operation.cluster_name}`}
          </span>
          <Status look={operationLooks[operation.status]} />
        </span>
        <span className={classes.time}>{timeWords(operation, now)}</span>
        <span className={classes.why}>
          {startSentence(operation.message || operation.reason, operation.cluster_name)}
        </span>
      </button>
      {isOpen && (
        <div className={classes.detail} id={id}>
          <section className={classes.part}>
            <h3>{messages.steps}</h3>
            <StepList steps={operation.steps} label={messages.steps} />
          </section>
          <Details operation={operation} showCluster={showCluster} />
          {operation.status === 'scheduled' && <TakeBack operation={operation} />}
        </div>
      )}
    </li>
  );
}

function Details({ operation, showCluster }: { operation: Operation; showCluster: boolean }) {
  const hasReport = isChangeOfPrimary(operation) && operation.started_at != null;
  const report = hasReport ? [] : reportRows(operation.state);
  const why = operation.rule
    ? `${startSentence(operation.reason)} (${messages.rule(operation.rule)})`
    : `${startSentence(operation.reason)} ${messages.startedBy(operation.started_by)}`;
  const rows: [string, ReactNode][] = [[messages.why, why]];
  if (showCluster) {
    rows.push([
      messages.cluster,
      <Link key="cluster" to="/clusters/$name" params={{ name: operation.cluster_name }}>
        {operation.cluster_name}
      </Link>,
    ]);
  }
  rows.push([messages.started, formatMoment(operation.started_at ?? operation.created_at)]);
  const took = tookMs(operation);
  if (took !== null) rows.push([messages.took, formatDuration(took)]);
  if (operation.message) {
    rows.push([messages.result, startSentence(operation.message, operation.cluster_name)]);
  }
  return (
    <div className={classes.details}>
      <Facts rows={rows} />
      {hasReport && (
        <section className={classes.part}>
          <h3>{messages.report}</h3>
          <ReportView id={operation.id} />
        </section>
      )}
      {report.length > 0 && (
        <section className={classes.part}>
          <h3>{messages.report}</h3>
          <Facts rows={report} />
        </section>
      )}
    </div>
  );
}

function tookMs(operation: Operation): number | null {
  if (!operation.ended_at) return null;
  return Date.parse(operation.ended_at) - Date.parse(operation.started_at ?? operation.created_at);
}

function timeWords(operation: Operation, now: number): string {
  if (operation.status === 'scheduled') return formatMoment(operation.due_at ?? '');
  if (operation.status === 'queued') return messages.waiting;
  const took = tookMs(operation);
  if (took === null) {
    const begun = Date.parse(operation.started_at ?? operation.created_at);
    return messages.running(formatTicking(now - begun));
  }
  return `${formatDuration(took)} · ${formatAgo(Date.parse(operation.ended_at ?? ''), now)}`;
}
