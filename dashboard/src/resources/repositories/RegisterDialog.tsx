import { Button, Checkbox, Modal, PasswordInput, Radio, Stack, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';

import { createRepository } from '../../api/backups';
import { keys } from '../../api/keys';
import { asProblem, Problem } from '../../api/problem';
import type { RepositoryView } from '../../api/types';
import { ErrorNote } from '../../ui/ErrorNote';
import { startSentence } from '../../ui/format';
import { useFirstWrong } from '../../ui/useFirstWrong';
import { isAtLeast, useAccess } from '../people/may';
import {
  checkDraft,
  type DraftErrors,
  emptyDraft,
  type PlaceKind,
  type RepositoryDraft,
  toDraftErrors,
  toRequest,
} from './draft';
import { RepositoryKeyPart } from './KeyDialog';
import { PlaceFields } from './PlaceFields';
import classes from './repositories.module.css';
import { messages } from './repositories.messages';

interface Props {
  isOpen: boolean;
  onClose: () => void;
}

const kinds: PlaceKind[] = ['s3', 'borg'];

/** Asks where it is and what opens it, tries that, and leads to the key that is to be kept. */
export function RegisterDialog({ isOpen, onClose }: Props) {
  const title = <strong>{messages.registerTitle}</strong>;
  return (
    <Modal opened={isOpen} onClose={onClose} title={title} closeOnClickOutside={false}>
      <Form onClose={onClose} />
    </Modal>
  );
}

function errorsOf(error: unknown): DraftErrors {
  const problem = asProblem(error);
  if (problem.code === 'name-taken') return { name: startSentence(problem.body.detail) };
  return toDraftErrors(problem.fields);
}

/** What is wrong with the place as a whole is said without the field's name. */
function withoutField(error: unknown): Problem {
  const problem = asProblem(error);
  const [only, ...others] = problem.fields;
  if (!only || others.length > 0) return problem;
  return new Problem({ ...problem.body, detail: only.message });
}

function Form({ onClose }: { onClose: () => void }) {
  const client = useQueryClient();
  const [draft, setDraft] = useState<RepositoryDraft>(emptyDraft);
  const [errors, setErrors] = useState<DraftErrors>({});
  const form = useFirstWrong<HTMLFormElement>(errors);
  const create = useMutation({
    mutationFn: () => createRepository(toRequest(draft)),
    gcTime: 0,
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: keys.anyBackups });
      return client.invalidateQueries({ queryKey: keys.repositories });
    },
    onError: (error) => setErrors(errorsOf(error)),
  });
  if (create.data) {
    return <Registered made={create.data} isNew={!draft.isKnown} onClose={onClose} />;
  }
  const change = (changed: Partial<RepositoryDraft>) => {
    setDraft((before) => ({ ...before, ...changed }));
    setErrors({});
    create.reset();
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const found = checkDraft(draft);
    setErrors(found);
    if (Object.keys(found).length === 0) create.mutate();
  };
  const isPlaced = Object.keys(errors).some((field) => field !== 'place');
  return (
    <form ref={form} className={classes.stack} onSubmit={submit} noValidate>
      <Radio.Group
        label={messages.kind}
        value={draft.kind}
        onChange={(kind) => change({ kind: kind as PlaceKind, secret: '' })}
      >
        <Stack gap={8} mt={6}>
          {kinds.map((kind) => (
            <Radio
              key={kind}
              value={kind}
              label={messages.kinds[kind]}
              description={messages.kindHints[kind]}
            />
          ))}
        </Stack>
      </Radio.Group>
      <TextInput
        label={messages.name}
        description={messages.nameHelp}
        value={draft.name}
        error={errors.name}
        placeholder="vault"
        autoComplete="off"
        autoCapitalize="none"
        spellCheck={false}
        onChange={(event) => change({ name: event.currentTarget.value })}
      />
      <PlaceFields draft={draft} errors={errors} onChange={change} />
      <Checkbox
        checked={draft.isKnown}
        label={messages.isKnown}
        description={messages.isKnownHelp}
        onChange={(event) => change({ isKnown: event.currentTarget.checked })}
      />
      {draft.isKnown && (
        <PasswordInput
          label={messages.key}
          value={draft.key}
          error={errors.key}
          autoComplete="off"
          onChange={(event) => change({ key: event.currentTarget.value })}
        />
      )}
      {create.error && !isPlaced && <ErrorNote error={withoutField(create.error)} />}
      <div className={classes.foot}>
        <p className={classes.dim} role="status">
          {create.isPending && `${messages.trying} ${messages.tryingHelp}`}
        </p>
        <div className={classes.formButtons}>
          <Button variant="default" onClick={onClose}>
            {messages.cancel}
          </Button>
          <Button type="submit" loading={create.isPending}>
            {messages.submit}
          </Button>
        </div>
      </div>
    </form>
  );
}

interface RegisteredProps {
  made: RepositoryView;
  isNew: boolean;
  onClose: () => void;
}

function Registered({ made, isNew, onClose }: RegisteredProps) {
  const isOwner = isAtLeast(useAccess()?.everywhere, 'owner');
  const asksForKey = isNew && isOwner;
  return (
    <div className={classes.stack}>
      <p className={classes.name} role="status">
        {messages.registered(made.name)}
      </p>
      <p>{made.checked_at ? messages.tried : messages.untried}</p>
      {!isNew && <p>{messages.found(made.backups)}</p>}
      {isNew && (
        <p>
          <strong>{messages.keepKey}</strong> {messages.keepKeyWhy}
          {!isOwner && ` ${messages.onlyOwner}`}
        </p>
      )}
      {asksForKey ? (
        <RepositoryKeyPart name={made.name} onClose={onClose} />
      ) : (
        <div className={classes.formButtons}>
          <Button onClick={onClose}>{messages.done}</Button>
        </div>
      )}
    </div>
  );
}
