import { Button, Skeleton, TextInput } from '@mantine/core';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';

import { serverNow } from '../../../api/clock';
import { backupsQuery, meQuery } from '../../../api/queries';
import type { Backup } from '../../../api/types';
import { ErrorNote } from '../../../ui/ErrorNote';
import { formatBytes, formatDuration, formatMoment } from '../../../ui/format';
import { SearchIcon } from '../../../ui/icons';
import { messages as backupMessages } from '../../backups/backups.messages';
import { DEFAULT_PROJECT, isAtLeast, roleIn, useAccess } from '../../people/may';
import { engineTitle } from '../describe';
import { Choices } from './Choices';
import classes from './create.module.css';
import { messages } from './create.messages';
import { draftOf, toInput, whyNot } from './restore';
import type { StepProps } from './steps';

const words = messages.backup;
const SEARCH_FROM = 8;

/** Which backup the new cluster begins with; it brings its settings. */
export function BackupStep({ draft, catalogue, errors, onChange }: StepProps) {
  const query = useInfiniteQuery(backupsQuery());
  const me = useQuery(meQuery).data;
  const access = useAccess();
  const [wanted, setWanted] = useState('');
  const all = (query.data?.pages ?? [])
    .flatMap((page) => page.items)
    .filter((backup) => backup.status === 'complete' && backup.facts);
  const isShown = ({ id, cluster_name }: Backup) =>
    cluster_name.includes(wanted.trim().toLowerCase()) || id === draft.source?.id;
  const reasonOf = (backup: Backup) => {
    const role = roleIn(access, backup.project ?? DEFAULT_PROJECT);
    return isAtLeast(role, 'operator') ? whyNot(backup, catalogue) : words.mayNot;
  };
  if (query.error && !query.data) {
    return <ErrorNote error={query.error} retry={() => void query.refetch()} />;
  }
  if (!query.data) return <Skeleton height={120} />;
  if (all.length === 0 && !query.hasNextPage) {
    return (
      <p className={classes.note}>
        {words.none} <Link to="/backups">{words.register}</Link>
      </p>
    );
  }
  const chosen = all.find((backup) => backup.id === draft.source?.id);
  const choose = (id: string) => {
    const facts = all.find((backup) => backup.id === id)?.facts;
    if (!facts) return;
    // What was typed stays: the name is the new cluster's own.
    onChange({ ...draftOf(facts, catalogue, me?.address ?? '', serverNow()), name: draft.name });
  };
  return (
    <>
      {all.length >= SEARCH_FROM && (
        <TextInput
          size="xs"
          maw={280}
          aria-label={words.search}
          placeholder={words.search}
          leftSection={<SearchIcon size={14} />}
          value={wanted}
          onChange={(event) => setWanted(event.currentTarget.value)}
        />
      )}
      <div className={classes.backups}>
        <Choices
          label={words.label}
          name="backup"
          value={draft.source?.id ?? ''}
          error={errors.source ?? errors['source.backup'] ?? errors.engine ?? errors.version}
          choices={all.filter(isShown).map((backup) => {
            const reason = reasonOf(backup);
            return {
              value: backup.id,
              title: `${backup.cluster_name} · ${formatMoment(backup.facts?.taken_at ?? '')}`,
              text: aboutOf(backup, engineTitle(backup.facts?.spec.engine ?? '', catalogue.engines)),
              ...(reason && { reason }),
            };
          })}
          onChange={choose}
        />
        {query.hasNextPage && (
          <Button
            mt={10}
            size="xs"
            variant="default"
            loading={query.isFetchingNextPage}
            onClick={() => void query.fetchNextPage()}
          >
            {backupMessages.more}
          </Button>
        )}
      </div>
      {chosen?.recoverable_to && draft.source && (
        <TextInput
          type="datetime-local"
          step={1}
          styles={{ wrapper: { maxWidth: 280 } }}
          label={words.at}
          description={words.window(
            formatMoment(chosen.facts?.taken_at ?? ''),
            formatMoment(chosen.recoverable_to),
          )}
          error={errors['source.at']}
          min={toInput(chosen.facts?.taken_at ?? '', Math.ceil)}
          max={toInput(chosen.recoverable_to, Math.floor)}
          value={draft.source.at ?? ''}
          onChange={(event) => {
            const at = event.currentTarget.value;
            if (draft.source) onChange({ source: { ...draft.source, at } });
          }}
        />
      )}
      <p className={classes.note}>{words.leaves}</p>
    </>
  );
}

function aboutOf({ facts, proof, repository_name }: Backup, title: string): string {
  const took = proof?.restore_ms;
  const proven = proof?.proven ? words.proven : proof ? words.notProven : words.untried;
  return [
    `${title} ${facts?.engine_version ?? ''}`,
    formatBytes(facts?.size ?? 0),
    repository_name,
    took != null && proof?.proven ? words.provenIn(formatDuration(took)) : proven,
  ].join(' · ');
}
