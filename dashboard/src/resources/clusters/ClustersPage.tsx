import { Button, Skeleton, TextInput } from '@mantine/core';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';

import { clustersQuery, enginesQuery } from '../../api/queries';
import type { ClusterView, EngineProfile } from '../../api/types';
import { Card } from '../../ui/Card';
import { CopyText } from '../../ui/CopyText';
import { Empty } from '../../ui/Empty';
import { ErrorNote } from '../../ui/ErrorNote';
import { PlusIcon, SearchIcon } from '../../ui/icons';
import { PageHead } from '../../ui/PageHead';
import { Status, StatusDot } from '../../ui/Status';
import table from '../../ui/table.module.css';
import { useTitle } from '../../ui/useTitle';
import { hasSomewhere, useAccess } from '../people/may';
import classes from './clusters.module.css';
import { messages } from './clusters.messages';
import { engineTitle } from './describe';

import { OperationNow } from './OperationNow';
import { clusterLooks } from './status';
import { TopologySketch } from './topology/TopologySketch';

const words = messages.list;
/** A list that fits on a screen needs no search. */
const SEARCH_FROM = 8;

export function ClustersPage() {
  useTitle(words.title);
  const query = useInfiniteQuery(clustersQuery);
  const clusters = query.data?.pages
    .flatMap((page) => page.items)
    .toSorted((a, b) => a.name.localeCompare(b.name));
  const isEmpty = clusters?.length === 0;
  return (
    <>
      <PageHead
        title={words.title}
        sub={clusters && !isEmpty ? words.count(clusters.length) : undefined}
        actions={!isEmpty && <CreateButton />}
      />
      {query.error && !clusters ? (
        <ErrorNote
          error={query.error}
          retry={() => void query.refetch()}
          isRetrying={query.isFetching}
        />
      ) : (
        <Card flush>
          {!clusters && <ListSkeleton />}
          {isEmpty && <NoClusters />}
          {clusters && !isEmpty && <ClusterList clusters={clusters} />}
          {query.hasNextPage && (
            <div className={classes.more}>
              <Button
                variant="default"
                size="xs"
                loading={query.isFetchingNextPage}
                onClick={() => void query.fetchNextPage()}
              >
                {words.more}
              </Button>
            </div>
          )}
        </Card>
      )}
    </>
  );
}

function CreateButton() {
  if (!hasSomewhere(useAccess(), 'admin')) return null;
  return (
    <Button component={Link} to="/new-cluster" leftSection={<PlusIcon />}>
      {words.create}
    </Button>
  );
}

function NoClusters() {
  const mayCreate = hasSomewhere(useAccess(), 'admin');
  return (
    <Empty
      picture={<TopologySketch nodes={3} acks={0} />}
      title={messages.empty.title}
      text={messages.empty.text}
      action={
        <>
          <CreateButton />
          {mayCreate && (
            <Button component={Link} to="/backups" variant="default" ml={8}>
              {messages.empty.restore}
            </Button>
          )}
          {mayCreate && (
            <div className={classes.command}>
              <p>{messages.empty.or}</p>
              <CopyText text={messages.empty.command} label={words.create} />
            </div>
          )}
        </>
      }
    />
  );
}

function ClusterList({ clusters }: { clusters: ClusterView[] }) {
  const [wanted, setWanted] = useState('');
  const engines = useQuery(enginesQuery).data;
  const found = clusters.filter((cluster) => cluster.name.includes(wanted.trim().toLowerCase()));
  return (
    <>
      {clusters.length >= SEARCH_FROM && (
        <div className={classes.toolbar}>
          <TextInput
            size="xs"
            aria-label={words.search}
            placeholder={words.search}
            leftSection={<SearchIcon size={14} />}
            value={wanted}
            onChange={(event) => setWanted(event.currentTarget.value)}
          />
        </div>
      )}
      {found.length === 0 ? (
        <p className={classes.nothing}>{words.nothingFound(wanted.trim())}</p>
      ) : (
        <table className={table.table}>
          <thead>
            <tr>
              {Object.values(words.columns).map((column) => (
                <th key={column} scope="col">
                  {column}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {found.map((cluster) => (
              <ClusterRow key={cluster.id} cluster={cluster} engines={engines} />
            ))}
          </tbody>
        </table>
      )}
    </>
  );
}

interface RowProps {
  cluster: ClusterView;
  engines: EngineProfile[] | undefined;
}

function ClusterRow({ cluster, engines }: RowProps) {
  const { spec } = cluster;
  const columns = words.columns;
  return (
    <tr className={table.row}>
      <td data-wide>
        <Link to="/clusters/$name" params={{ name: cluster.name }} className={table.link}>
          {cluster.name}
        </Link>
        <span className={table.sub}>{cluster.sentence}</span>
        {cluster.backup?.problem && (
          <span className={classes.backups}>
            <StatusDot tone="bad" /> {words.backups}
          </span>
        )}
      </td>
      <td data-label={columns.engine} className={table.number}>
        {engineTitle(spec.engine, engines)} {spec.version}
      </td>
      <td data-label={columns.status}>
        <Status look={clusterLooks[cluster.phase]} />
      </td>
      <td data-label={columns.nodes} className={table.number}>
        {words.healthyOf(cluster.nodes_healthy, cluster.nodes_total)}
      </td>
      <td data-label={columns.primary}>{cluster.primary_name ?? words.nothing}</td>
      <td data-label={columns.operation} data-empty={cluster.operation ? undefined : true}>
        {cluster.operation ? (
          <OperationNow id={cluster.operation} />
        ) : (
          <span className={table.dim}>{words.nothing}</span>
        )}
      </td>
    </tr>
  );
}

function ListSkeleton() {
  return (
    <div style={{ display: 'grid', gap: 18, padding: 18 }} aria-busy="true">
      {[72, 60, 66].map((width) => (
        <div key={width} style={{ display: 'grid', gap: 8 }}>
          <Skeleton height={14} width={120} />
          <Skeleton height={11} width={`${width}%`} />
        </div>
      ))}
    </div>
  );
}
