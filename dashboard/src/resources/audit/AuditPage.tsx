import { Alert, Button, Skeleton } from '@mantine/core';
import { useInfiniteQuery, useMutation } from '@tanstack/react-query';

import { verifyAudit } from '../../api/audit';
import { auditQuery } from '../../api/queries';
import type { AuditEntry } from '../../api/types';
import { Card } from '../../ui/Card';
import { CopyText } from '../../ui/CopyText';
import { ErrorNote } from '../../ui/ErrorNote';
import { formatMoment } from '../../ui/format';
import { PageHead } from '../../ui/PageHead';
import { Status } from '../../ui/Status';
import table from '../../ui/table.module.css';
import { useTitle } from '../../ui/useTitle';
import classes from './audit.module.css';
import { messages } from './audit.messages';

const { columns } = messages;

/** What was changed and shown, by whom, and whether the log is whole. */
export function AuditPage() {
  useTitle(messages.title);
  const query = useInfiniteQuery(auditQuery);
  const verify = useMutation({ mutationFn: verifyAudit });
  const entries = query.data?.pages.flatMap((page) => page.items);
  const found = verify.data;
  return (
    <>
      <PageHead
        title={messages.title}
        sub={messages.lead}
        actions={
          <>
            <Button variant="default" loading={verify.isPending} onClick={() => verify.mutate()}>
              {messages.verify}
            </Button>
            <Button component="a" variant="default" href="/v1/audit/export" download="audit.ndjson">
              {messages.download}
            </Button>
          </>
        }
      />
      {query.error && <ErrorNote error={query.error} retry={() => void query.refetch()} />}
      {verify.error && <ErrorNote error={verify.error} />}
      {found && (
        <div className={classes.found} role="status">
          <Alert color={found.whole ? 'green' : 'red'}>
            {found.whole ? messages.whole(found.entries) : messages.broken(found.broken_at ?? 0)}
          </Alert>
          {found.whole && found.last_hash && (
            <>
              <p className={classes.detail}>{messages.head}</p>
              <CopyText text={found.last_hash} label={messages.headLabel} />
            </>
          )}
        </div>
      )}
      <Card flush>
        {!entries && <Skeleton height={120} />}
        {entries?.length === 0 && <p className={classes.nothing}>{messages.empty}</p>}
        {entries && entries.length > 0 && (
          <table className={table.table}>
            <thead>
              <tr>
                {Object.values(columns).map((column) => (
                  <th key={column} scope="col">
                    {column}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {entries.map((entry) => (
                <EntryRow key={entry.id} entry={entry} />
              ))}
            </tbody>
          </table>
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
    </>
  );
}

function EntryRow({ entry }: { entry: AuditEntry }) {
  const isWell = entry.result === 'ok';
  return (
    <tr className={table.row}>
      <td data-label={columns.at} data-wide className={table.number}>
        {formatMoment(entry.at)}
      </td>
      <td data-label={columns.user}>{entry.user}</td>
      <td data-label={columns.source}>{entry.source}</td>
      <td data-label={columns.action}>{entry.action}</td>
      <td data-label={columns.object} data-wide>
        {entry.object}
        {entry.detail && <span className={classes.detail}>{entry.detail}</span>}
      </td>
      <td data-label={columns.result}>
        {isWell ? entry.result : <Status look={{ tone: 'bad', word: entry.result }} />}
      </td>
    </tr>
  );
}
