import { describe, expect, it } from 'vitest';

import { isForWaiting, withoutOption } from './waiting';

describe('a refusal for writes that would wait', () => {
  it('is told apart, and said without the option of the command line', () => {
    const reason =
      'writes would wait; add a node first, change the replication mode, or allow it (`--allow-waiting`)';
    expect(isForWaiting(reason)).toBe(true);
    expect(withoutOption(reason)).toBe(
      'writes would wait; add a node first, change the replication mode',
    );
    expect(isForWaiting('there is no replica')).toBe(false);
    expect(withoutOption('there is no replica')).toBe('there is no replica');
  });
});
