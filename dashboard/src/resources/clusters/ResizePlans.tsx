import { Alert } from '@mantine/core';

import type { Plan } from '../../api/types';
import { formatDuration, startSentence } from '../../ui/format';
import classes from './clusters.module.css';
import { messages } from './clusters.messages';

const words = messages.resize;

/** What each node goes through, in their order. */
export function ResizePlans({ plans }: { plans: Plan[] }) {
  if (plans.length === 0) return <p className={classes.dim}>{words.nothing}</p>;
  const pause = plans.reduce((sum, plan) => sum + plan.write_pause_ms, 0);
  const refusals = plans.flatMap((plan) => plan.refusals);
  return (
    <div className={classes.form}>
      {refusals.map((refusal) => (
        <Alert key={refusal} color="yellow" role="alert">
          {startSentence(refusal)}
        </Alert>
      ))}
      <ol className={classes.plans} aria-label={words.plans}>
        {plans.map((plan) => (
          <li key={plan.summary}>{plan.summary}</li>
        ))}
      </ol>
      <p className={classes.dim}>
        {pause > 0 ? words.pause(formatDuration(pause)) : words.noPause}
      </p>
    </div>
  );
}
