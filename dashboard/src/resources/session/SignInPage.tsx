import { Button, PasswordInput, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { getRouteApi, useRouter } from '@tanstack/react-router';
import { type FormEvent, useState } from 'react';

import { leaveToSignIn } from '../../api/identity';
import { keys } from '../../api/keys';
import { asProblem } from '../../api/problem';
import { identityProviderQuery } from '../../api/queries';
import { signIn } from '../../api/session';
import { ErrorNote } from '../../ui/ErrorNote';
import { BellMark } from '../../ui/icons';
import { useTitle } from '../../ui/useTitle';
import classes from './session.module.css';
import { messages } from './session.messages';

const route = getRouteApi('/sign-in');
const words = messages.signIn;

export function SignInPage() {
  useTitle(words.title);
  const [user, setUser] = useState('');
  const [password, setPassword] = useState('');
  const [code, setCode] = useState('');
  const [isChecked, setIsChecked] = useState(false);
  const { next } = route.useSearch();
  const router = useRouter();
  const client = useQueryClient();
  const enter = useMutation({
    mutationFn: () => signIn(user.trim(), password, code.trim()),
    onSuccess: (session) => {
      client.clear();
      client.setQueryData(keys.me, session.user);
      router.history.push(next ?? '/clusters');
    },
  });
  const provider = useQuery(identityProviderQuery).data?.title;
  const leave = useMutation({ mutationFn: () => leaveToSignIn(next ?? '/clusters') });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setIsChecked(true);
    if (user.trim() !== '' && password !== '') enter.mutate();
  };
  const refusal = enter.error && asProblem(enter.error);
  // Once it was asked for it stays, also when the code was wrong.
  const [isCodeNeeded, setIsCodeNeeded] = useState(false);
  if (refusal?.code === 'second-factor-needed' && !isCodeNeeded) setIsCodeNeeded(true);
  return (
    <main className={classes.page}>
      <div className={classes.box}>
        <div className={classes.brand}>
          <BellMark size={44} />
          <h1>{words.title}</h1>
          <p>{words.text}</p>
        </div>
        <form className={classes.card} onSubmit={submit} noValidate>
          {refusal && <ErrorNote error={refusal} />}
          <TextInput
            label={words.user}
            name="user"
            autoComplete="username"
            autoCapitalize="none"
            spellCheck={false}
            autoFocus
            value={user}
            onChange={(event) => setUser(event.currentTarget.value)}
            error={isChecked && user.trim() === '' ? words.userNeeded : undefined}
          />
          <PasswordInput
            label={words.password}
            name="password"
            autoComplete="current-password"
            value={password}
            onChange={(event) => setPassword(event.currentTarget.value)}
            error={isChecked && password === '' ? words.passwordNeeded : undefined}
          />
          {isCodeNeeded && (
            <TextInput
              label={words.code}
              description={words.codeHelp}
              name="code"
              autoComplete="one-time-code"
              inputMode="numeric"
              autoFocus
              value={code}
              onChange={(event) => setCode(event.currentTarget.value)}
            />
          )}
          <Button type="submit" mt={4} loading={enter.isPending}>
            {words.action}
          </Button>
          {provider && (
            <>
              {leave.error && <ErrorNote error={leave.error} />}
              <Button
                variant="default"
                // The provider's page comes next: what is pressed twice is begun once.
                loading={leave.isPending || leave.isSuccess}
                onClick={() => leave.mutate()}
              >
                {words.through(provider)}
              </Button>
            </>
          )}
        </form>
        <p className={classes.foot}>{words.first}</p>
      </div>
    </main>
  );
}
