import { Alert, Button, Skeleton, Tooltip } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';

import { verifyBackup } from '../../api/backups';
import { keys } from '../../api/keys';
import { backupsQuery } from '../../api/queries';
import type { Backup, BackupStatus, ClusterView } from '../../api/types';
import { Card } from '../../ui/Card';
import { ErrorNote } from '../../ui/ErrorNote';
import { formatMoment, startSentence } from '../../ui/format';
import { Status } from '../../ui/Status';
import type { StatusLook } from '../../ui/tones';
import { ConfirmOperation } from '../nodes/ConfirmOperation';
import { useMay } from '../people/may';
import { messages } from './backups.messages';
import classes from './backups.module.css';

const looks: Record<BackupStatus, StatusLook> = {
  running: { tone: 'busy', word: 'Running' },
  complete: { tone: 'ok', word: 'Complete' },
  failed: { tone: 'bad', word: 'Failed' },
  deleting: { tone: 'idle', word: 'Being removed' },
};

/** What can be recovered, and every backup. */
export function BackupsTab({ cluster }: { cluster: ClusterView }) {
  const may = useMay(cluster);
  const [isAsked, setAsked] = useState(false);
  const query = useQuery(backupsQuery(cluster.id));
  const found = cluster.operations.find((operation) => operation.kind === 'backup');
  const isAllowed = found?.allowed ?? false;
  return (
    <Card
      title={messages.title}
      aside={
        may.operate && (
          <Tooltip
            label={startSentence(found?.reason || messages.unavailable)}
            disabled={isAllowed}
            multiline
            maw={360}
          >
            {/* Not `disabled`: the reason has to be reachable by keyboard. */}
            <Button
              size="xs"
              variant="default"
              aria-disabled={!isAllowed}
              data-disabled={!isAllowed || undefined}
              onClick={() => isAllowed && setAsked(true)}
            >
              {messages.take}
            </Button>
          </Tooltip>
        )
      }
    >
      <Standing cluster={cluster} />
      {query.error && !query.data && (
        <ErrorNote error={query.error} retry={() => void query.refetch()} />
      )}
      {query.isPending && <Skeleton height={50} />}
      {query.data?.length === 0 && <p className={classes.dim}>{messages.none}</p>}
      {query.data && query.data.length > 0 && (
        <ul className={classes.list} aria-label={messages.history}>
          {query.data.map((backup) => (
            <Row key={backup.id} backup={backup} mayVerify={may.operate} />
          ))}
        </ul>
      )}
      <ConfirmOperation
        cluster={cluster}
        request={{ kind: 'backup' }}
        title={messages.takeTitle(cluster.name)}
        action={messages.take}
        isOpen={isAsked}
        onClose={() => setAsked(false)}
      />
    </Card>
  );
}

function Standing({ cluster }: { cluster: ClusterView }) {
  const { recoverable_to, proven_to, restore_ms, next_at, problem } = cluster.backup ?? {};
  const facts = [
    recoverable_to ? messages.recoverable(formatMoment(recoverable_to)) : '',
    recoverable_to && (proven_to ? messages.proven(formatMoment(proven_to)) : messages.unproven),
    restore_ms ? messages.restoring(restore_ms) : '',
  ].filter(Boolean);
  return (
    <div className={classes.told}>
      {problem && <Alert color="red">{startSentence(problem)}</Alert>}
      {facts.length > 0 && <p>{facts.join(', ')}</p>}
      <p className={classes.dim}>
        {next_at ? messages.next(formatMoment(next_at)) : messages.noSchedule}
      </p>
    </div>
  );
}

function Row({ backup, mayVerify }: { backup: Backup; mayVerify: boolean }) {
  const client = useQueryClient();
  const verify = useMutation({
    mutationFn: () => verifyBackup(backup.id),
    onSettled: () => client.invalidateQueries({ queryKey: keys.anyBackups }),
  });
  const when = formatMoment(backup.facts?.taken_at ?? backup.created_at);
  const words = [
    backup.facts ? messages.size(backup.facts.size) : '',
    backup.stored == null ? '' : messages.stored(backup.stored),
    backup.repository_name,
    backup.proof ? (backup.proof.proven ? messages.isProven : messages.isNotProven) : '',
    backup.message ?? '',
  ].filter((word) => word !== '');
  return (
    <li>
      <span className={classes.when}>{when}</span>
      <Status look={looks[backup.status]} />
      <span className={classes.dim}>{words.join(', ')}</span>
      {mayVerify && backup.status === 'complete' && (
        <Button
          className={classes.end}
          size="xs"
          variant="subtle"
          loading={verify.isPending}
          aria-label={messages.verifyLabel(when)}
          onClick={() => verify.mutate()}
        >
          {messages.verify}
        </Button>
      )}
      {verify.error && <ErrorNote error={verify.error} />}
    </li>
  );
}
