import { Checkbox, TextInput } from '@mantine/core';
import { useState } from 'react';

import type { Backup, ClusterView, NewOperation } from '../../api/types';
import { formatMoment } from '../../ui/format';
import { toInput } from '../clusters/create/restore';
import { messages } from './backups.messages';
import classes from './backups.module.css';
import { ReplaceDialog } from './ReplaceDialog';
import { RepositorySelect, useRepositoryChoice } from './RepositorySelect';
import { momentOf } from './status';

const words = messages.over;

interface Props {
  cluster: ClusterView;
  backup: Backup;
  isOpen: boolean;
  onClose: () => void;
}

/** Puts a backup, or a moment after it, in the place of the cluster's data. */
export function RestoreOverDialog({ cluster, backup, isOpen, onClose }: Props) {
  const [at, setAt] = useState('');
  const [isStored, setIsStored] = useState(true);
  const [mayWait, setMayWait] = useState(false);
  const [repository, setRepository] = useRepositoryChoice(cluster.spec.backup?.repository);
  const isStrict = /^(strict|quorum)/.test(cluster.spec.replication ?? '');
  const taken = backup.facts?.taken_at ?? '';
  const request: NewOperation = {
    kind: 'restore',
    source: { backup: backup.id, ...(at && { at: new Date(at).toISOString() }) },
    ...(isStored ? repository && { repository } : { without_backup: true }),
    ...(mayWait && { allow_waiting: true }),
  };
  const choices = (
    <div className={classes.told}>
      {backup.recoverable_to && (
        <TextInput
          type="datetime-local"
          step={1}
          label={words.at}
          description={words.window(formatMoment(taken), formatMoment(backup.recoverable_to))}
          min={toInput(taken, Math.ceil)}
          max={toInput(backup.recoverable_to, Math.floor)}
          value={at}
          onChange={(event) => setAt(event.currentTarget.value)}
        />
      )}
      <Checkbox
        label={words.first}
        description={words.firstText}
        checked={isStored}
        onChange={(event) => setIsStored(event.currentTarget.checked)}
      />
      {isStored && <RepositorySelect value={repository} onChange={setRepository} />}
      {isStrict && (
        <Checkbox
          label={words.waiting}
          checked={mayWait}
          onChange={(event) => setMayWait(event.currentTarget.checked)}
        />
      )}
    </div>
  );
  return (
    <ReplaceDialog
      cluster={cluster}
      request={request}
      title={words.title(cluster.name, formatMoment(momentOf(backup)))}
      action={words.action}
      choices={choices}
      isOpen={isOpen}
      onClose={onClose}
    />
  );
}
