import type { ReactNode } from 'react';

import type { Plan } from '../../api/types';
import { Facts } from '../../ui/Facts';
import { startSentence } from '../../ui/format';
import classes from './PlanView.module.css';
import { messages } from './plans.messages';

/** What an operation would do, as the server plans it. */
export function PlanView({ plan, hideSummary }: { plan: Plan; hideSummary?: boolean }) {
  const touchesWrites = plan.kind !== 'create_cluster' && plan.kind !== 'delete_cluster';
  const isReplacing = plan.kind === 'restore' || plan.kind === 'undo_restore';
  const facts: (readonly [string, ReactNode])[] = [];
  if (touchesWrites) {
    const { write_pause_ms: pause, pauses } = plan;
    const waits = plan.kind === 'drill' ? messages.writesWait : messages.writesPause;
    facts.push([messages.writes, pause > 0 ? waits(pause) : messages.writesGoOn]);
    if (pause > 0 && pauses) facts.push([messages.before, messages.pausesBefore(pauses)]);
    facts.push([messages.copies, messages.copiesMin(plan.redundancy_min)]);
  }
  if (plan.bytes_copied > 0) {
    facts.push([messages.copied, messages.copiedBytes(plan.bytes_copied)]);
  }
  const { changes = [], restarts = [] } = plan;
  if (changes.length > 0) {
    facts.push([
      messages.restarts,
      restarts.length > 0 ? messages.restartsOf(restarts) : messages.restartsNone,
    ]);
  }
  return (
    <div className={classes.plan}>
      {!hideSummary && <p className={classes.summary}>{plan.summary}</p>}
      {plan.refusals.length > 0 && (
        <div className={classes.refusals} role="alert">
          <h3 className={classes.heading}>{messages.refused}</h3>
          <Lines lines={plan.refusals} />
        </div>
      )}
      {changes.length > 0 && (
        <div>
          <h3 className={classes.heading}>{messages.changes}</h3>
          <ul className={classes.changes}>
            {changes.map((change) => (
              <li key={change.name}>
                <code>{change.name}</code>
                <span>
                  <del>{change.from}</del> → <ins>{change.to}</ins>
                </span>
                {change.restart && <span className={classes.note}>{messages.restart}</span>}
              </li>
            ))}
          </ul>
        </div>
      )}
      {facts.length > 0 && <Facts rows={facts} />}
      {plan.erases.length > 0 && (
        <div className={classes.erases}>
          <h3 className={classes.heading}>
            {isReplacing ? messages.replaces : messages.erases}
          </h3>
          <Lines lines={plan.erases} />
        </div>
      )}
      <div>
        <h3 className={classes.heading}>{messages.steps}</h3>
        <ol className={classes.steps}>
          {plan.steps.map((step) => (
            <li key={step.name}>{step.title}</li>
          ))}
        </ol>
      </div>
    </div>
  );
}

function Lines({ lines }: { lines: string[] }) {
  return (
    <ul className={classes.list}>
      {lines.map((line) => (
        <li key={line}>{startSentence(line)}</li>
      ))}
    </ul>
  );
}
