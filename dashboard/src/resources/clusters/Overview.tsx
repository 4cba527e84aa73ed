import { Skeleton } from '@mantine/core';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';

import { nodesQuery, operationQuery, operationsQuery } from '../../api/queries';
import type { ClusterView, Operation } from '../../api/types';
import { Card } from '../../ui/Card';
import { ErrorNote } from '../../ui/ErrorNote';
import { formatAgo, startSentence } from '../../ui/format';
import { Status } from '../../ui/Status';
import { useNow } from '../../ui/useNow';
import { ConnectionPanel } from '../connection/ConnectionPanel';
import { DrillsCard } from '../drills/DrillsCard';
import { NodesGlance } from '../nodes/NodesGlance';
import { messages as operationMessages } from '../operations/operations.messages';
import { isEnded, operationLooks, operationTitle } from '../operations/status';
import { StepList } from '../operations/StepList';
import { useMay } from '../people/may';
import classes from './clusters.module.css';
import { messages } from './clusters.messages';
import { DeleteButton } from './DeleteButton';
import { clusterLooks } from './status';
import { TopologyPicture } from './topology/TopologyPicture';
import { useEngine } from './useEngine';

const words = messages.page;
const LATEST = 5;

export function Overview({ cluster }: { cluster: ClusterView }) {
  if (cluster.phase === 'failed') {
    return (
      <div className={classes.stack}>
        <Failed cluster={cluster} />
        <Creation cluster={cluster} />
        <Latest cluster={cluster} />
      </div>
    );
  }
  return (
    <div className={classes.stack}>
      {cluster.spec.shards ? <Shards cluster={cluster} /> : <Topology cluster={cluster} />}
      <div className={classes.columns}>
        <ConnectionPanel cluster={cluster} />
        <div className={classes.stack}>
          <Creation cluster={cluster} />
          <NodesGlance cluster={cluster} />
          {!cluster.spec.multi_primary && <DrillsCard cluster={cluster} />}
          <Latest cluster={cluster} />
        </div>
      </div>
    </div>
  );
}

/** Nothing came of it: the one thing that is left to do. */
function Failed({ cluster }: { cluster: ClusterView }) {
  const may = useMay(cluster);
  return (
    <Card title={words.failed}>
      <div className={classes.danger}>
        <p>{words.failedText}</p>
        {may.administer && <DeleteButton cluster={cluster} />}
      </div>
    </Card>
  );
}

function Topology({ cluster }: { cluster: ClusterView }) {
  const nodes = useQuery(nodesQuery(cluster.id));
  const ports = useEngine(cluster)?.ports;
  return (
    <Card title={words.topology}>
      {nodes.error && !nodes.data && (
        <ErrorNote
          error={nodes.error}
          retry={() => void nodes.refetch()}
          isRetrying={nodes.isFetching}
        />
      )}
      {nodes.isPending && <Skeleton height={160} radius="md" />}
      {nodes.data && <TopologyPicture cluster={cluster} nodes={nodes.data} ports={ports} />}
    </Card>
  );
}

/** The groups that the keys are divided over, each with a page of its own. */
function Shards({ cluster }: { cluster: ClusterView }) {
  const shards = cluster.shards ?? [];
  return (
    <Card title={words.shards}>
      {shards.length === 0 && <span className={classes.dim}>{words.noShards}</span>}
      <ul className={classes.latest}>
        {shards.map((shard) => (
          <li key={shard.id}>
            <Link
              to="/clusters/$name"
              params={{ name: shard.name }}
              className={classes.latestName}
            >
              {shard.name}
            </Link>
            <Status look={clusterLooks[shard.phase]} />
            <span className={classes.latestWhy}>
              {startSentence(shard.sentence, shard.primary_name ?? shard.name)}
            </span>
            <span className={classes.latestWhen}>
              {words.slots(shard.slots.map(({ first, last }) => `${first}–${last}`).join(', '))}
            </span>
          </li>
        ))}
      </ul>
    </Card>
  );
}

/** The steps of the creation, while that is what everybody waits for. */
function Creation({ cluster }: { cluster: ClusterView }) {
  const isWatched = cluster.phase === 'creating' || cluster.phase === 'failed';
  const latest = useInfiniteQuery(operationsQuery(cluster.id)).data?.pages[0]?.items;
  const id = cluster.operation ?? latest?.find((one) => one.kind === 'create_cluster')?.id;
  const { data: operation } = useQuery({
    ...operationQuery(id ?? ''),
    enabled: isWatched && id !== undefined,
  });
  if (!isWatched || operation?.kind !== 'create_cluster') return null;
  return (
    <Card
      title={operationTitle(operation)}
      aside={<Status look={operationLooks[operation.status]} />}
    >
      <StepList steps={operation.steps} label={operationMessages.steps} />
    </Card>
  );
}

function Latest({ cluster }: { cluster: ClusterView }) {
  const query = useInfiniteQuery(operationsQuery(cluster.id));
  const operations = query.data?.pages[0]?.items.slice(0, LATEST);
  const now = useNow(15_000);
  return (
    <Card
      title={words.latest}
      aside={
        <Link
          to="/clusters/$name"
          params={{ name: cluster.name }}
          search={{ tab: 'activity' }}
          className={classes.aside}
        >
          {words.allActivity}
        </Link>
      }
    >
      {query.error && !operations && (
        <ErrorNote error={query.error} retry={() => void query.refetch()} />
      )}
      {query.isPending && <Skeleton height={70} />}
      {operations?.length === 0 && <span className={classes.dim}>{words.noActivity}</span>}
      {operations && operations.length > 0 && (
        <ul className={classes.latest}>
          {operations.map((operation) => (
            <LatestItem key={operation.id} operation={operation} now={now} />
          ))}
        </ul>
      )}
    </Card>
  );
}

function LatestItem({ operation, now }: { operation: Operation; now: number }) {
  const when = Date.parse(operation.ended_at ?? operation.started_at ?? operation.created_at);
  return (
    <li>
      <Link
        to="/clusters/$name"
        params={{ name: operation.cluster_name }}
        search={{ tab: 'activity', operation: operation.id }}
        className={classes.latestName}
      >
        {operationTitle(operation)}
      </Link>
      <Status look={operationLooks[operation.status]} />
      <span className={classes.latestWhy}>{operation.reason}</span>
      <span className={classes.latestWhen}>
        {isEnded(operation) ? formatAgo(when, now) : ''}
      </span>
    </li>
  );
}
