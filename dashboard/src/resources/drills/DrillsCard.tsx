import { Button, Skeleton, Tooltip } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';

import { drillsQuery } from '../../api/queries';
import type { ClusterView, DrillView } from '../../api/types';
import { Card } from '../../ui/Card';
import { ErrorNote } from '../../ui/ErrorNote';
import { formatAgo, formatMoment, startSentence } from '../../ui/format';
import { Status } from '../../ui/Status';
import { useNow } from '../../ui/useNow';
import { operationLooks } from '../operations/status';
import { useMay } from '../people/may';
import { messages } from './drills.messages';
import classes from './drills.module.css';
import { RunDialog } from './RunDialog';
import { ScheduleDialog } from './ScheduleDialog';

const SHOWN = 4;

/** What the last drills have measured, and the way to another. */
export function DrillsCard({ cluster }: { cluster: ClusterView }) {
  const [asked, setAsked] = useState<'run' | 'schedule' | null>(null);
  const query = useQuery(drillsQuery(cluster.id));
  const found = cluster.operations.find((operation) => operation.kind === 'drill');
  const isAllowed = found?.allowed ?? false;
  const close = () => setAsked(null);
  const may = useMay(cluster);
  return (
    <Card
      title={messages.title}
      aside={
        may.operate && (
          <span className={classes.buttons}>
            <Button size="xs" variant="default" onClick={() => setAsked('schedule')}>
              {messages.schedule}
            </Button>
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
                onClick={() => isAllowed && setAsked('run')}
              >
                {messages.run}
              </Button>
            </Tooltip>
          </span>
        )
      }
    >
      {query.error && !query.data && (
        <ErrorNote error={query.error} retry={() => void query.refetch()} />
      )}
      {query.isPending && <Skeleton height={50} />}
      {query.data && <Told cluster={cluster} drills={query.data} />}
      <RunDialog cluster={cluster} isOpen={asked === 'run'} onClose={close} />
      <ScheduleDialog cluster={cluster} isOpen={asked === 'schedule'} onClose={close} />
    </Card>
  );
}

function Told({ cluster, drills }: { cluster: ClusterView; drills: DrillView[] }) {
  const now = useNow(15_000);
  const ago = (drill: DrillView) => formatAgo(Date.parse(drill.ended_at ?? drill.created_at), now);
  const last = drills.find((drill) => drill.status === 'succeeded');
  const next = cluster.next_drill_at;
  return (
    <div className={classes.told}>
      <p className={last ? classes.last : classes.dim}>
        {last ? [messages.last(ago(last)), ...figures(last)].join(', ') : messages.none}
      </p>
      <p className={classes.dim}>{next ? messages.next(formatMoment(next)) : messages.noSchedule}</p>
      {drills.length > 0 && (
        <ul className={classes.list} aria-label={messages.history}>
          {drills.slice(0, SHOWN).map((drill) => (
            <li key={drill.id}>
              <Link
                to="/clusters/$name"
                params={{ name: cluster.name }}
                search={{ tab: 'activity', operation: drill.report ?? drill.id }}
                className={classes.name}
              >
                {messages.kinds[drill.kind]}
              </Link>
              <Status look={operationLooks[drill.status]} />
              <span className={classes.dim}>
                {drill.write_gap_ms == null ? startSentence(drill.message) : figures(drill).join(', ')}
              </span>
              <span className={classes.when}>{ago(drill)}</span>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

function figures(drill: DrillView): string[] {
  return [
    drill.write_gap_ms == null ? '' : messages.waited(drill.write_gap_ms),
    drill.whole_ms == null ? '' : messages.whole(drill.whole_ms),
  ].filter((words) => words !== '');
}
