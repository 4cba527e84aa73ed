import { Button, Modal, NativeSelect, TextInput } from '@mantine/core';
import { useState } from 'react';

import type { AllowEntry } from '../../api/types';
import classes from './allowlist.module.css';
import { messages } from './allowlist.messages';

interface Props {
  /** What is offered first. */
  caller: string;
  isOpen: boolean;
  onAdd: (entry: AllowEntry) => void;
  onClose: () => void;
}

/** Asks for one more address. */
export function AddDialog({ isOpen, onClose, ...rest }: Props) {
  return (
    <Modal opened={isOpen} onClose={onClose} title={<strong>{messages.addTitle}</strong>}>
      <Form onClose={onClose} {...rest} />
    </Modal>
  );
}

function Form({ caller, onAdd, onClose }: Omit<Props, 'isOpen'>) {
  const [address, setAddress] = useState(caller);
  const [note, setNote] = useState('');
  const [lasting, setLasting] = useState('');
  return (
    <form
      className={classes.form}
      onSubmit={(event) => {
        event.preventDefault();
        const end = lasting && new Date(Date.now() + Number(lasting) * 1_000).toISOString();
        onAdd({ address: address.trim(), note: note.trim(), ...(end && { expires_at: end }) });
      }}
    >
      <TextInput
        label={messages.address}
        description={messages.addressHelp}
        value={address}
        required
        autoCapitalize="none"
        spellCheck={false}
        onChange={(event) => setAddress(event.currentTarget.value)}
      />
      <TextInput
        label={messages.note}
        description={messages.noteHelp}
        value={note}
        maxLength={200}
        onChange={(event) => setNote(event.currentTarget.value)}
      />
      <NativeSelect
        label={messages.lasting}
        value={lasting}
        data={Object.entries(messages.lastings).map(([value, label]) => ({ value, label }))}
        onChange={(event) => setLasting(event.currentTarget.value)}
      />
      <div className={classes.formButtons}>
        <Button variant="default" onClick={onClose}>
          {messages.cancel}
        </Button>
        <Button type="submit">{messages.review}</Button>
      </div>
    </form>
  );
}
