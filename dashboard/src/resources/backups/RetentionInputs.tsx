import { NumberInput } from '@mantine/core';

import type { Retention } from '../../api/types';
import { messages } from './backups.messages';
import classes from './backups.module.css';
import { spans } from './schedule';

interface Props {
  keep: Required<Retention>;
  error: string | undefined;
  onChange: (keep: Required<Retention>) => void;
}

/** How many are kept of the last, and of each hour, day, week and month. */
export function RetentionInputs({ keep, error, onChange }: Props) {
  return (
    <fieldset className={classes.fieldset}>
      <legend className={classes.legend}>{messages.keeping}</legend>
      <p className={classes.dim}>{messages.keepingHelp}</p>
      <div className={classes.numbers}>
        {spans.map((span) => (
          <NumberInput
            key={span}
            label={messages.spans[span]}
            value={keep[span]}
            min={0}
            max={9_999}
            allowDecimal={false}
            onChange={(value) => onChange({ ...keep, [span]: Number(value) || 0 })}
          />
        ))}
      </div>
      {error && (
        <p className={classes.error} role="alert">
          {error}
        </p>
      )}
    </fieldset>
  );
}
