import { describe, expect, it } from 'vitest';

import { checkPassword } from './password';

const draft = { current: 'old', next: 'a long new password', again: 'a long new password' };

describe('a new password', () => {
  it('is refused for what is plainly wrong', () => {
    expect(checkPassword(draft)).toEqual({});
    expect(Object.keys(checkPassword({ ...draft, current: '' }))).toEqual(['current']);
    expect(Object.keys(checkPassword({ ...draft, again: 'other' }))).toEqual(['again']);
    expect(Object.keys(checkPassword({ current: 'x', next: 'short', again: 'short' }))).toEqual([
      'next',
    ]);
    expect(Object.keys(checkPassword({ ...draft, current: draft.next }))).toEqual(['next']);
  });
});
