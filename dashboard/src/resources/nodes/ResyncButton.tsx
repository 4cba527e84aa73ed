import { Button, Tooltip } from '@mantine/core';
import { useState } from 'react';

import type { ClusterView } from '../../api/types';
import { RetryIcon } from '../../ui/icons';
import { AllowWaiting } from './AllowWaiting';
import { ConfirmOperation } from './ConfirmOperation';
import { messages } from './nodes.messages';
import { isForWaiting } from '../plans/waiting';

/** Copies the primary's data anew to every replica, after saying what that erases and where. */
export function ResyncButton({ cluster }: { cluster: ClusterView }) {
  const [isAsked, setIsAsked] = useState(false);
  const [allowsWaiting, setAllowsWaiting] = useState(false);
  const found = cluster.operations.find((operation) => operation.kind === 'resync');
  const isForWaits = isForWaiting(found?.reason ?? '');
  const isAllowed = (found?.allowed ?? false) || isForWaits;
  const close = () => {
    setIsAsked(false);
    setAllowsWaiting(false);
  };
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
        request={{ kind: 'resync', copy: true, allow_waiting: allowsWaiting }}
        title={messages.resyncTitle(cluster.name)}
        action={messages.confirmResync}
        isDangerous
        choices={
          isForWaits && <AllowWaiting isAllowed={allowsWaiting} onChange={setAllowsWaiting} />
        }
        isOpen={isAsked}
        onClose={close}
      />
    </>
  );
}
