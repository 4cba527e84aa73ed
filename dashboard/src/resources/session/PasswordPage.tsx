import { Button, PasswordInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { type ChangeEvent, type FormEvent, useState } from 'react';

import { keys } from '../../api/keys';
import { asProblem } from '../../api/problem';
import { changePassword } from '../../api/session';
import { Empty } from '../../ui/Empty';
import { ErrorNote } from '../../ui/ErrorNote';
import { StatusDot } from '../../ui/Status';
import { useTitle } from '../../ui/useTitle';
import { checkPassword, type PasswordDraft, type PasswordErrors } from './password';
import classes from './session.module.css';
import { messages } from './session.messages';

const words = messages.password;
const empty: PasswordDraft = { current: '', next: '', again: '' };
/** The server's names of the fields. */
const fieldNames: Record<string, keyof PasswordDraft> = { current: 'current', new: 'next' };

export function PasswordPage() {
  useTitle(words.title);
  const [draft, setDraft] = useState(empty);
  const [errors, setErrors] = useState<PasswordErrors>({});
  const client = useQueryClient();
  const change = useMutation({
    mutationFn: () => changePassword(draft.current, draft.next),
    onSuccess: () => client.invalidateQueries({ queryKey: keys.me }),
    onError: (error) => {
      const named = asProblem(error).fields.flatMap(({ field, message }) => {
        const name = fieldNames[field];
        return name ? [[name, message] as const] : [];
      });
      setErrors(Object.fromEntries(named));
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const found = checkPassword(draft);
    setErrors(found);
    if (Object.keys(found).length === 0) change.mutate();
  };
  const field = (name: keyof PasswordDraft) => ({
    value: draft[name],
    error: errors[name],
    onChange: (event: ChangeEvent<HTMLInputElement>) =>
      setDraft({ ...draft, [name]: event.currentTarget.value }),
  });

  if (change.isSuccess) {
    return (
      <Empty
        picture={<StatusDot tone="ok" size={22} />}
        title={words.done}
        text={words.text}
        action={
          <Button component={Link} to="/clusters">
            {words.back}
          </Button>
        }
      />
    );
  }
  return (
    <div className={classes.narrow}>
      <h1 className={classes.title}>{words.title}</h1>
      <p className={classes.lead}>{words.text}</p>
      <form className={classes.card} onSubmit={submit} noValidate>
        {change.error && <ErrorNote error={change.error} />}
        <PasswordInput
          label={words.current}
          autoComplete="current-password"
          {...field('current')}
        />
        <PasswordInput
          label={words.next}
          description={words.nextHelp}
          autoComplete="new-password"
          {...field('next')}
        />
        <PasswordInput label={words.again} autoComplete="new-password" {...field('again')} />
        <Button type="submit" mt={4} style={{ justifySelf: 'start' }} loading={change.isPending}>
          {words.action}
        </Button>
      </form>
    </div>
  );
}
