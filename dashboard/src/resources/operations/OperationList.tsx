import { Button, Skeleton } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';

import { operationsQuery } from '../../api/queries';
import { Card } from '../../ui/Card';
import { Empty } from '../../ui/Empty';
import { ErrorNote } from '../../ui/ErrorNote';
import { OperationItem } from './OperationItem';
import classes from './operations.module.css';
import { messages } from './operations.messages';
import { isEnded } from './status';

interface Props {
  /** The cluster whose operations these are; all without. */
  cluster?: string;
  /** The operation that is open at first. */
  open?: string | undefined;
}

export function OperationList({ cluster, open }: Props) {
  const query = useInfiniteQuery(operationsQuery(cluster));
  const operations = query.data?.pages.flatMap((page) => page.items);
  if (query.error && !operations) {
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
      {!operations && (
        <div style={{ display: 'grid', gap: 16, padding: 18 }} aria-busy="true">
          <Skeleton height={14} width={180} />
          <Skeleton height={14} width={220} />
          <Skeleton height={14} width={160} />
        </div>
      )}
      {operations?.length === 0 && (
        <Empty title={messages.empty.title} text={messages.empty.text} />
      )}
      {operations && operations.length > 0 && (
        <ul className={classes.list}>
          {operations.map((operation) => (
            <OperationItem
              key={operation.id}
              operation={operation}
              isOpenAtFirst={operation.id === open || !isEnded(operation)}
              showCluster={cluster === undefined}
            />
          ))}
        </ul>
      )}
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
    </Card>
  );
}
