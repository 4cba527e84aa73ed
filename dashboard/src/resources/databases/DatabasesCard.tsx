import { ActionIcon, Button, Modal, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';

import { createDatabase, dropDatabase } from '../../api/databases';
import { keys } from '../../api/keys';
import type { ClusterView, DatabaseView } from '../../api/types';
import { Card } from '../../ui/Card';
import { ErrorNote } from '../../ui/ErrorNote';
import { formatMoment, startSentence } from '../../ui/format';
import { TrashIcon } from '../../ui/icons';
import { Status } from '../../ui/Status';
import { TypeToConfirm } from '../../ui/TypeToConfirm';
import { useMay } from '../people/may';
import classes from './databases.module.css';
import { messages, states } from './databases.messages';

interface Props {
  cluster: ClusterView;
  databases: DatabaseView[];
}

/** The databases, the one that was made with the cluster first. */
export function DatabasesCard({ cluster, databases }: Props) {
  const [isAdding, setIsAdding] = useState(false);
  const [dropped, setDropped] = useState<string | null>(null);
  const may = useMay(cluster);
  return (
    <Card
      title={messages.databases}
      aside={
        may.operate && (
          <Button size="xs" variant="default" onClick={() => setIsAdding(true)}>
            {messages.addDatabase}
          </Button>
        )
      }
    >
      <ul className={classes.list} aria-label={messages.databases}>
        {databases.map((database) => (
          <li key={database.name}>
            <span>
              <span className={classes.name}>{database.name}</span>
              <p className={classes.dim}>
                {database.created_at
                  ? messages.madeAt(formatMoment(database.created_at))
                  : messages.isFirst}
              </p>
              {database.reason && <p className={classes.dim}>{startSentence(database.reason)}</p>}
            </span>
            <span className={classes.tools}>
              <Status look={states[database.state]} />
              {may.administer && !database.is_first && database.state !== 'dropping' && (
                <ActionIcon
                  size={32}
                  color="red"
                  variant="subtle"
                  aria-label={messages.dropDatabase(database.name)}
                  onClick={() => setDropped(database.name)}
                >
                  <TrashIcon />
                </ActionIcon>
              )}
            </span>
          </li>
        ))}
      </ul>
      <Modal
        opened={isAdding}
        onClose={() => setIsAdding(false)}
        title={<strong>{messages.addDatabaseTitle}</strong>}
      >
        <AddForm cluster={cluster} onClose={() => setIsAdding(false)} />
      </Modal>
      <Modal
        opened={dropped !== null}
        onClose={() => setDropped(null)}
        title={<strong>{messages.dropDatabaseTitle(dropped ?? '')}</strong>}
      >
        {dropped !== null && (
          <DropForm cluster={cluster} name={dropped} onClose={() => setDropped(null)} />
        )}
      </Modal>
    </Card>
  );
}

function AddForm({ cluster, onClose }: { cluster: ClusterView; onClose: () => void }) {
  const client = useQueryClient();
  const [name, setName] = useState('');
  const create = useMutation({
    mutationFn: () => createDatabase(cluster.id, name.trim()),
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: keys.databases(cluster.id) });
      onClose();
    },
  });
  return (
    <form
      className={classes.form}
      onSubmit={(event) => {
        event.preventDefault();
        create.mutate();
      }}
    >
      <TextInput
        label={messages.name}
        description={messages.databaseHelp}
        value={name}
        required
        autoCapitalize="none"
        autoComplete="off"
        spellCheck={false}
        onChange={(event) => setName(event.currentTarget.value)}
      />
      {create.error && <ErrorNote error={create.error} />}
      <div className={classes.buttons}>
        <Button variant="default" onClick={onClose}>
          {messages.cancel}
        </Button>
        <Button type="submit" loading={create.isPending}>
          {messages.createDatabase}
        </Button>
      </div>
    </form>
  );
}

interface DropProps {
  cluster: ClusterView;
  name: string;
  onClose: () => void;
}

function DropForm({ cluster, name, onClose }: DropProps) {
  const client = useQueryClient();
  const drop = useMutation({
    mutationFn: () => dropDatabase(cluster.id, name),
    onSuccess: async () => {
      const all = [keys.databases(cluster.id), keys.databaseUsers(cluster.id)];
      await Promise.all(all.map((queryKey) => client.invalidateQueries({ queryKey })));
      onClose();
    },
  });
  return (
    <TypeToConfirm
      word={name}
      label={messages.dropDatabaseLabel(name)}
      action={messages.dropDatabaseAction}
      keep={messages.cancel}
      error={drop.error}
      isPending={drop.isPending}
      onConfirm={() => drop.mutate()}
      onClose={onClose}
    >
      <p className={classes.dim}>{messages.dropDatabaseText}</p>
    </TypeToConfirm>
  );
}
