import { MantineProvider } from '@mantine/core';
import { renderToStaticMarkup } from 'react-dom/server';
import { describe, expect, it } from 'vitest';

import type { Plan } from '../../api/types';
import { ResizePlans } from './ResizePlans';

const plan = (name: string, change: Partial<Plan> = {}): Plan => ({
  kind: 'resize',
  summary: `Changes ${name} to 2 cores.`,
  steps: [],
  write_pause_ms: 0,
  bytes_copied: 0,
  redundancy_min: 1,
  erases: [],
  refusals: [],
  ...change,
});

const shown = (plans: Plan[]) =>
  renderToStaticMarkup(
    <MantineProvider>
      <ResizePlans plans={plans} />
    </MantineProvider>,
  );

describe('the plans of another size', () => {
  it('are told node by node, with how long writes wait in all', () => {
    const html = shown([plan('demo-2'), plan('demo-1', { write_pause_ms: 1_200 })]);
    expect(html.indexOf('demo-2')).toBeLessThan(html.indexOf('demo-1 to'));
    expect(html).toContain('wait about 1.2 s in all');
    expect(shown([plan('demo-2')])).toContain('Writes go on without a pause');
    expect(shown([])).toContain('have it already');
  });

  it('say what stands in the way', () => {
    const refusals = ['writes would wait; add a node first, or allow waiting'];
    const html = shown([plan('demo-2', { refusals })]);
    expect(html).toContain('Writes would wait; add a node first, or allow waiting');
  });
});
