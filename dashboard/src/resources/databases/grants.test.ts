import { expect, it } from 'vitest';

import type { DatabaseView } from '../../api/types';
import { chosenOf, grantsOf } from './grants';

const database = (name: string, state: DatabaseView['state'] = 'in_force'): DatabaseView => ({
  name,
  state,
  is_first: name === 'app',
});

it('rights are asked for on what is chosen and there', () => {
  const chosen = chosenOf([
    { on: 'shop', rights: 'owner' },
    { on: 'old', rights: 'read_only' },
  ]);
  const databases = [database('app'), database('shop'), database('old', 'dropping')];
  expect(grantsOf(chosen, databases)).toEqual([{ on: 'shop', rights: 'owner' }]);
  const none = { ...chosen, byDatabase: { ...chosen.byDatabase, shop: '' as const } };
  expect(grantsOf(none, databases)).toEqual([]);
});

it('patterns of keys have the same rights', () => {
  const chosen = { ...chosenOf([]), patterns: ' orders:* \n\ncarts:*', keyRights: 'read_only' as const };
  expect(grantsOf(chosen, [])).toEqual([
    { on: 'orders:*', rights: 'read_only' },
    { on: 'carts:*', rights: 'read_only' },
  ]);
});
