import { Button } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';

import { verifyBackup } from '../../api/backups';
import { applyEvents } from '../../api/feed';
import type { Backup } from '../../api/types';
import { ErrorNote } from '../../ui/ErrorNote';
import { formatMoment } from '../../ui/format';
import { GuardedButton } from '../../ui/GuardedButton';
import { DEFAULT_PROJECT, hasSomewhere, isAtLeast, roleIn, useAccess } from '../people/may';
import { messages } from './backups.messages';
import classes from './backups.module.css';
import { DeleteBackupDialog } from './DeleteBackupDialog';
import { momentOf } from './status';

/** What can be done with a backup, by whom may. */
export function BackupActions({ backup, all }: { backup: Backup; all: Backup[] }) {
  const access = useAccess();
  const role = roleIn(access, backup.project ?? DEFAULT_PROJECT);
  const client = useQueryClient();
  const navigate = useNavigate();
  const [isAsked, setIsAsked] = useState(false);
  const verify = useMutation({
    mutationFn: () => verifyBackup(backup.id),
    onSuccess: (operation) => applyEvents(client, [{ kind: 'operation', operation }]),
  });
  if (!isAtLeast(role, 'operator')) return null;
  const when = formatMoment(momentOf(backup));
  const isComplete = backup.status === 'complete';
  const reason = isComplete ? '' : messages.notComplete[backup.status];
  const isRunning = backup.status === 'running';
  return (
    <div className={classes.actions}>
      <GuardedButton
        variant="filled"
        reason={reason || (hasSomewhere(access, 'admin') ? '' : messages.mayNotRestore)}
        label={messages.restoreLabel(when)}
        onPress={() => void navigate({ to: '/new-cluster', search: { backup: backup.id } })}
      >
        {messages.restore}
      </GuardedButton>
      <GuardedButton
        reason={reason}
        label={messages.verifyLabel(when)}
        loading={verify.isPending}
        onPress={() => verify.mutate()}
      >
        {messages.verifyNow}
      </GuardedButton>
      {isAtLeast(role, 'admin') && (
        <GuardedButton
          color="red"
          variant="outline"
          reason={isRunning || backup.status === 'deleting' ? reason : ''}
          label={messages.removeLabel(when)}
          onPress={() => setIsAsked(true)}
        >
          {messages.remove}
        </GuardedButton>
      )}
      {verify.error && (
        <div className={classes.wide}>
          <ErrorNote error={verify.error} />
          <Button size="xs" variant="subtle" onClick={() => verify.reset()}>
            {messages.dismiss}
          </Button>
        </div>
      )}
      <DeleteBackupDialog
        backup={backup}
        all={all}
        isOpen={isAsked}
        onClose={() => setIsAsked(false)}
      />
    </div>
  );
}
