import classes from './create.module.css';
import { messages } from './create.messages';
import { stepNames, type StepName } from './draft';

interface Props {
  current: StepName;
  reached: number;
  onGoTo: (step: StepName) => void;
}

/** Where one is; steps that were reached can be gone to. */
export function StepTrail({ current, reached, onGoTo }: Props) {
  const at = stepNames.indexOf(current);
  return (
    <nav aria-label={messages.stepsLabel}>
      <ol className={classes.steps}>
        {stepNames.map((step, index) => {
          const isReached = index <= reached && index !== at;
          return (
            <li key={step}>
              <button
                type="button"
                className={classes.step}
                data-state={isReached ? 'done' : 'ahead'}
                disabled={!isReached}
                aria-current={index === at ? 'step' : undefined}
                onClick={() => onGoTo(step)}
              >
                <span>{`${index + 1}. ${messages.steps[step]}`}</span>
              </button>
            </li>
          );
        })}
      </ol>
    </nav>
  );
}
