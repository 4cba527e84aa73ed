import { describe, expect, it } from 'vitest';

import { choiceOf, cronOf } from './schedule';

describe('schedules', () => {
  it('are found again as they were chosen', () => {
    for (const choice of ['weekly', 'monthly'] as const) {
      expect(choiceOf(cronOf(choice, '') ?? undefined)).toBe(choice);
    }
    expect(choiceOf('*/5 * * * *')).toBe('own');
    expect(cronOf('own', ' 5 4 * * * ')).toBe('5 4 * * *');
    expect([choiceOf(undefined), cronOf('off', 'x')]).toEqual(['off', null]);
  });
});
