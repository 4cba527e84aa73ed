import { PasswordInput, Textarea, TextInput } from '@mantine/core';
import type { ChangeEvent } from 'react';

import type { DraftErrors, RepositoryDraft } from './draft';
import classes from './repositories.module.css';
import { messages } from './repositories.messages';

interface Props {
  draft: RepositoryDraft;
  errors: DraftErrors;
  onChange: (change: Partial<RepositoryDraft>) => void;
}

type Field = Exclude<keyof RepositoryDraft, 'kind' | 'isKnown'>;

/** Where it is and what opens it, by its kind. */
export function PlaceFields({ draft, errors, onChange }: Props) {
  const field = (name: Field) => ({
    value: draft[name],
    error: errors[name],
    autoComplete: 'off',
    autoCapitalize: 'none',
    spellCheck: false,
    onChange: (event: ChangeEvent<HTMLInputElement | HTMLTextAreaElement>) =>
      onChange({ [name]: event.currentTarget.value }),
  });
  if (draft.kind === 's3') {
    return (
      <>
        <TextInput label={messages.endpoint} {...field('endpoint')} />
        <TextInput label={messages.bucket} {...field('bucket')} />
        <div className={classes.two}>
          <TextInput label={messages.prefix} description={messages.optional} {...field('prefix')} />
          <TextInput label={messages.region} description={messages.optional} {...field('region')} />
        </div>
        <TextInput label={messages.accessKey} {...field('accessKey')} />
        <PasswordInput label={messages.accessSecret} {...field('secret')} />
      </>
    );
  }
  return (
    <>
      <div className={classes.address3}>
        <TextInput label={messages.user} {...field('user')} />
        <TextInput label={messages.host} {...field('host')} />
        <TextInput label={messages.port} inputMode="numeric" {...field('port')} />
      </div>
      <TextInput label={messages.path} placeholder="/srv/backups" {...field('path')} />
      <Textarea
        label={messages.hostKey}
        description={messages.hostKeyHelp}
        placeholder="ssh-ed25519 AAAA…"
        autosize
        minRows={2}
        {...field('hostKey')}
      />
      <Textarea
        label={messages.sshSecret}
        description={messages.sshSecretHelp}
        placeholder="-----BEGIN OPENSSH PRIVATE KEY-----"
        autosize
        minRows={3}
        maxRows={8}
        {...field('secret')}
      />
    </>
  );
}
