import { describe, expect, it } from 'vitest';

import { hasSomewhere, isAtLeast, roleIn } from './may';

describe('what somebody may', () => {
  it('is the greater of the role in the project and the one everywhere', () => {
    const access = { everywhere: 'operator', projects: { shop: 'admin', lab: 'viewer' } } as const;
    expect(roleIn(access, 'shop')).toBe('admin');
    expect(roleIn(access, 'lab')).toBe('operator');
    expect(roleIn(access, 'other')).toBe('operator');
    expect(roleIn({ projects: { shop: 'viewer' } }, 'other')).toBeNull();
    expect(roleIn(undefined, 'shop')).toBeNull();
  });

  it('is compared by rank', () => {
    expect(isAtLeast('owner', 'admin')).toBe(true);
    expect(isAtLeast('viewer', 'operator')).toBe(false);
    expect(isAtLeast(null, 'viewer')).toBe(false);
    expect(hasSomewhere({ projects: { shop: 'admin' } }, 'admin')).toBe(true);
    expect(hasSomewhere({ projects: { shop: 'operator' } }, 'admin')).toBe(false);
  });
});
