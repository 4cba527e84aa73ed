import { describe, expect, it } from 'vitest';

import { isSaid, NOW, whenOf } from './WhenChoice';

describe('when something shall begin', () => {
  it('is sent only where it is not now', () => {
    expect(whenOf(NOW)).toEqual({});
    expect(whenOf({ ...NOW, kind: 'window' })).toEqual({ window: '0 3 * * 0' });
    const at = { ...NOW, kind: 'at' as const, at: '2030-01-31T03:00' };
    expect(whenOf(at)).toEqual({ at: new Date('2030-01-31T03:00').toISOString() });
    expect([isSaid(at), isSaid({ ...at, at: '' }), isSaid(NOW)]).toEqual([true, false, true]);
  });
});
