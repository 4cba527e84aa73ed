import { describe, expect, it } from 'vitest';

import { node, operation } from '../test/samples';
import type { StatusLook } from '../ui/tones';
import { clusterLooks } from './clusters/status';
import { healthLooks, roleOf } from './nodes/status';
import { reportRows } from './operations/report';
import { stepTime } from './operations/StepList';
import { isEnded, operationLooks, operationTitle, progressOf } from './operations/status';

describe('a status', () => {
  // The maps are complete because they do not compile otherwise; here they are told apart.
  it.each([
    ['clusters', clusterLooks],
    ['nodes', healthLooks],
    ['operations', operationLooks],
  ])('of %s has a word of its own', (_, looks: Record<string, StatusLook>) => {
    const words = Object.values(looks).map((look) => look.word);
    expect(new Set(words).size).toBe(words.length);
    expect(words.every((word) => /^[A-Z][a-z ]+$/.test(word))).toBe(true);
  });

  it('of a node without a role is where it is in its life', () => {
    expect(roleOf(node(2))).toBe('Replica');
    expect(roleOf(node(2, { role: 'none', phase: 'seeding' }))).toBe('Copying data');
    expect(roleOf(node(2, { role: 'none' }))).toBe('No role');
  });
});

describe('an operation', () => {
  it('is named by what it does and to whom', () => {
    expect(operationTitle({ kind: 'switchover', node_name: 'demo-2' })).toBe('Promote demo-2');
    expect(operationTitle({ kind: 'failover', node_name: 'demo-2' })).toBe('Failover to demo-2');
    expect(operationTitle({ kind: 'failover' })).toBe('Failover');
  });

  it('says how far it is', () => {
    expect(progressOf(operation())).toEqual({ at: 2, of: 3, title: 'Hold new connections' });
    expect(progressOf(operation({ steps: [] }))).toEqual({ at: 0, of: 0, title: '' });
    expect(isEnded(operation())).toBe(false);
    expect(isEnded(operation({ status: 'cancelled' }))).toBe(true);
  });

  it('ticks while a step runs and stands still afterwards', () => {
    const begun = '2026-01-01T00:00:00Z';
    const now = Date.parse(begun) + 12_500;
    const step = { name: 'seed', title: 'Copy', started_at: begun };
    expect(stepTime({ ...step, state: 'running' }, now)).toBe('12 s');
    const ended_at = '2026-01-01T00:00:00.412Z';
    expect(stepTime({ ...step, state: 'done', ended_at }, now)).toBe('412 ms');
    expect(stepTime({ name: 'seed', title: 'Copy', state: 'pending' }, now)).toBe('');
  });

  it('reports what it learned, in words and without ids', () => {
    const rows = reportRows({
      evidence: 'its machine did not run',
      former: '0193',
      former_name: 'demo-1',
      term: 2,
      missing_bytes: 0,
      unseen_ms: 420,
      rescued_bytes: 0,
      serving_ms: 2_340,
      candidate_position: { timeline: 1, offset: 16 },
      promised: ['a', 'b'],
      fence: '',
    });
    expect(rows).toEqual([
      ['What was seen', 'its machine did not run'],
      ['Former primary', 'demo-1'],
      ['Its log reached', '1:0/10'],
      ['New term', '2'],
      ['Known to be lost', 'nothing'],
      ['May be lost besides: the last', '420 ms'],
      ['New primary served after', '2.3 s'],
    ]);
    expect(reportRows(null)).toEqual([]);
    expect(reportRows({ term: 0 })).toEqual([]);
  });
});
