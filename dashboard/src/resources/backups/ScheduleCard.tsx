import { Button } from '@mantine/core';
import { type ReactNode, useState } from 'react';

import type { BackupSchedule, ClusterView } from '../../api/types';
import { Card } from '../../ui/Card';
import { Facts } from '../../ui/Facts';
import { formatDuration, formatMoment, startSentence } from '../../ui/format';
import { useNow } from '../../ui/useNow';
import { useMay } from '../people/may';
import { messages } from './backups.messages';
import classes from './backups.module.css';
import { retentionWords, scheduleWords, usualRetention } from './schedule';
import { ScheduleDialog } from './ScheduleDialog';

/** When backups begin by themselves, where they go and how long they stay. */
export function ScheduleCard({ cluster }: { cluster: ClusterView }) {
  const [isAsked, setIsAsked] = useState(false);
  const wanted = cluster.spec.backup;
  const may = useMay(cluster);
  return (
    <Card
      title={messages.schedule}
      aside={
        may.operate && (
          <Button size="xs" variant="default" onClick={() => setIsAsked(true)}>
            {wanted ? messages.change : messages.set}
          </Button>
        )
      }
    >
      {wanted ? (
        <Wanted wanted={wanted} nextAt={cluster.backup?.next_at} />
      ) : (
        <p className={classes.dim}>{messages.none}</p>
      )}
      <ScheduleDialog cluster={cluster} isOpen={isAsked} onClose={() => setIsAsked(false)} />
    </Card>
  );
}

interface WantedProps {
  wanted: BackupSchedule;
  nextAt: string | null | undefined;
}

function Wanted({ wanted, nextAt }: WantedProps) {
  const now = useNow(15_000);
  const rows: (readonly [string, ReactNode])[] = [
    [messages.when, startSentence(scheduleWords(wanted.schedule))],
  ];
  if (nextAt) {
    const left = Date.parse(nextAt) - now;
    const words =
      left > 0
        ? messages.nextIn(formatMoment(nextAt), formatDuration(left))
        : messages.nextNow(formatMoment(nextAt));
    rows.push([messages.next, words]);
  }
  rows.push([messages.to, wanted.repository]);
  const kept = [retentionWords(wanted.keep), messages.keepAlso].filter((part) => part !== '');
  rows.push([messages.keep, startSentence(kept.join(', '))]);
  if (wanted.point_in_time) {
    const days = wanted.keep?.log_days ?? usualRetention.log_days;
    rows.push([messages.log, startSentence(messages.logKept(days))]);
  }
  rows.push([messages.verify, wanted.verify ? messages.verifyYes : messages.verifyNo]);
  if (wanted.rate_kib) rows.push([messages.rate, messages.rateOf(wanted.rate_kib)]);
  return <Facts rows={rows} />;
}
