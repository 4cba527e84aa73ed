import { MantineProvider } from '@mantine/core';
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { renderToStaticMarkup } from 'react-dom/server';
import { describe, expect, it, vi } from 'vitest';

import { keys } from '../../api/keys';
import type { Operation, Role, UserView } from '../../api/types';
import { cluster, operation } from '../../test/samples';
import { AllowLossNote } from './AllowLossNote';
import { messages } from './operations.messages';

// What would be asked for is shown instead of asked.
vi.mock('../nodes/ConfirmOperation', () => ({
  ConfirmOperation: ({ request, title, isOpen }: Record<string, unknown>) => (
    <output title={String(title)}>{JSON.stringify({ request, isOpen })}</output>
  ),
}));

const words = 'demo-1 is lost with up to 3 MiB that no replica has; waiting for its disk';

/** A failover that has waited so long for the disk of the lost primary. */
function waiting(ms: number, name = 'rescue_tail'): Operation {
  const started_at = new Date(Date.now() - ms).toISOString();
  return operation({
    kind: 'failover',
    steps: [{ name, title: 'Save the tail', state: 'running', started_at, message: words }],
  });
}

function shown(of: Operation, { role = 'operator' as Role, allowed = true } = {}): string {
  const client = new QueryClient();
  const me: UserView = {
    id: 'u1',
    name: 'me',
    must_change_password: false,
    access: { everywhere: role },
  };
  client.setQueryData(keys.me, me);
  const stuck = cluster({
    phase: 'unavailable',
    operations: [{ kind: 'failover', allowed, reason: allowed ? '' : 'nothing would be lost' }],
  });
  return renderToStaticMarkup(
    <MantineProvider>
      <QueryClientProvider client={client}>
        <AllowLossNote cluster={stuck} operation={of} />
      </QueryClientProvider>
    </MantineProvider>,
  );
}

describe('a failover that would lose more than automation may', () => {
  it('says what it waits for, and offers a person to lose it', () => {
    const html = shown(waiting(10_000));
    expect(html).toContain(words);
    expect(html).toContain(`>${messages.allowLoss}<`);
    // It is asked about first, and asks for exactly that.
    expect(html).toContain(messages.allowLossTitle('demo'));
    const asked = { request: { kind: 'failover', allow_loss: true }, isOpen: false };
    expect(html).toContain(JSON.stringify(asked).replaceAll('"', '&quot;'));
  });

  it.each([
    ['the disk may still come back soon', waiting(1_000), {}],
    ['it is at another step', waiting(10_000, 'collect_promises'), {}],
    ['the server does not offer it', waiting(10_000), { allowed: false }],
    ['whoever looks may only look', waiting(10_000), { role: 'viewer' as Role }],
  ])('offers nothing while %s', (_, of, change) => {
    expect(shown(of, change)).not.toContain(messages.allowLoss);
  });
});
