import { Button, PasswordInput, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, type ReactNode, useState } from 'react';

import { keys } from '../../api/keys';
import { meQuery } from '../../api/queries';
import { beginSecondFactor, confirmSecondFactor, endSecondFactor } from '../../api/session';
import { Card } from '../../ui/Card';
import { CopyText } from '../../ui/CopyText';
import { ErrorNote } from '../../ui/ErrorNote';
import classes from '../people/people.module.css';
import { messages } from './session.messages';

const words = messages.secondFactor;

/** Codes of an application beside the password: begun, confirmed, ended. */
export function SecondFactorCard() {
  const isOn = useQuery(meQuery).data?.second_factor ?? false;
  const [asked, setAsked] = useState<'begin' | 'end' | null>(null);
  const close = () => setAsked(null);
  return (
    <Card title={words.title}>
      <div className={`${classes.form} ${classes.narrow}`}>
        <p className={classes.dim}>{isOn ? words.on : words.off}</p>
        {asked === 'begin' && <Begin onClose={close} />}
        {asked === 'end' && <End onClose={close} />}
        {asked === null && (
          <div>
            <Button
              size="xs"
              variant="default"
              onClick={() => setAsked(isOn ? 'end' : 'begin')}
            >
              {isOn ? words.end : words.begin}
            </Button>
          </div>
        )}
      </div>
    </Card>
  );
}

interface CloseProps {
  onClose: () => void;
}

function Begin({ onClose }: CloseProps) {
  const client = useQueryClient();
  const [code, setCode] = useState('');
  const begin = useMutation({ mutationFn: beginSecondFactor });
  const confirm = useMutation({ mutationFn: () => confirmSecondFactor(code.trim()) });
  if (confirm.data) {
    return (
      <div className={classes.form}>
        <p>{words.keep}</p>
        <CopyText text={confirm.data.codes.join('\n')} label={words.codes} />
        <div className={classes.formButtons}>
          <Button
            onClick={() => {
              void client.invalidateQueries({ queryKey: keys.me });
              onClose();
            }}
          >
            {words.done}
          </Button>
        </div>
      </div>
    );
  }
  if (!begin.data) {
    return (
      <AskPassword
        action={words.next}
        error={begin.error}
        isPending={begin.isPending}
        onGiven={(password) => begin.mutate(password)}
        onClose={onClose}
      />
    );
  }
  const { secret, qr } = begin.data;
  const margin = 4;
  const side = qr.size + 2 * margin;
  return (
    <Form error={confirm.error} onSubmit={() => confirm.mutate()}>
      <p>{words.scan}</p>
      <svg
        viewBox={`${-margin} ${-margin} ${side} ${side}`}
        width={200}
        height={200}
        role="img"
        aria-label={words.picture}
        shapeRendering="crispEdges"
      >
        <rect x={-margin} y={-margin} width={side} height={side} fill="#fff" />
        <path d={qr.path} fill="#000" />
      </svg>
      <CopyText text={secret} label={words.secret} />
      <TextInput
        label={words.code}
        value={code}
        required
        inputMode="numeric"
        autoComplete="one-time-code"
        onChange={(event) => setCode(event.currentTarget.value)}
      />
      <Buttons action={words.confirm} isPending={confirm.isPending} onClose={onClose} />
    </Form>
  );
}

function End({ onClose }: CloseProps) {
  const client = useQueryClient();
  const end = useMutation({
    mutationFn: endSecondFactor,
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: keys.me });
      onClose();
    },
  });
  return (
    <AskPassword
      action={words.endConfirm}
      error={end.error}
      isPending={end.isPending}
      onGiven={(password) => end.mutate(password)}
      onClose={onClose}
    />
  );
}

interface AskProps extends CloseProps {
  action: string;
  error: unknown;
  isPending: boolean;
  onGiven: (password: string) => void;
}

function AskPassword({ action, error, isPending, onGiven, onClose }: AskProps) {
  const [password, setPassword] = useState('');
  return (
    <Form error={error} onSubmit={() => onGiven(password)}>
      <PasswordInput
        label={words.password}
        value={password}
        required
        autoComplete="current-password"
        onChange={(event) => setPassword(event.currentTarget.value)}
      />
      <Buttons action={action} isPending={isPending} onClose={onClose} />
    </Form>
  );
}

interface FormProps {
  error: unknown;
  onSubmit: () => void;
  children: ReactNode;
}

function Form({ error, onSubmit, children }: FormProps) {
  return (
    <form
      className={classes.form}
      onSubmit={(event: FormEvent) => {
        event.preventDefault();
        onSubmit();
      }}
    >
      {error != null && <ErrorNote error={error} />}
      {children}
    </form>
  );
}

function Buttons({ action, isPending, onClose }: CloseProps & { action: string; isPending: boolean }) {
  return (
    <div className={classes.formButtons}>
      <Button variant="default" onClick={onClose}>
        {words.cancel}
      </Button>
      <Button type="submit" loading={isPending}>
        {action}
      </Button>
    </div>
  );
}
