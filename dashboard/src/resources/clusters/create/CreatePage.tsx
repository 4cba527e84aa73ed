import { Button } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';

import { enginesQuery, providersQuery } from '../../../api/queries';
import { PagePending } from '../../../app/Fallbacks';
import { ErrorNote } from '../../../ui/ErrorNote';
import { ArrowLeftIcon } from '../../../ui/icons';
import { PageHead } from '../../../ui/PageHead';
import { useTitle } from '../../../ui/useTitle';
import { Link } from '@tanstack/react-router';
import { messages } from './create.messages';
import { Wizard } from './Wizard';

/** Reads what there is to choose from, then asks step by step. */
export function CreatePage() {
  useTitle(messages.title);
  const engines = useQuery(enginesQuery);
  const providers = useQuery(providersQuery);
  const failed = [engines, providers].find((query) => query.error && !query.data);
  return (
    <>
      <PageHead
        title={messages.title}
        actions={
          <Button
            component={Link}
            to="/clusters"
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
      ) : engines.data && providers.data ? (
        <Wizard catalogue={{ engines: engines.data, providers: providers.data }} />
      ) : (
        <PagePending />
      )}
    </>
  );
}
