import { describe, expect, it } from 'vitest';

import { isForWaiting } from './waiting';

describe('a refusal for writes that would wait', () => {
  it('is told apart', () => {
    expect(isForWaiting('writes would wait; add a node first, or allow waiting')).toBe(true);
    expect(isForWaiting('there is no replica')).toBe(false);
  });
});
