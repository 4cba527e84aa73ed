import { Button } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';

import { applyEvents } from '../../api/feed';
import { cancelOperation } from '../../api/operations';
import type { Operation } from '../../api/types';
import { ErrorNote } from '../../ui/ErrorNote';
import { DEFAULT_PROJECT, isAtLeast, roleIn, useAccess } from '../people/may';
import { messages } from './operations.messages';

/** Takes back what was asked for at a later time. */
export function TakeBack({ operation }: { operation: Operation }) {
  const client = useQueryClient();
  const role = roleIn(useAccess(), operation.project ?? DEFAULT_PROJECT);
  const cancel = useMutation({
    mutationFn: () => cancelOperation(operation.id),
    onSuccess: (cancelled) => applyEvents(client, [{ kind: 'operation', operation: cancelled }]),
  });
  if (!isAtLeast(role, 'operator')) return null;
  return (
    <div>
      {cancel.error && <ErrorNote error={cancel.error} />}
      <Button variant="default" loading={cancel.isPending} onClick={() => cancel.mutate()}>
        {messages.takeBack}
      </Button>
    </div>
  );
}
