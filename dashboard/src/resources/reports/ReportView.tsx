import { Skeleton } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';

import { reportQuery } from '../../api/queries';
import type { Loss, Report } from '../../api/types';
import { ErrorNote } from '../../ui/ErrorNote';
import { Facts } from '../../ui/Facts';
import { formatDuration, startSentence } from '../../ui/format';
import { StatusDot } from '../../ui/Status';
import type { Tone } from '../../ui/tones';
import { EvidenceTable } from './Evidence';
import { messages } from './reports.messages';
import classes from './reports.module.css';
import { Timeline } from './Timeline';

const lossTones: Record<Loss, Tone> = { nothing: 'ok', range: 'bad', not_known: 'warn' };

/** What a change of primary has seen, decided, taken and lost. */
export function ReportView({ id }: { id: string }) {
  const query = useQuery(reportQuery(id));
  if (query.isPending) return <Skeleton height={160} />;
  if (query.error && !query.data) {
    return <ErrorNote error={query.error} retry={() => void query.refetch()} />;
  }
  return query.data ? <Told report={query.data} /> : null;
}

function Told({ report }: { report: Report }) {
  const { decision, seen } = report;
  const isOver = report.status === 'succeeded';
  const why = decision.rule
    ? `${startSentence(decision.reason)} (${messages.rule(decision.rule)})`
    : `${startSentence(decision.reason)}, ${messages.by(decision.by)}`;
  const rows: [string, ReactNode][] = [];
  if (report.from) rows.push([messages.from, report.from]);
  if (report.to) rows.push([messages.to, report.to]);
  if (report.term > 0) rows.push([messages.term, String(report.term)]);
  if (seen.sentence) rows.push([messages.seen, startSentence(seen.sentence, report.from ?? '')]);
  rows.push([messages.decided, why]);
  if (decision.fence) rows.push([messages.fence, startSentence(decision.fence)]);
  if (decision.promised.length > 0) rows.push([messages.promised, decision.promised.join(', ')]);
  if (report.rescued) {
    const inTransactions = report.unit === 'transactions';
    const amount = inTransactions ? messages.transactions : messages.bytes;
    rows.push([messages.rescued, amount(report.rescued)]);
  }
  if (report.found_transactions != null) {
    rows.push([messages.found, String(report.found_transactions)]);
  }
  return (
    <div className={classes.report}>
      {isOver && (
        <div className={classes.figures}>
          <Waited report={report} />
          <div>
            <span className={classes.label}>{messages.lost}</span>
            <span className={classes.figure}>
              <StatusDot tone={lossTones[report.loss]} size={11} />
              {messages.lostWords[report.loss]}
            </span>
            <span className={classes.dim}>{startSentence(report.loss_sentence)}</span>
          </div>
        </div>
      )}
      {report.timeline.length > 0 && (
        <section>
          <h3>{messages.timeline}</h3>
          <Timeline phases={report.timeline} />
        </section>
      )}
      <Facts rows={rows} />
      {seen.evidence && (
        <section>
          <h3>{messages.evidence}</h3>
          <EvidenceTable evidence={seen.evidence} />
        </section>
      )}
    </div>
  );
}

function Waited({ report }: { report: Report }) {
  const { write_gap_ms: gap, measured_by: all } = report;
  return (
    <div>
      <span className={classes.label}>{messages.waited}</span>
      <span className={classes.figure}>
        {gap == null ? messages.notMeasured : formatDuration(gap)}
      </span>
      {all.length > 0 && (
        <span className={classes.dim}>
          {messages.measuredBy}{' '}
          {all.map((one) => messages.waitedAt(one.node_name, one.ms, one.slack_ms)).join('; ')}
        </span>
      )}
    </div>
  );
}
