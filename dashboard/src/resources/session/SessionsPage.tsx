import { Button, NativeSelect, Skeleton, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';

import { keys } from '../../api/keys';
import { createToken, deleteToken, endSession } from '../../api/people';
import { meQuery, projectsQuery, sessionsQuery, tokensQuery } from '../../api/queries';
import type { Role, SessionView, TokenView } from '../../api/types';
import { AskDialog } from '../../ui/Ask';
import { Card } from '../../ui/Card';
import { CopyText } from '../../ui/CopyText';
import { ErrorNote } from '../../ui/ErrorNote';
import { formatAgo, formatMoment } from '../../ui/format';
import { PageHead } from '../../ui/PageHead';
import { useNow } from '../../ui/useNow';
import { useTitle } from '../../ui/useTitle';
import classes from '../people/people.module.css';
import { messages as roleMessages } from '../people/people.messages';
import { RoleSelect } from '../people/RoleSelect';
import { programWords } from './program';
import { SecondFactorCard } from './SecondFactorCard';
import { messages } from './session.messages';

const words = messages.sessions;

/** Where one is signed in, and the tokens of one's programs. */
export function SessionsPage() {
  useTitle(words.title);
  const sessions = useQuery(sessionsQuery);
  const tokens = useQuery(tokensQuery);
  const me = useQuery(meQuery).data;
  const error = sessions.error ?? tokens.error;
  return (
    <>
      <PageHead title={words.title} />
      {error && <ErrorNote error={error} />}
      <div className={classes.stack}>
        <Card title={words.sessions}>
          {sessions.isPending && <Skeleton height={40} />}
          <ul className={classes.list} aria-label={words.sessions}>
            {inOrder(sessions.data ?? []).map((session) => <SessionRow key={session.id} session={session} />)}
          </ul>
        </Card>
        {!me?.by_provider && <SecondFactorCard />}
        <Card title={words.tokens}>
          {tokens.isPending && <Skeleton height={40} />}
          {tokens.data?.length === 0 && <p className={classes.dim}>{words.noTokens}</p>}
          <ul className={classes.list} aria-label={words.tokens}>
            {tokens.data?.map((token) => <TokenRow key={token.id} token={token} />)}
          </ul>
          <NewToken />
        </Card>
      </div>
    </>
  );
}

/** This one first, then those that were used last. */
const inOrder = (sessions: SessionView[]): SessionView[] => {
  const used = (one: SessionView) => one.last_used_at ?? one.created_at;
  return sessions.toSorted(
    (a, b) => Number(b.current) - Number(a.current) || used(b).localeCompare(used(a)),
  );
};

function SessionRow({ session }: { session: SessionView }) {
  const now = useNow(15_000);
  const client = useQueryClient();
  const end = useMutation({
    mutationFn: () => endSession(session.id),
    onSettled: () => client.invalidateQueries({ queryKey: keys.sessions }),
  });
  const used = Date.parse(session.last_used_at ?? session.created_at);
  return (
    <li>
      <span className={classes.who}>
        <span className={classes.name}>{words.from(session.source)}</span>
        {session.current && ` (${words.current})`}
        <p className={classes.dim} title={session.program}>
          {[words.used(formatAgo(used, now)), programWords(session.program ?? '')]
            .filter(Boolean)
            .join(' · ')}
        </p>
        {end.error && <ErrorNote error={end.error} />}
      </span>
      {!session.current && (
        <Button
          size="xs"
          variant="default"
          aria-label={words.endLabel(session.source)}
          loading={end.isPending}
          onClick={() => end.mutate()}
        >
          {words.end}
        </Button>
      )}
    </li>
  );
}

function TokenRow({ token }: { token: TokenView }) {
  const client = useQueryClient();
  const remove = useMutation({
    mutationFn: () => deleteToken(token.id),
    onSuccess: () => client.invalidateQueries({ queryKey: keys.tokens }),
  });
  const [isAsked, setIsAsked] = useState(false);
  const now = useNow(15_000);
  const scope = token.scope;
  const about = [
    scope?.role ? roleMessages.roles[scope.role] : words.asYou,
    scope?.project ? words.inProject(scope.project) : '',
    token.expires_at ? words.until(formatMoment(token.expires_at)) : words.forGood,
    token.last_used_at ? words.used(formatAgo(Date.parse(token.last_used_at), now)) : words.unused,
  ];
  return (
    <li>
      <span className={classes.who}>
        <span className={classes.name}>{token.name}</span>
        <p className={classes.dim}>{about.filter(Boolean).join(' · ')}</p>
      </span>
      <Button
        size="xs"
        variant="default"
        aria-label={words.removeToken(token.name)}
        onClick={() => setIsAsked(true)}
      >
        {words.remove}
      </Button>
      <AskDialog
        title={words.removeTitle(token.name)}
        text={words.removeText}
        action={words.removeConfirm}
        keep={words.keep}
        error={remove.error}
        isPending={remove.isPending}
        isOpen={isAsked}
        onAct={() => remove.mutate()}
        onClose={() => setIsAsked(false)}
      />
    </li>
  );
}

function NewToken() {
  const client = useQueryClient();
  const projects = useQuery(projectsQuery).data ?? [];
  const [name, setName] = useState('');
  const [days, setDays] = useState('90');
  const [role, setRole] = useState<Role | null>(null);
  const [project, setProject] = useState('');
  const create = useMutation({
    mutationFn: () =>
      createToken(name.trim(), days ? Number(days) : null, { role, project: project || null }),
    onSuccess: () => {
      setName('');
      return client.invalidateQueries({ queryKey: keys.tokens });
    },
  });
  return (
    <form
      className={classes.members}
      onSubmit={(event) => {
        event.preventDefault();
        create.mutate();
      }}
    >
      {create.error && <ErrorNote error={create.error} />}
      {create.data && (
        <>
          <p className={classes.dim}>{words.shownOnce}</p>
          <CopyText text={create.data.secret} label={words.secret} />
        </>
      )}
      <span className={classes.tools}>
        <TextInput
          size="xs"
          aria-label={words.tokenName}
          placeholder={words.tokenName}
          value={name}
          required
          maxLength={100}
          onChange={(event) => setName(event.currentTarget.value)}
        />
        <NativeSelect
          size="xs"
          aria-label={words.lasting}
          value={days}
          data={Object.entries(words.lastings).map(([value, label]) => ({ value, label }))}
          onChange={(event) => setDays(event.currentTarget.value)}
        />
        <RoleSelect
          label={words.tokenRole}
          isLabelHidden
          none={words.asYou}
          value={role}
          onChange={setRole}
        />
        <NativeSelect
          size="xs"
          aria-label={words.tokenProject}
          value={project}
          data={[
            { value: '', label: words.everyProject },
            ...projects.map((one) => ({ value: one.name, label: one.name })),
          ]}
          onChange={(event) => setProject(event.currentTarget.value)}
        />
        <Button type="submit" size="xs" variant="default" loading={create.isPending}>
          {words.createToken}
        </Button>
      </span>
    </form>
  );
}
