import { describe, expect, it } from 'vitest';

import { partsOf } from './timeline';

const phase = (name: string, ended_ms: number) => ({ name, title: name, ended_ms });

describe('a timeline', () => {
  it('gives every part its share', () => {
    const parts = partsOf([phase('a', 100), phase('b', 400)]);
    expect(parts.map((part) => [part.from, part.to])).toEqual([
      [0, 0.25],
      [0.25, 1],
    ]);
  });

  it('shows also what took no time', () => {
    const parts = partsOf([phase('a', 0), phase('b', 0), phase('c', 900)]);
    expect(parts.every((part) => part.to - part.from > 0.01)).toBe(true);
    expect(parts.at(-1)?.to).toBeCloseTo(1);
    expect(partsOf([phase('a', 0)])[0]?.to).toBe(1);
    expect(partsOf([])).toEqual([]);
  });
});
