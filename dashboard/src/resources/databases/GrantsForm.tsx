import { Button, NativeSelect, Textarea, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';

import { changeGrants, createDatabaseUser } from '../../api/databases';
import { keys } from '../../api/keys';
import type { ClusterView, DatabaseUserView, DatabaseView, Rights } from '../../api/types';
import { ErrorNote } from '../../ui/ErrorNote';
import classes from './databases.module.css';
import { messages, rights } from './databases.messages';
import { chosenOf, grantsOf } from './grants';

interface Props {
  cluster: ClusterView;
  databases: DatabaseView[];
  /** Whose rights are changed; without, a user is made. */
  user?: DatabaseUserView;
  onClose: () => void;
}

const choices = Object.entries(rights).map(([value, label]) => ({ value, label }));

/** Asks for a new user, or for other rights of one. */
export function GrantsForm({ cluster, databases, user, onClose }: Props) {
  const client = useQueryClient();
  const [name, setName] = useState('');
  const [chosen, setChosen] = useState(() => chosenOf(user?.grants ?? []));
  const save = useMutation({
    mutationFn: () => {
      const grants = grantsOf(chosen, databases);
      return user
        ? changeGrants(cluster.id, user.name, grants)
        : createDatabaseUser(cluster.id, name.trim(), grants);
    },
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: keys.databaseUsers(cluster.id) });
      onClose();
    },
  });
  return (
    <form
      className={classes.form}
      onSubmit={(event) => {
        event.preventDefault();
        save.mutate();
      }}
    >
      {!user && (
        <TextInput
          label={messages.name}
          description={messages.userHelp}
          value={name}
          required
          autoCapitalize="none"
          autoComplete="off"
          spellCheck={false}
          onChange={(event) => setName(event.currentTarget.value)}
        />
      )}
      {databases
        .filter((database) => database.state !== 'dropping')
        .map((database) => (
          <NativeSelect
            key={database.name}
            label={messages.rightsOn(database.name)}
            value={chosen.byDatabase[database.name] ?? ''}
            data={[{ value: '', label: messages.none }, ...choices]}
            onChange={(event) => {
              const value = event.currentTarget.value as Rights | '';
              setChosen({
                ...chosen,
                byDatabase: { ...chosen.byDatabase, [database.name]: value },
              });
            }}
          />
        ))}
      {databases.length === 0 && (
        <>
          <Textarea
            label={messages.patterns}
            description={messages.patternsHelp}
            value={chosen.patterns}
            autosize
            minRows={2}
            spellCheck={false}
            onChange={(event) => setChosen({ ...chosen, patterns: event.currentTarget.value })}
          />
          <NativeSelect
            label={messages.keyRights}
            value={chosen.keyRights}
            data={choices}
            onChange={(event) =>
              setChosen({ ...chosen, keyRights: event.currentTarget.value as Rights })
            }
          />
        </>
      )}
      {save.error && <ErrorNote error={save.error} />}
      <div className={classes.buttons}>
        <Button variant="default" onClick={onClose}>
          {messages.cancel}
        </Button>
        <Button type="submit" loading={save.isPending}>
          {user ? messages.save : messages.createUser}
        </Button>
      </div>
    </form>
  );
}
