import { useInfiniteQuery } from '@tanstack/react-query';

import { backupsQuery } from '../../api/queries';
import type { ClusterView } from '../../api/types';
import { Card } from '../../ui/Card';
import { BackupList } from './BackupList';
import { messages } from './backups.messages';
import { Proofs } from './Proofs';
import { Timeline } from './Timeline';

/** The backups of a cluster, on a time line and one by one. */
export function BackupHistory({ cluster }: { cluster: ClusterView }) {
  const backups = useInfiniteQuery(backupsQuery(cluster.name)).data?.pages.flatMap(
    (page) => page.items,
  );
  return (
    <Card title={messages.history} flush>
      <Proofs cluster={cluster.name} />
      {backups && <Timeline backups={backups} />}
      <BackupList cluster={cluster} />
    </Card>
  );
}
