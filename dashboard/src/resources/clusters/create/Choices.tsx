import { type ReactNode, useId } from 'react';

import classes from './create.module.css';

export interface Choice {
  value: string;
  title: string;
  text?: string;
  picture?: ReactNode;
  /** Why it cannot be chosen. */
  reason?: string;
}

interface Props {
  label: string;
  name: string;
  choices: Choice[];
  value: string;
  error?: string | undefined;
  onChange: (value: string) => void;
}

/** One of a few, each explained. Plain radio buttons underneath: arrow keys work. */
export function Choices({ label, name, choices, value, error, onChange }: Props) {
  const id = useId();
  return (
    <fieldset
      style={{ margin: 0, padding: 0, border: 'none', minWidth: 0 }}
      aria-describedby={error ? id : undefined}
    >
      <legend className={classes.label}>{label}</legend>
      <div className={classes.choices}>
        {choices.map((choice) => (
          <label key={choice.value} className={classes.choice}>
            <input
              type="radio"
              name={name}
              value={choice.value}
              checked={choice.value === value}
              disabled={choice.reason !== undefined}
              onChange={() => onChange(choice.value)}
            />
            <span className={classes.choiceTitle}>{choice.title}</span>
            {choice.text && <span className={classes.choiceText}>{choice.text}</span>}
            {choice.picture && <span className={classes.choicePicture}>{choice.picture}</span>}
            {choice.reason && <span className={classes.choiceReason}>{choice.reason}</span>}
          </label>
        ))}
      </div>
      {error && (
        <p className={classes.error} id={id} role="alert">
          {error}
        </p>
      )}
    </fieldset>
  );
}
