import { NativeSelect, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';

import { repositoriesQuery } from '../../api/queries';
import { messages } from './backups.messages';
import classes from './backups.module.css';

/** What was chosen, or what is meant while nothing was: the usual one, or the only one. */
export function useRepositoryChoice(usual = '') {
  const all = useQuery(repositoriesQuery).data;
  const [chosen, setChosen] = useState<string | null>(null);
  const only = all?.length === 1 ? (all[0]?.name ?? '') : '';
  return [chosen ?? (usual || only), setChosen] as const;
}

interface Props {
  value: string;
  error?: string | undefined;
  onChange: (name: string) => void;
}

/** Which repository; whoever may not see the list names it. */
export function RepositorySelect({ value, error, onChange }: Props) {
  const query = useQuery(repositoriesQuery);
  if (query.error && !query.data) {
    return (
      <TextInput
        label={messages.repository}
        value={value}
        error={error}
        autoCapitalize="none"
        spellCheck={false}
        onChange={(event) => onChange(event.currentTarget.value)}
      />
    );
  }
  const names = query.data?.map((one) => one.name) ?? [];
  if (query.data?.length === 0) {
    return (
      <p className={classes.dim}>
        {messages.noRepository} <Link to="/backups">{messages.register}</Link>
      </p>
    );
  }
  return (
    <NativeSelect
      label={messages.repository}
      maw={300}
      value={value}
      error={error}
      data={[
        ...(names.includes(value) ? [] : [{ value, label: value || messages.chooseRepository }]),
        ...names.map((name) => ({ value: name, label: name })),
      ]}
      onChange={(event) => onChange(event.currentTarget.value)}
    />
  );
}
