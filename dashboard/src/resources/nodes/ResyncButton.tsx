import { Button, Tooltip } from '@mantine/core';
import { useState } from 'react';

import type { ClusterView } from '../../api/types';
import { RetryIcon } from '../../ui/icons';
import { ConfirmOperation } from './ConfirmOperation';
import { messages } from './nodes.messages';

/** Copies the primary's data anew to every replica, after saying what that erases and where. */
export function ResyncButton({ cluster }: { cluster: ClusterView }) {
  const [isAsked, setIsAsked] = useState(false);
  const found = cluster.operations.find((operation) => operation.kind === 'resync');
  const isAllowed = found?.allowed ?? false;
  return (
    <>
      <Tooltip label={found?.reason || messages.unavailable} disabled={isAllowed} multiline maw={360}>
        {/* Not `disabled`: the reason has to be reachable by keyboard. */}
        <Button
          variant="default"
          leftSection={<RetryIcon />}
          aria-disabled={!isAllowed}
          data-disabled={!isAllowed || undefined}
          onClick={() => isAllowed && setIsAsked(true)}
        >
          {messages.resync}
        </Button>
      </Tooltip>
      <ConfirmOperation
        cluster={cluster}
        request={{ kind: 'resync', copy: true }}
        title={messages.resyncTitle(cluster.name)}
        action={messages.confirmResync}
        isDangerous
        isOpen={isAsked}
        onClose={() => setIsAsked(false)}
      />
    </>
  );
}
