import { Button, Loader } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { Link, useRouter } from '@tanstack/react-router';
import { useEffect, useRef, useState } from 'react';

import { endSignIn, takeBegun } from '../../api/identity';
import { ledBack } from '../../api/landed';
import { keys } from '../../api/keys';
import { CopyText } from '../../ui/CopyText';
import { ErrorNote } from '../../ui/ErrorNote';
import { BellMark } from '../../ui/icons';
import { useTitle } from '../../ui/useTitle';
import classes from './session.module.css';
import { messages } from './session.messages';

const words = messages.providerReturn;

/** Where the identity provider leads back to: ends the sign-in that this tab has begun. */
export function ReturnPage() {
  useTitle(words.title);
  const { code, state, error } = ledBack;
  const router = useRouter();
  const client = useQueryClient();
  const isTaken = useRef(false);
  const [isForTerminal, setIsForTerminal] = useState(false);
  const end = useMutation({
    mutationFn: (begun: { binding: string; next: string }) =>
      endSignIn(begun.binding, code, state),
    onSuccess: (session, { next }) => {
      client.clear();
      client.setQueryData(keys.me, session.user);
      router.history.replace(next);
    },
  });
  const { mutate } = end;
  useEffect(() => {
    if (isTaken.current || error !== '') return;
    isTaken.current = true;
    const begun = takeBegun();
    if (begun) mutate(begun);
    else setIsForTerminal(true);
  }, [error, mutate]);
  const isOver = error !== '' || end.error !== null;
  return (
    <main className={classes.page}>
      <div className={classes.box}>
        <div className={classes.brand}>
          <BellMark size={44} />
          <h1>{words.title}</h1>
        </div>
        <div className={classes.card}>
          {error !== '' && <p role="alert">{words.refused(error)}</p>}
          {end.error && <ErrorNote error={end.error} />}
          {isForTerminal && (
            <>
              <p>{words.terminal}</p>
              <CopyText text={`${state}:${code}`} label={words.code} />
              <p>{words.warning}</p>
            </>
          )}
          {!isOver && !isForTerminal && <Loader mx="auto" aria-label={words.wait} />}
          {isOver && (
            <Button component={Link} to="/sign-in">
              {words.back}
            </Button>
          )}
        </div>
      </div>
    </main>
  );
}
