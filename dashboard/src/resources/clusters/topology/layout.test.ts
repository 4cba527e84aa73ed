import { describe, expect, it } from 'vitest';

import { node } from '../../../test/samples';
import { type Box, castOf, fitName, fitText, layoutTopology, readersOf } from './layout';

const overlap = (a: Box, b: Box) =>
  a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;

describe('a topology', () => {
  it.each([
    [1, 320],
    [3, 320],
    [9, 360],
    [1, 760],
    [3, 900],
    [9, 1_200],
  ])('of %i nodes fits in %i pixels without overlaps', (count, width) => {
    const nodes = Array.from({ length: count }, (_, index) => node(index + 1));
    const layout = layoutTopology(castOf(nodes, 'n1'), width);
    const boxes: Box[] = [...layout.nodes, ...layout.endpoints];
    expect(boxes).toHaveLength(count + 2);
    for (const [index, box] of boxes.entries()) {
      expect(box.x).toBeGreaterThanOrEqual(0);
      expect(box.x + box.width).toBeLessThanOrEqual(width + 0.01);
      expect(box.y + box.height).toBeLessThanOrEqual(layout.height);
      for (const other of boxes.slice(index + 1)) expect(overlap(box, other)).toBe(false);
    }
  });

  it('leaves a lost primary in its place and sends reads to whoever follows well', () => {
    const lost = node(1, { role: 'none', health: 'silent' });
    const cast = castOf([lost, node(2), node(3, { health: 'degraded' })], 'n1');
    expect(cast.primary?.name).toBe('demo-1');
    expect(cast.isServing).toBe(false);
    expect(readersOf(cast).map((one) => one.name)).toEqual(['demo-2']);
    const flowing = layoutTopology(cast, 900).edges.filter((edge) => edge.isFlowing);
    expect(flowing.map((edge) => edge.kind)).toEqual(['reads']);
  });

  it('sends reads to the primary when nobody follows', () => {
    expect(readersOf(castOf([node(1)], 'n1')).map((one) => one.name)).toEqual(['demo-1']);
    expect(readersOf(castOf([], null))).toEqual([]);
    expect(layoutTopology(castOf([], null), 900).nodes).toHaveLength(1);
  });

  it('believes reports, not plans: who is primary is who says so', () => {
    const cast = castOf([node(1, { role: 'replica' }), node(2, { role: 'primary' })], 'n1');
    expect(cast.primary?.name).toBe('demo-2');
  });

  it('puts the one that clients are led to first of those that accept writes', () => {
    const equals = [1, 2, 3].map((ordinal) => node(ordinal, { role: 'primary', gate_open: true }));
    const cast = castOf(equals, 'n2');
    expect(cast.primary?.name).toBe('demo-2');
    expect(cast.isServing).toBe(true);
    expect(readersOf(cast).map((one) => one.name)).toEqual(['demo-1', 'demo-3']);
  });

  it('cuts long names', () => {
    expect(fitText('demo-1', 200, 14)).toBe('demo-1');
    const cut = fitText('a'.repeat(60), 160, 14);
    expect(cut.length).toBeLessThan(22);
    expect(cut.endsWith('…')).toBe(true);
    const name = `${'a'.repeat(40)}-12`;
    expect(fitName(name, 160, 14)).toBe(`${'a'.repeat(16)}…-12`);
    expect(fitName('demo-1', 160, 14)).toBe('demo-1');
  });
});
