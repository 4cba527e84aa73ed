import { Button, Skeleton } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';

import { backupsQuery } from '../../api/queries';
import type { ClusterView } from '../../api/types';
import { ErrorNote } from '../../ui/ErrorNote';
import { BackupItem } from './BackupItem';
import { messages } from './backups.messages';
import classes from './backups.module.css';

/** The backups of a cluster; of all of them without. */
export function BackupList({ cluster }: { cluster?: ClusterView }) {
  const query = useInfiniteQuery(backupsQuery(cluster?.name));
  const backups = query.data?.pages.flatMap((page) => page.items);
  if (query.error && !backups) {
    return (
      <div className={classes.padded}>
        <ErrorNote
          error={query.error}
          retry={() => void query.refetch()}
          isRetrying={query.isFetching}
        />
      </div>
    );
  }
  if (!backups) {
    return (
      <div className={classes.padded} aria-busy="true">
        <Skeleton height={14} width={220} mb={14} />
        <Skeleton height={14} width={180} />
      </div>
    );
  }
  if (backups.length === 0) {
    return <p className={classes.nothing}>{cluster ? messages.empty : messages.emptyAll}</p>;
  }
  return (
    <>
      <ul className={classes.list} aria-label={messages.historyOf}>
        {backups.map((backup) => (
          <BackupItem key={backup.id} backup={backup} all={backups} cluster={cluster} />
        ))}
      </ul>
      {query.hasNextPage && (
        <div className={classes.more}>
          <Button
            size="xs"
            variant="default"
            loading={query.isFetchingNextPage}
            onClick={() => void query.fetchNextPage()}
          >
            {messages.more}
          </Button>
        </div>
      )}
    </>
  );
}
