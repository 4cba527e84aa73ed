import { Button, Tabs } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router';

import { asProblem } from '../../api/problem';
import { clusterQuery, enginesQuery, goneQuery, nodesQuery, providersQuery } from '../../api/queries';
import type { ClusterView } from '../../api/types';
import { NotFound, PagePending } from '../../app/Fallbacks';
import type { ClusterTab } from '../../app/router';
import { Card } from '../../ui/Card';
import { Empty } from '../../ui/Empty';
import { ErrorNote } from '../../ui/ErrorNote';
import { formatCount, startSentence } from '../../ui/format';
import { PageHead } from '../../ui/PageHead';
import { Status, StatusDot } from '../../ui/Status';
import { useTitle } from '../../ui/useTitle';
import { AllowlistTab } from '../allowlist/AllowlistTab';
import { BackupNote } from '../backups/BackupNote';
import { BackupsTab } from '../backups/BackupsTab';
import { DatabasesTab } from '../databases/DatabasesTab';
import { AddNodeButton } from '../nodes/AddNodeButton';
import { messages as nodeMessages } from '../nodes/nodes.messages';
import { NodesSkeleton, NodesTable } from '../nodes/NodesTable';
import { ResyncButton } from '../nodes/ResyncButton';
import { OperationBanner } from '../operations/OperationBanner';
import { OperationList } from '../operations/OperationList';
import { useMay } from '../people/may';
import { SuspicionNote } from '../reports/SuspicionNote';
import classes from './clusters.module.css';
import { messages } from './clusters.messages';
import { engineTitle, providerTitle, replicationOf } from './describe';
import { Overview } from './Overview';
import { SettingsTab } from './SettingsTab';
import { clusterLooks } from './status';

const route = getRouteApi('/shell/clusters/$name');
const words = messages.page;
const tabs: ClusterTab[] = [
  'overview',
  'nodes',
  'databases',
  'access',
  'backups',
  'activity',
  'settings',
];

export function ClusterPage() {
  const { name } = route.useParams();
  useTitle(name);
  const query = useQuery(clusterQuery(name));
  const { data: gone } = useQuery(goneQuery(name));
  const cluster = query.data;
  if (gone) return <Gone name={name} />;
  if (!cluster) {
    if (!query.error) return <PagePending />;
    if (asProblem(query.error).code === 'not-found') return <NotFound />;
    return (
      <ErrorNote
        error={query.error}
        retry={() => void query.refetch()}
        isRetrying={query.isFetching}
      />
    );
  }
  return <Known cluster={cluster} />;
}

function Known({ cluster }: { cluster: ClusterView }) {
  const may = useMay(cluster);
  const { tab } = route.useSearch();
  return (
    <>
      <PageHead
        title={cluster.name}
        status={<Status look={clusterLooks[cluster.phase]} size="md" />}
        sub={<SubFacts cluster={cluster} />}
        actions={
          may.operate &&
          cluster.phase !== 'failed' && (
            <>
              <ResyncButton cluster={cluster} />
              <AddNodeButton cluster={cluster} />
            </>
          )
        }
      />
      <SuspicionNote cluster={cluster} />
      <OperationBanner cluster={cluster} />
      {tab !== 'backups' && <BackupNote cluster={cluster} />}
      <ClusterTabs cluster={cluster} />
    </>
  );
}

/** The state in a sentence, and what the cluster is made of. */
function SubFacts({ cluster }: { cluster: ClusterView }) {
  const { spec } = cluster;
  const engines = useQuery(enginesQuery).data;
  const providers = useQuery(providersQuery).data;
  const engine = engines?.find((one) => one.name === spec.engine);
  const facts = [
    startSentence(cluster.sentence, cluster.name),
    `${engineTitle(spec.engine, engines)} ${spec.version}`,
    providerTitle(spec.provider, providers),
    formatCount(cluster.nodes_total, 'node', 'nodes'),
    replicationOf(spec, engine),
    ...(cluster.shards?.length
      ? [formatCount(cluster.shards.length, 'shard', 'shards')]
      : []),
  ];
  return (
    <span className={classes.subfacts}>
      {facts.map((fact) => (
        <span key={fact}>{fact}</span>
      ))}
      {cluster.shard_of && (
        <Link to="/clusters/$name" params={{ name: cluster.shard_of }}>
          {words.shardOf(cluster.shard_of)}
        </Link>
      )}
    </span>
  );
}

function ClusterTabs({ cluster }: { cluster: ClusterView }) {
  const { tab = 'overview', operation } = route.useSearch();
  const navigate = useNavigate();
  const show = (next: string | null) =>
    void navigate({
      to: '/clusters/$name',
      params: { name: cluster.name },
      search: next === 'overview' ? {} : { tab: next as ClusterTab },
      replace: true,
      resetScroll: false,
    });
  return (
    <Tabs value={tab} onChange={show}>
      <Tabs.List aria-label={words.tabsLabel} mb={16} className={classes.tabs}>
        {tabs.map((value) => (
          <Tabs.Tab key={value} value={value}>
            {words.tabs[value]}
          </Tabs.Tab>
        ))}
      </Tabs.List>
      <Tabs.Panel value="overview">
        <Overview cluster={cluster} />
      </Tabs.Panel>
      <Tabs.Panel value="nodes">
        <NodesTab cluster={cluster} />
      </Tabs.Panel>
      <Tabs.Panel value="databases">
        <DatabasesTab cluster={cluster} />
      </Tabs.Panel>
      <Tabs.Panel value="access">
        <AllowlistTab cluster={cluster} />
      </Tabs.Panel>
      <Tabs.Panel value="backups">
        <BackupsTab cluster={cluster} />
      </Tabs.Panel>
      <Tabs.Panel value="activity">
        <OperationList key={operation} cluster={cluster.id} open={operation} />
      </Tabs.Panel>
      <Tabs.Panel value="settings">
        <SettingsTab cluster={cluster} />
      </Tabs.Panel>
    </Tabs>
  );
}

function NodesTab({ cluster }: { cluster: ClusterView }) {
  const query = useQuery(nodesQuery(cluster.id));
  const nodes = query.data;
  if (query.error && !nodes) {
    return (
      <ErrorNote
        error={query.error}
        retry={() => void query.refetch()}
        isRetrying={query.isFetching}
      />
    );
  }
  return (
    <Card flush>
      {!nodes && <NodesSkeleton count={cluster.nodes_total} />}
      {nodes?.length === 0 && <p className={classes.nothing}>{nodeMessages.empty}</p>}
      {nodes && nodes.length > 0 && <NodesTable cluster={cluster} nodes={nodes} />}
    </Card>
  );
}

function Gone({ name }: { name: string }) {
  return (
    <Empty
      picture={<StatusDot tone="ok" size={22} />}
      title={messages.gone.title(name)}
      text={messages.gone.text}
      action={
        <>
          <Button component={Link} to="/clusters" mr={8}>
            {messages.gone.back}
          </Button>
          <Button component={Link} to="/activity" variant="default">
            {messages.gone.activity}
          </Button>
        </>
      }
    />
  );
}
