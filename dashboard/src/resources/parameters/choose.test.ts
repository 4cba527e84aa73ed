import { describe, expect, it } from 'vitest';

import { parameter } from '../../test/samples';
import { changedNames, choose, chosenOf, found, grouped } from './choose';

const all = [
  parameter('work_mem', { group: 'Memory', chosen: true, value: '16MiB' }),
  parameter('max_connections', { group: 'Connections', summary: 'How many clients.' }),
  parameter('temp_buffers', { group: 'Memory' }),
];

describe('choosing settings', () => {
  it('keeps only what differs from the defaults', () => {
    const before = chosenOf(all);
    expect(before).toEqual({ work_mem: '16MiB' });
    const after = choose(choose(before, 'jit', 'off'), 'work_mem', undefined);
    expect(after).toEqual({ jit: 'off' });
    expect(changedNames(before, after)).toEqual(['jit', 'work_mem']);
    expect(changedNames(before, choose(after, 'jit', undefined))).toEqual(['work_mem']);
  });

  it('finds by name and by description', () => {
    const names = (text: string) => found(all, text).map((one) => one.name);
    expect(names('  ')).toHaveLength(3);
    expect(names('CLIENTS')).toEqual(['max_connections']);
    expect(names('mem')).toContain('work_mem');
    expect(names('nothing of the kind')).toEqual([]);
  });

  it('groups in the order in which groups come', () => {
    const groups = grouped(all).map(([title, members]) => [title, members.length]);
    expect(groups).toEqual([['Memory', 2], ['Connections', 1]]);
  });
});
