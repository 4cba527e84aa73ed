import { Alert, Button } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';

import { cancelRotation, endRotation } from '../../api/databases';
import { keys } from '../../api/keys';
import type { ClusterView, Rotation } from '../../api/types';
import { AskDialog } from '../../ui/Ask';
import { ErrorNote } from '../../ui/ErrorNote';
import { formatMoment } from '../../ui/format';
import { useMay } from '../people/may';
import classes from './databases.module.css';
import { messages } from './databases.messages';

interface Props {
  cluster: ClusterView;
  name: string;
  rotation: Rotation;
  /** The new login is valid. */
  isReady: boolean;
  /** Sessions of the former login were ended with the rotation. */
  onSessionsEnded: (count: number) => void;
}

/** A rotation under way: who still uses the former login, and its end. */
export function RotationNote({ cluster, name, rotation, isReady, onSessionsEnded }: Props) {
  const client = useQueryClient();
  const may = useMay(cluster);
  const [isAsked, setIsAsked] = useState(false);
  const end = useMutation({
    mutationFn: (evenIfUsed: boolean) => endRotation(cluster.id, name, evenIfUsed),
    onSuccess: (user) => {
      setIsAsked(false);
      if (user.sessions_ended != null) onSessionsEnded(user.sessions_ended);
    },
    onSettled: () => client.invalidateQueries({ queryKey: keys.databaseUsers(cluster.id) }),
  });
  const turnBack = useMutation({
    mutationFn: () => cancelRotation(cluster.id, name),
    onSettled: () => client.invalidateQueries({ queryKey: keys.databaseUsers(cluster.id) }),
  });
  const count = rotation.sessions.reduce((sum, one) => sum + one.count, 0);
  const isFree = rotation.sessions.length === 0 && rotation.unknown.length === 0;
  return (
    <Alert className={classes.rotation} color={isFree ? 'green' : 'yellow'} role="status">
      <p className={classes.said}>
        {messages.rotating(rotation.former, formatMoment(rotation.since))}
      </p>
      {rotation.sessions.length > 0 && (
        <>
          <p className={classes.said}>{messages.stillUsed}</p>
          <ul aria-label={messages.stillUsed}>
            {rotation.sessions.map((one) => (
              <li key={`${one.node} ${one.from} ${one.application ?? ''}`}>
                {messages.session(one.from, one.application ?? '', one.count)}
              </li>
            ))}
          </ul>
        </>
      )}
      {rotation.unknown.length > 0 && (
        <p className={classes.said}>{messages.unknown(rotation.unknown.join(', '))}</p>
      )}
      {isFree && <p className={classes.said}>{messages.unused}</p>}
      {end.error && !isAsked && <ErrorNote error={end.error} />}
      {turnBack.error && <ErrorNote error={turnBack.error} />}
      {may.operate && (
        <div className={classes.buttons}>
          <Button
            size="xs"
            variant="default"
            loading={turnBack.isPending}
            onClick={() => turnBack.mutate()}
          >
            {messages.turnBack(rotation.former)}
          </Button>
          {isFree ? (
            <Button
              size="xs"
              disabled={!isReady}
              loading={end.isPending}
              onClick={() => end.mutate(false)}
            >
              {messages.end}
            </Button>
          ) : (
            <Button
              size="xs"
              variant="default"
              disabled={!isReady}
              onClick={() => setIsAsked(true)}
            >
              {messages.endAnyway}
            </Button>
          )}
        </div>
      )}
      <AskDialog
        title={messages.endTitle(rotation.former)}
        text={messages.endText(count, rotation.unknown.join(', '))}
        action={messages.endAction}
        keep={messages.cancel}
        error={end.error}
        isPending={end.isPending}
        isOpen={isAsked}
        onAct={() => end.mutate(true)}
        onClose={() => setIsAsked(false)}
      />
    </Alert>
  );
}
