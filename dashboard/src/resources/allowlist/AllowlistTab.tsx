import { ActionIcon, Alert, Button, Skeleton } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';

import { decideAllowlist } from '../../api/allowlist';
import { keys } from '../../api/keys';
import { allowlistQuery } from '../../api/queries';
import type { AllowEntry, AllowlistView, ClusterView } from '../../api/types';
import { Card } from '../../ui/Card';
import { ErrorNote } from '../../ui/ErrorNote';
import { formatAgo, formatDuration, formatMoment } from '../../ui/format';
import { TrashIcon } from '../../ui/icons';
import { useNow } from '../../ui/useNow';
import { useMay } from '../people/may';
import { AddDialog } from './AddDialog';
import classes from './allowlist.module.css';
import { messages } from './allowlist.messages';
import { ConfirmDialog } from './ConfirmDialog';

/** Who may reach the cluster, who does, and who was turned away. */
export function AllowlistTab({ cluster }: { cluster: ClusterView }) {
  const query = useQuery(allowlistQuery(cluster.id, cluster.generation));
  const list = query.data;
  if (query.error && !list) {
    return <ErrorNote error={query.error} retry={() => void query.refetch()} />;
  }
  if (!list) return <Skeleton height={140} />;
  return (
    <div className={classes.stack}>
      {list.revert_at && <Trial cluster={cluster} revertAt={list.revert_at} />}
      <ListCard cluster={cluster} list={list} />
      <div className={classes.pair}>
        <Clients list={list} />
        <Blocked list={list} />
      </div>
    </div>
  );
}

/** Whole seconds, so that the last one counts. */
const whole = (ms: number) => Math.ceil(ms / 1_000) * 1_000;

/** A list that goes away by itself, and the two ways to decide. */
function Trial({ cluster, revertAt }: { cluster: ClusterView; revertAt: string }) {
  const now = useNow(1_000);
  const client = useQueryClient();
  const decide = useMutation({
    mutationFn: (keep: boolean) => decideAllowlist(cluster.id, keep),
    onSettled: () => client.invalidateQueries({ queryKey: keys.allowlist(cluster.id) }),
  });
  const may = useMay(cluster);
  const left = Date.parse(revertAt) - now;
  return (
    <Alert color="yellow" role="status">
      <div className={classes.trial}>
        <span>{left > 0 ? messages.tried(formatDuration(whole(left))) : messages.isBack}</span>
        {may.operate && (
          <span className={classes.buttons}>
            <Button size="xs" loading={decide.isPending} onClick={() => decide.mutate(true)}>
              {messages.keep}
            </Button>
            <Button
              size="xs"
              variant="default"
              disabled={decide.isPending}
              onClick={() => decide.mutate(false)}
            >
              {messages.goBack}
            </Button>
          </span>
        )}
      </div>
      {decide.error && <ErrorNote error={decide.error} />}
    </Alert>
  );
}

function ListCard({ cluster, list }: { cluster: ClusterView; list: AllowlistView }) {
  const [isAdding, setIsAdding] = useState(false);
  const [wanted, setWanted] = useState<AllowEntry[] | null>(null);
  const may = useMay(cluster);
  const isMineMissing = !list.open && !list.entries.some((entry) => entry.address === list.caller);
  const add = (entry: AllowEntry) => {
    setIsAdding(false);
    setWanted([...list.entries.filter((one) => one.address !== entry.address), entry]);
  };
  return (
    <Card
      title={messages.title}
      aside={
        may.operate && (
          <span className={classes.buttons}>
            {isMineMissing && (
              <Button size="xs" variant="default" onClick={() => add({ address: list.caller })}>
                {messages.addMine}
              </Button>
            )}
            <Button size="xs" variant="default" onClick={() => setIsAdding(true)}>
              {messages.add}
            </Button>
          </span>
        )
      }
    >
      {list.open && <p className={classes.dim}>{messages.open}</p>}
      {!list.open && list.entries.length === 0 && <p className={classes.dim}>{messages.nobody}</p>}
      <ul className={classes.list} aria-label={messages.title}>
        {list.entries.map((entry) => (
          <li key={entry.address}>
            <span>
              <span className={classes.address}>{entry.address}</span>
              <p className={classes.dim}>{about(entry)}</p>
            </span>
            {may.operate && (
              <ActionIcon
                size={32}
                color="red"
                variant="subtle"
                aria-label={messages.remove(entry.address)}
                onClick={() => setWanted(list.entries.filter((one) => one !== entry))}
              >
                <TrashIcon />
              </ActionIcon>
            )}
          </li>
        ))}
      </ul>
      {list.awaited.length > 0 && (
        <p className={classes.dim}>{messages.awaited(list.awaited.join(', '))}</p>
      )}
      <AddDialog
        caller={list.open ? list.caller : ''}
        isOpen={isAdding}
        onAdd={add}
        onClose={() => setIsAdding(false)}
      />
      <ConfirmDialog
        cluster={cluster}
        generation={list.generation}
        entries={wanted}
        onClose={() => setWanted(null)}
      />
    </Card>
  );
}

function about(entry: AllowEntry): string {
  const until = entry.expires_at
    ? `${messages.until.toLowerCase()} ${formatMoment(entry.expires_at)}`
    : messages.forGood;
  const hint = entry.address === messages.server ? messages.serverHint : '';
  return [hint, entry.note ?? '', until].filter((words) => words !== '').join(' · ');
}

function Clients({ list }: { list: AllowlistView }) {
  return (
    <Card title={messages.clients}>
      {list.clients.length === 0 && <p className={classes.dim}>{messages.noClients}</p>}
      <ul className={classes.list} aria-label={messages.clients}>
        {list.clients.map((client) => (
          <li key={client.address}>
            <span className={classes.address}>{client.address}</span>
            <span className={classes.dim}>{messages.connections(client.connections)}</span>
          </li>
        ))}
      </ul>
    </Card>
  );
}

function Blocked({ list }: { list: AllowlistView }) {
  const now = useNow(15_000);
  return (
    <Card title={messages.blocked}>
      <p className={classes.dim}>
        {list.blocked === 0 ? messages.blockedNone : messages.blockedCount(list.blocked)}
      </p>
      <ul className={classes.list} aria-label={messages.blocked}>
        {list.blocked_sources.map((source) => (
          <li key={source.address}>
            <span className={classes.address}>{source.address}</span>
            <span className={classes.dim}>
              {messages.attempts(source.attempts)}, {formatAgo(Date.parse(source.last_at), now)}
            </span>
          </li>
        ))}
      </ul>
    </Card>
  );
}
