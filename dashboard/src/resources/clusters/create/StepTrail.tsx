import classes from './create.module.css';
import { messages } from './create.messages';
import { stepNames, type StepName } from './draft';

interface Props {
  current: StepName;
  reached: number;
  isRestore: boolean;
  onGoTo: (step: StepName) => void;
}

/** A restore begins with a backup where a new cluster begins with an engine. */
export const stepTitle = (step: StepName, isRestore: boolean): string =>
  isRestore && step === 'engine' ? messages.restoreStep : messages.steps[step];

/** Where one is; steps that were reached can be gone to. */
export function StepTrail({ current, reached, isRestore, onGoTo }: Props) {
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
                <span>{`${index + 1}. ${stepTitle(step, isRestore)}`}</span>
              </button>
            </li>
          );
        })}
      </ol>
    </nav>
  );
}
