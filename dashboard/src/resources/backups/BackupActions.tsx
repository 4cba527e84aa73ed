import { Button } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';

import { verifyBackup } from '../../api/backups';
import { applyEvents } from '../../api/feed';
import type { Backup, ClusterView } from '../../api/types';
import { ErrorNote } from '../../ui/ErrorNote';
import { formatMoment } from '../../ui/format';
import { GuardedButton } from '../../ui/GuardedButton';
import { DEFAULT_PROJECT, hasSomewhere, isAtLeast, roleIn, useAccess } from '../people/may';
import { messages } from './backups.messages';
import classes from './backups.module.css';
import { DeleteBackupDialog } from './DeleteBackupDialog';
import { RestoreOverDialog } from './RestoreOverDialog';
import { momentOf } from './status';

interface Props {
  backup: Backup;
  all: Backup[];
  /** The cluster that it could be restored over. */
  cluster?: ClusterView | undefined;
}

/** What can be done with a backup, by whom may. */
export function BackupActions({ backup, all, cluster }: Props) {
  const access = useAccess();
  const role = roleIn(access, backup.project ?? DEFAULT_PROJECT);
  const client = useQueryClient();
  const navigate = useNavigate();
  const [isAsked, setIsAsked] = useState(false);
  const [isOver, setIsOver] = useState(false);
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
      {cluster && isAtLeast(roleIn(access, cluster.spec.project ?? DEFAULT_PROJECT), 'admin') && (
        <GuardedButton
          reason={reason || whyNotOver(cluster)}
          label={messages.over.label(when)}
          onPress={() => setIsOver(true)}
        >
          {messages.over.open}
        </GuardedButton>
      )}
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
      {cluster && (
        <RestoreOverDialog
          cluster={cluster}
          backup={backup}
          isOpen={isOver}
          onClose={() => setIsOver(false)}
        />
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

/** Why it cannot take the place of the cluster's data now; empty when it can. */
function whyNotOver({ operations }: ClusterView): string {
  return operations.find(({ kind, allowed }) => kind === 'restore' && !allowed)?.reason ?? '';
}
