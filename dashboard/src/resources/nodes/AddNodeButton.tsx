import { Button, Tooltip } from '@mantine/core';
import { useState } from 'react';

import type { ClusterView } from '../../api/types';
import { PlusIcon } from '../../ui/icons';
import { ConfirmOperation } from './ConfirmOperation';
import { messages } from './nodes.messages';

export function AddNodeButton({ cluster }: { cluster: ClusterView }) {
  const [isAsked, setIsAsked] = useState(false);
  const found = cluster.operations.find((operation) => operation.kind === 'add_node');
  const isAllowed = found?.allowed ?? false;
  return (
    <>
      <Tooltip label={found?.reason || messages.unavailable} disabled={isAllowed}>
        {/* Not `disabled`: the reason has to be reachable by keyboard. */}
        <Button
          variant="default"
          leftSection={<PlusIcon />}
          aria-disabled={!isAllowed}
          data-disabled={!isAllowed || undefined}
          onClick={() => isAllowed && setIsAsked(true)}
        >
          {messages.add}
        </Button>
      </Tooltip>
      <ConfirmOperation
        cluster={cluster}
        request={{ kind: 'add_node' }}
        title={messages.addTitle(cluster.name)}
        action={messages.confirmAdd}
        isOpen={isAsked}
        onClose={() => setIsAsked(false)}
      />
    </>
  );
}
