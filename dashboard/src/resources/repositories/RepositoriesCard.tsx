import { ActionIcon, Button, Menu, Skeleton } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';

import { asProblem } from '../../api/problem';
import { repositoriesQuery } from '../../api/queries';
import type { RepositoryView } from '../../api/types';
import { Card } from '../../ui/Card';
import { CopyText } from '../../ui/CopyText';
import { ErrorNote } from '../../ui/ErrorNote';
import { formatAgo, startSentence } from '../../ui/format';
import { DotsIcon } from '../../ui/icons';
import { useNow } from '../../ui/useNow';
import { isAtLeast, useAccess } from '../people/may';
import { ForgetDialog } from './ForgetDialog';
import { KeyDialog } from './KeyDialog';
import { RegisterDialog } from './RegisterDialog';
import classes from './repositories.module.css';
import { messages } from './repositories.messages';

/** Where backups are kept. */
export function RepositoriesCard() {
  const query = useQuery(repositoriesQuery);
  const isAdmin = isAtLeast(useAccess()?.everywhere, 'admin');
  const [isAdding, setIsAdding] = useState(false);
  const isForbidden = query.error != null && asProblem(query.error).code === 'forbidden';
  return (
    <Card
      title={messages.title}
      aside={
        isAdmin && (
          <Button size="xs" variant="default" onClick={() => setIsAdding(true)}>
            {messages.register}
          </Button>
        )
      }
    >
      <div className={classes.stack}>
        <p className={classes.dim}>{isForbidden ? messages.forbidden : messages.help}</p>
        {query.error && !query.data && !isForbidden && (
          <ErrorNote error={query.error} retry={() => void query.refetch()} />
        )}
        {query.isPending && <Skeleton height={40} />}
        {query.data?.length === 0 && <p className={classes.none}>{messages.none}</p>}
        {query.data && query.data.length > 0 && (
          <ul className={classes.list} aria-label={messages.title}>
            {query.data.map((repository) => (
              <Row key={repository.id} repository={repository} />
            ))}
          </ul>
        )}
      </div>
      <RegisterDialog isOpen={isAdding} onClose={() => setIsAdding(false)} />
    </Card>
  );
}

function Row({ repository }: { repository: RepositoryView }) {
  const now = useNow(15_000);
  const access = useAccess();
  const [asked, setAsked] = useState<'key' | 'forget' | null>(null);
  const close = () => setAsked(null);
  const { name, place, address, checked_at, checked_by, backups, public_key } = repository;
  const reached = checked_at
    ? messages.reached(formatAgo(Date.parse(checked_at), now), checked_by)
    : messages.unreached;
  return (
    <li>
      <div className={classes.words}>
        <span className={classes.name}>{name}</span>
        <p className={classes.address}>{address}</p>
        <p className={classes.dim}>
          {[messages.kinds[place.kind], messages.backups(backups)].join(' · ')}
        </p>
        <p className={checked_at ? classes.dim : classes.warn}>{startSentence(reached)}</p>
        {public_key && (
          <div className={classes.publicKey}>
            <p className={classes.dim}>{messages.publicKey}</p>
            <CopyText text={public_key} label={messages.publicKey} />
          </div>
        )}
      </div>
      {isAtLeast(access?.everywhere, 'admin') && (
        <Menu position="bottom-end">
          <Menu.Target>
            <ActionIcon size={30} aria-label={messages.actions(name)}>
              <DotsIcon />
            </ActionIcon>
          </Menu.Target>
          <Menu.Dropdown>
            {isAtLeast(access?.everywhere, 'owner') && (
              <Menu.Item onClick={() => setAsked('key')}>{messages.exportKey}</Menu.Item>
            )}
            <Menu.Item color="red" onClick={() => setAsked('forget')}>
              {messages.forget}
            </Menu.Item>
          </Menu.Dropdown>
        </Menu>
      )}
      <KeyDialog name={name} isOpen={asked === 'key'} onClose={close} />
      <ForgetDialog repository={repository} isOpen={asked === 'forget'} onClose={close} />
    </li>
  );
}
