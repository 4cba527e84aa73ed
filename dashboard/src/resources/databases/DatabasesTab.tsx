import { Skeleton } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';

import { databasesQuery, databaseUsersQuery } from '../../api/queries';
import type { ClusterView } from '../../api/types';
import { ErrorNote } from '../../ui/ErrorNote';
import { DatabasesCard } from './DatabasesCard';
import classes from './databases.module.css';
import { UsersCard } from './UsersCard';

/** The databases of a cluster, who may use them, and the rotation of their passwords. */
export function DatabasesTab({ cluster }: { cluster: ClusterView }) {
  const databases = useQuery(databasesQuery(cluster.id));
  const users = useQuery(databaseUsersQuery(cluster.id));
  const failed = [databases, users].find((query) => query.error && !query.data);
  if (failed) return <ErrorNote error={failed.error} retry={() => void failed.refetch()} />;
  if (!databases.data || !users.data) return <Skeleton height={140} />;
  return (
    <div className={classes.stack}>
      {databases.data.length > 0 && <DatabasesCard cluster={cluster} databases={databases.data} />}
      <UsersCard cluster={cluster} databases={databases.data} users={users.data} />
    </div>
  );
}
