import { Button, Modal, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';

import { keys } from '../../api/keys';
import { createUser } from '../../api/people';
import type { Role } from '../../api/types';
import { ErrorNote } from '../../ui/ErrorNote';
import { MadePassword } from './MadePassword';
import classes from './people.module.css';
import { messages } from './people.messages';
import { RoleSelect } from './RoleSelect';

interface Props {
  isOpen: boolean;
  onClose: () => void;
}

/** Lets somebody use the server; the password that is made is shown once. */
export function AddUserDialog({ isOpen, onClose }: Props) {
  return (
    <Modal opened={isOpen} onClose={onClose} title={<strong>{messages.addUserTitle}</strong>}>
      <Form onClose={onClose} />
    </Modal>
  );
}

function Form({ onClose }: { onClose: () => void }) {
  const client = useQueryClient();
  const [name, setName] = useState('');
  const [role, setRole] = useState<Role | null>(null);
  const create = useMutation({
    mutationFn: () => createUser(name.trim(), { everywhere: role }),
    onSuccess: () => client.invalidateQueries({ queryKey: keys.users }),
  });
  if (create.data) return <MadePassword made={create.data} onClose={onClose} />;
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
        description={messages.nameHelp}
        value={name}
        required
        autoCapitalize="none"
        autoComplete="off"
        spellCheck={false}
        onChange={(event) => setName(event.currentTarget.value)}
      />
      <RoleSelect
        label={messages.role}
        description={messages.roleHelp}
        none={messages.nowhere}
        value={role}
        onChange={setRole}
      />
      {create.error && <ErrorNote error={create.error} />}
      <div className={classes.formButtons}>
        <Button variant="default" onClick={onClose}>
          {messages.cancel}
        </Button>
        <Button type="submit" loading={create.isPending}>
          {messages.create}
        </Button>
      </div>
    </form>
  );
}
