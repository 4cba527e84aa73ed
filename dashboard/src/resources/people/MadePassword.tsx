import { Button } from '@mantine/core';

import type { CreatedUser } from '../../api/types';
import { CopyText } from '../../ui/CopyText';
import classes from './people.module.css';
import { messages } from './people.messages';

/** A password that was made, this once. */
export function MadePassword({ made, onClose }: { made: CreatedUser; onClose: () => void }) {
  return (
    <div className={classes.form}>
      <p className={classes.name}>{messages.made(made.user.name)}</p>
      <p className={classes.dim}>{messages.password}</p>
      <CopyText text={made.password ?? ''} label={messages.password} />
      <div className={classes.formButtons}>
        <Button onClick={onClose}>{messages.done}</Button>
      </div>
    </div>
  );
}
