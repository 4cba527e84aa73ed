import { Alert } from '@mantine/core';
import { useState } from 'react';

import type { ClusterView } from '../../api/types';
import { Card } from '../../ui/Card';
import { Facts } from '../../ui/Facts';
import { formatAgo, formatDuration, formatMoment, startSentence } from '../../ui/format';
import { GuardedButton } from '../../ui/GuardedButton';
import { useNow } from '../../ui/useNow';
import { useMay } from '../people/may';
import { messages } from './backups.messages';
import classes from './backups.module.css';
import { backupAllowed, withMoments } from './status';
import { TakeDialog } from './TakeDialog';

/** Up to when the cluster can be recovered, whether that was shown, and how long it would take. */
export function StandingCard({ cluster }: { cluster: ClusterView }) {
  const may = useMay(cluster);
  const now = useNow(15_000);
  const [isAsked, setIsAsked] = useState(false);
  const { recoverable_to, proven_to, restore_ms, problem } = cluster.backup ?? {};
  const { allowed, reason } = backupAllowed(cluster);
  const moment = (time: string) =>
    messages.ago(formatMoment(time), formatAgo(Date.parse(time), now));
  return (
    <Card
      title={messages.standing}
      aside={
        may.operate && (
          <GuardedButton reason={allowed ? '' : reason} onPress={() => setIsAsked(true)}>
            {messages.takeOpen}
          </GuardedButton>
        )
      }
    >
      <div className={classes.told}>
        {problem && (
          <Alert color="red" role="alert">
            {startSentence(withMoments(problem))}
          </Alert>
        )}
        {recoverable_to ? (
          <Facts
            rows={[
              [messages.recoverable, moment(recoverable_to)],
              [messages.proven, proven_to ? moment(proven_to) : messages.unproven],
              [messages.restoring, restore_ms ? formatDuration(restore_ms) : messages.untimed],
            ]}
          />
        ) : (
          <p className={classes.dim}>{messages.nothingYet}</p>
        )}
      </div>
      <TakeDialog cluster={cluster} isOpen={isAsked} onClose={() => setIsAsked(false)} />
    </Card>
  );
}
