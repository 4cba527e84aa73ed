import { Button, Modal } from '@mantine/core';
import type { ReactNode } from 'react';

import { ErrorNote } from './ErrorNote';
import classes from './TypeToConfirm.module.css';

interface Props {
  text: ReactNode;
  action: string;
  keep: string;
  error: unknown;
  isPending: boolean;
  /** Nothing is lost by it. */
  isHarmless?: boolean;
  onAct: () => void;
  onClose: () => void;
}

/** Says what would follow, and does it when told to. */
export function Ask({ text, action, keep, error, isPending, isHarmless, onAct, onClose }: Props) {
  return (
    <div className={classes.form}>
      <p className={classes.dim}>{text}</p>
      {error != null && <ErrorNote error={error} />}
      <div className={classes.buttons}>
        <Button variant="default" onClick={onClose} data-autofocus>
          {keep}
        </Button>
        <Button color={isHarmless ? undefined : 'red'} loading={isPending} onClick={onAct}>
          {action}
        </Button>
      </div>
    </div>
  );
}

/** The same in a dialog of its own. */
export function AskDialog({ title, isOpen, ...rest }: Props & { title: string; isOpen: boolean }) {
  return (
    <Modal opened={isOpen} onClose={rest.onClose} title={<strong>{title}</strong>}>
      <Ask {...rest} />
    </Modal>
  );
}
