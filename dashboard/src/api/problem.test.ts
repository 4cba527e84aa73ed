import { describe, expect, it } from 'vitest';

import { learnServerTime, serverNow } from './clock';
import { asProblem, toProblem, unreachable } from './problem';

describe('problems', () => {
  it('keeps what the server said', () => {
    const problem = toProblem(422, {
      status: 422,
      code: 'invalid-field',
      title: 'invalid field',
      detail: 'nodes: choose 1 to 9',
      fields: [{ field: 'nodes', message: 'choose 1 to 9' }],
    });
    expect(problem.code).toBe('invalid-field');
    expect(problem.fields).toHaveLength(1);
    expect(problem.isPassing).toBe(false);
  });

  it('describes what is no problem document', () => {
    expect(toProblem(502, '<html>Bad gateway</html>').message).toContain('502');
    expect(toProblem(502, undefined).isPassing).toBe(true);
    expect(unreachable().isPassing).toBe(true);
    expect(asProblem(new TypeError('x is undefined')).message).toBe('x is undefined');
  });
});

describe('the server’s clock', () => {
  it('is followed when it differs by more than its own coarseness', () => {
    const now = Date.now();
    learnServerTime(new Date(now + 60_000).toUTCString(), now);
    expect(serverNow() - now).toBeGreaterThan(55_000);
    learnServerTime(new Date(now + 900).toUTCString(), now);
    expect(Math.abs(serverNow() - Date.now())).toBeLessThan(1_000);
    learnServerTime(null);
  });
});
