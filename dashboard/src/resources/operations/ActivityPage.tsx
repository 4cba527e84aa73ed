import { PageHead } from '../../ui/PageHead';
import { useTitle } from '../../ui/useTitle';
import { OperationList } from './OperationList';
import { messages } from './operations.messages';

/** The operations of every cluster, also of those that are gone. */
export function ActivityPage() {
  useTitle(messages.title);
  return (
    <>
      <PageHead title={messages.title} sub={messages.sub} />
      <OperationList />
    </>
  );
}
