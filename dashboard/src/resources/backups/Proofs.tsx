import { useInfiniteQuery } from '@tanstack/react-query';

import { operationsQuery } from '../../api/queries';
import { isEnded } from '../operations/status';
import { messages } from './backups.messages';
import { Progress } from './Progress';

/** The proofs that are under way: they run in scratch nodes, beside any cluster. */
export function Proofs({ cluster }: { cluster?: string }) {
  const operations = useInfiniteQuery(operationsQuery()).data?.pages[0]?.items ?? [];
  return operations
    .filter((one) => one.kind === 'prove' && !isEnded(one))
    .filter((one) => cluster === undefined || one.cluster_name === cluster)
    .map((one) => (
      <Progress key={one.id} operation={one} title={messages.proving(one.cluster_name)} />
    ));
}
