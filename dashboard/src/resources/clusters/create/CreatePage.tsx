import { Button } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';

import { backupQuery, enginesQuery, providersQuery } from '../../../api/queries';
import { PagePending } from '../../../app/Fallbacks';
import { ErrorNote } from '../../../ui/ErrorNote';
import { ArrowLeftIcon } from '../../../ui/icons';
import { PageHead } from '../../../ui/PageHead';
import { useTitle } from '../../../ui/useTitle';
import { getRouteApi, Link } from '@tanstack/react-router';
import { messages } from './create.messages';
import { Wizard } from './Wizard';

const route = getRouteApi('/shell/new-cluster');

/** Reads what there is to choose from, then asks step by step. */
export function CreatePage() {
  const { backup: id } = route.useSearch();
  const isRestore = id !== undefined;
  const title = isRestore ? messages.restoreTitle : messages.title;
  useTitle(title);
  const engines = useQuery(enginesQuery);
  const providers = useQuery(providersQuery);
  const backup = useQuery({ ...backupQuery(id ?? ''), enabled: Boolean(id) });
  const failed = [engines, providers, backup].find((query) => query.error && !query.data);
  const isRead = engines.data && providers.data && (backup.data || !id);
  return (
    <>
      <PageHead
        title={title}
        actions={
          <Button
            component={Link}
            to={isRestore ? '/backups' : '/clusters'}
            variant="subtle"
            color="gray"
            leftSection={<ArrowLeftIcon />}
          >
            {messages.cancel}
          </Button>
        }
      />
      {failed ? (
        <ErrorNote
          error={failed.error}
          retry={() => void failed.refetch()}
          isRetrying={failed.isFetching}
        />
      ) : isRead ? (
        <Wizard
          key={String(isRestore)}
          catalogue={{ engines: engines.data, providers: providers.data }}
          isRestore={isRestore}
          facts={backup.data?.facts ?? undefined}
        />
      ) : (
        <PagePending />
      )}
    </>
  );
}
