import { Button, Skeleton } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';

import {
  cancelAuthorityRotation,
  endAuthorityRotation,
  rotateAuthority,
} from '../../api/authority';
import { keys } from '../../api/keys';
import { authorityQuery } from '../../api/queries';
import type { AuthorityState, AuthorityView } from '../../api/types';
import { AskDialog } from '../../ui/Ask';
import { Card } from '../../ui/Card';
import { ErrorNote } from '../../ui/ErrorNote';
import { GuardedButton } from '../../ui/GuardedButton';
import { DownloadIcon } from '../../ui/icons';
import { PageHead } from '../../ui/PageHead';
import { saveText } from '../../ui/saveText';
import { Status } from '../../ui/Status';
import type { Tone } from '../../ui/tones';
import table from '../../ui/table.module.css';
import { useTitle } from '../../ui/useTitle';
import { isAtLeast, useAccess } from '../people/may';
import classes from './authority.module.css';
import { messages } from './authority.messages';

const tones: Record<AuthorityState, Tone> = {
  settled: 'ok',
  introducing: 'busy',
  introduced: 'warn',
  replacing: 'busy',
};

/** Who signs certificates, and how another authority takes its place. */
export function AuthorityPage() {
  useTitle(messages.title);
  const query = useQuery(authorityQuery);
  const { data } = query;
  return (
    <>
      <PageHead
        title={messages.title}
        sub={messages.lead}
        status={
          data && <Status look={{ tone: tones[data.state], word: messages.states[data.state] }} />
        }
        actions={data && <Rotation authority={data} />}
      />
      {query.error && <ErrorNote error={query.error} retry={() => void query.refetch()} />}
      {query.isPending && <Skeleton height={120} />}
      {data && (
        <div className={classes.stack}>
          <p className={classes.message} role="status">
            {data.message}
          </p>
          <Trusted authority={data} />
          {data.waiting.length > 0 && <Waiting authority={data} />}
        </div>
      )}
    </>
  );
}

type Asked = 'rotate' | 'end';

function Rotation({ authority }: { authority: AuthorityView }) {
  const [asked, setAsked] = useState<Asked>();
  const isOwner = isAtLeast(useAccess()?.everywhere, 'owner');
  const client = useQueryClient();
  const change = useMutation({
    mutationFn: (act: () => Promise<AuthorityView>) => act(),
    onSuccess: async (view) => {
      setAsked(undefined);
      client.setQueryData(keys.authority, view);
      await client.invalidateQueries({ queryKey: keys.anyConnection });
    },
  });
  const { state } = authority;
  const ask = (what: Asked) => {
    change.reset();
    setAsked(what);
  };
  const dialog = (what: Asked, act: () => Promise<AuthorityView>) => ({
    isOpen: asked === what,
    keep: messages.keep,
    error: change.error,
    isPending: change.isPending,
    onAct: () => change.mutate(act),
    onClose: () => setAsked(undefined),
  });
  const because = (reason: string) => (isOwner ? reason : messages.notAllowed);
  return (
    <>
      {state === 'settled' && (
        <GuardedButton size="sm" reason={because('')} onPress={() => ask('rotate')}>
          {messages.rotate}
        </GuardedButton>
      )}
      {(state === 'introducing' || state === 'introduced') && (
        <>
          <GuardedButton
            size="sm"
            reason={because('')}
            loading={change.isPending && asked === undefined}
            onPress={() => change.mutate(cancelAuthorityRotation)}
          >
            {messages.cancel}
          </GuardedButton>
          <GuardedButton
            size="sm"
            variant="filled"
            reason={because(state === 'introduced' ? '' : messages.notYet)}
            onPress={() => ask('end')}
          >
            {messages.end}
          </GuardedButton>
        </>
      )}
      {change.error && asked === undefined && <ErrorNote error={change.error} />}
      <AskDialog
        title={messages.rotateTitle}
        text={messages.rotateText}
        action={messages.rotateAction}
        isHarmless
        {...dialog('rotate', rotateAuthority)}
      />
      <AskDialog
        title={messages.endTitle}
        text={messages.endText}
        action={messages.endAction}
        {...dialog('end', endAuthorityRotation)}
      />
    </>
  );
}

function Trusted({ authority }: { authority: AuthorityView }) {
  const { columns } = messages;
  return (
    <Card
      flush
      title={messages.trusted}
      aside={
        <Button
          size="xs"
          variant="default"
          leftSection={<DownloadIcon size={13} />}
          onClick={() => saveText('ca.pem', authority.ca_certificate)}
        >
          {messages.download}
        </Button>
      }
    >
      <table className={table.table}>
        <thead>
          <tr>
            <th scope="col">{columns.role}</th>
            <th scope="col">{columns.fingerprint}</th>
          </tr>
        </thead>
        <tbody>
          {authority.authorities.map(({ role, fingerprint }) => (
            <tr key={role} className={table.row}>
              <td data-label={columns.role}>{messages.roles[role]}</td>
              <td data-label={columns.fingerprint} data-wide className={classes.fingerprint}>
                {fingerprint}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Card>
  );
}

function Waiting({ authority }: { authority: AuthorityView }) {
  const columns = messages.waitingColumns;
  return (
    <Card flush title={messages.waiting}>
      <table className={table.table}>
        <thead>
          <tr>
            {Object.values(columns).map((column) => (
              <th key={column} scope="col">
                {column}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {authority.waiting.map(({ cluster, node, reason }) => (
            <tr key={`${cluster}/${node}`} className={table.row}>
              <td data-label={columns.cluster}>{cluster}</td>
              <td data-label={columns.node}>{node}</td>
              <td data-label={columns.reason} data-wide>
                {reason}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Card>
  );
}
