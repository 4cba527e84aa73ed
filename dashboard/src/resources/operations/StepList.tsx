import type { Step } from '../../api/types';
import { formatDuration, formatTicking } from '../../ui/format';
import { StatusDot } from '../../ui/Status';
import { useNow } from '../../ui/useNow';
import classes from './operations.module.css';
import { stepLooks } from './status';

/** The steps of an operation; the one that runs ticks. */
export function StepList({ steps, label }: { steps: Step[]; label: string }) {
  const isTicking = steps.some((step) => step.state === 'running');
  const now = useNow(1_000, isTicking);
  return (
    <ol className={classes.steps} aria-label={label}>
      {steps.map((step) => (
        <li
          key={step.name}
          className={classes.step}
          data-state={step.state}
          aria-current={step.state === 'running' ? 'step' : undefined}
        >
          <StatusDot tone={stepLooks[step.state].tone} size={11} />
          <span className={classes.stepTitle}>
            {step.title}
            <span className="bw-hidden">: {stepLooks[step.state].word}</span>
          </span>
          <span className={classes.stepTime}>{stepTime(step, now)}</span>
          {step.message && <span className={classes.stepMessage}>{step.message}</span>}
        </li>
      ))}
    </ol>
  );
}

export function stepTime(step: Step, now: number): string {
  if (!step.started_at) return '';
  const begun = Date.parse(step.started_at);
  if (step.ended_at) return formatDuration(Date.parse(step.ended_at) - begun);
  return step.state === 'running' ? formatTicking(now - begun) : '';
}
