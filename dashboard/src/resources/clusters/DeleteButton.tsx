import { Button } from '@mantine/core';
import { useState } from 'react';

import type { ClusterView } from '../../api/types';
import { TrashIcon } from '../../ui/icons';
import { messages } from './clusters.messages';
import { DeleteDialog } from './DeleteDialog';

/** The way to the dialog that deletes a cluster, while it may be deleted. */
export function DeleteButton({ cluster }: { cluster: ClusterView }) {
  const [isAsked, setIsAsked] = useState(false);
  const found = cluster.operations.find((operation) => operation.kind === 'delete_cluster');
  return (
    <>
      <Button
        color="red"
        variant="outline"
        leftSection={<TrashIcon />}
        disabled={!(found?.allowed ?? true)}
        onClick={() => setIsAsked(true)}
      >
        {messages.danger.open}
      </Button>
      <DeleteDialog cluster={cluster} isOpen={isAsked} onClose={() => setIsAsked(false)} />
    </>
  );
}
