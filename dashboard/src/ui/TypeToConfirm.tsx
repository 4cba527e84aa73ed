import { Button, TextInput } from '@mantine/core';
import { type FormEvent, type ReactNode, useState } from 'react';

import { ErrorNote } from './ErrorNote';
import classes from './TypeToConfirm.module.css';
import { messages } from './ui.messages';

interface Props {
  /** What has to be typed. */
  word: string;
  label: string;
  action: string;
  keep: string;
  error: unknown;
  isPending: boolean;
  onConfirm: () => void;
  onClose: () => void;
  /** What would follow. */
  children: ReactNode;
}

/** Does what cannot be undone once a word was typed. */
export function TypeToConfirm({ word, children, ...rest }: Props) {
  const { label, action, keep, error, isPending, onConfirm, onClose } = rest;
  const [typed, setTyped] = useState('');
  const [isChecked, setIsChecked] = useState(false);
  const isMatching = typed.trim() === word;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setIsChecked(true);
    if (isMatching) onConfirm();
  };
  return (
    <form className={classes.form} onSubmit={submit} noValidate>
      {children}
      <TextInput
        label={label}
        value={typed}
        autoComplete="off"
        autoCapitalize="none"
        spellCheck={false}
        data-autofocus
        onChange={(event) => setTyped(event.currentTarget.value)}
        error={isChecked && !isMatching ? messages.mismatch(typed.trim() || '–') : undefined}
      />
      {error != null && <ErrorNote error={error} />}
      <div className={classes.buttons}>
        <Button variant="default" onClick={onClose}>
          {keep}
        </Button>
        <Button type="submit" color="red" disabled={!isMatching} loading={isPending}>
          {action}
        </Button>
      </div>
    </form>
  );
}
