import { Button, NativeSelect, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';

import { keys } from '../../api/keys';
import { createToken, deleteToken, endSession } from '../../api/people';
import { projectsQuery, sessionsQuery, tokensQuery } from '../../api/queries';
import type { Role, SessionView, TokenView } from '../../api/types';
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
import { SecondFactorCard } from './SecondFactorCard';
import { messages } from './session.messages';

const words = messages.sessions;

/** Where one is signed in, and the tokens of one's programs. */
export function SessionsPage() {
  useTitle(words.title);
  const sessions = useQuery(sessionsQuery);
  const tokens = useQuery(tokensQuery);
  const error = sessions.error ?? tokens.error;
  return (
    <>
      <PageHead title={words.title} />
      {error && <ErrorNote error={error} />}
      <div className={classes.stack}>
        <Card title={words.sessions}>
          <ul className={classes.list} aria-label={words.sessions}>
            {sessions.data?.map((session) => <SessionRow key={session.id} session={session} />)}
          </ul>
        </Card>
        <SecondFactorCard />
        <Card title={words.tokens}>
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
        <p className={classes.dim}>
          {[formatAgo(used, now), session.program].filter(Boolean).join(' · ')}
        </p>
        {end.error && <ErrorNote error={end.error} />}
      </span>
      {!session.current && (
        <Button size="xs" variant="default" loading={end.isPending} onClick={() => end.mutate()}>
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
    onSettled: () => client.invalidateQueries({ queryKey: keys.tokens }),
  });
  const scope = token.scope;
  const about = [
    scope?.role ? roleMessages.roles[scope.role] : words.asYou,
    scope?.project ? words.inProject(scope.project) : '',
    token.expires_at ? words.until(formatMoment(token.expires_at)) : words.forGood,
  ];
  return (
    <li>
      <span className={classes.who}>
        <span className={classes.name}>{token.name}</span>
        <p className={classes.dim}>{about.filter(Boolean).join(' · ')}</p>
        {remove.error && <ErrorNote error={remove.error} />}
      </span>
      <Button
        size="xs"
        variant="default"
        aria-label={words.removeToken(token.name)}
        loading={remove.isPending}
        onClick={() => remove.mutate()}
      >
        {words.remove}
      </Button>
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
