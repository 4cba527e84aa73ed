import { describe, expect, it } from 'vitest';

import { engine, provider } from '../../../test/samples';
import { GIB } from '../../../ui/format';
import {
  acksOf,
  checkStep,
  type Draft,
  errorsUpTo,
  firstDraft,
  stepNames,
  stepOfField,
  toSpec,
} from './draft';

const catalogue = { engines: [engine], providers: [provider] };
const draft = (change: Partial<Draft> = {}): Draft => ({
  ...firstDraft(catalogue),
  name: 'orders',
  ...change,
});

describe('the wizard', () => {
  it('begins with settings that can be carried out', () => {
    for (const step of stepNames) expect(checkStep(step, draft(), catalogue)).toEqual({});
    expect(toSpec(draft())).toEqual({
      name: 'orders',
      engine: 'postgresql',
      version: '17',
      provider: 'docker',
      nodes: 3,
      size: { cpus: 1, memory: GIB, disk: 5 * GIB },
      replication: 'async',
      timers: 'lan',
      parameters: {},
      allowlist: [],
    });
  });

  it('begins within what a small provider can give', () => {
    const limits = { ...provider.limits, memory_max: GIB / 2, cpus_max: 0.5, nodes_max: 2 };
    const small = { ...provider, limits };
    const first = firstDraft({ engines: [engine], providers: [small] });
    expect([first.cpus, first.memoryGib, first.nodes]).toEqual([0.5, 0.5, 2]);
  });

  it('prefers a provider that can be used', () => {
    const broken = { ...provider, name: 'broken', available: false, reason: 'stopped' };
    const both = { engines: [engine], providers: [broken, provider] };
    expect(firstDraft(both).provider).toBe('docker');
    expect(checkStep('machines', draft({ provider: 'broken' }), both)).toHaveProperty('provider');
  });

  it.each([
    ['engine', { engine: 'none' }, 'engine'],
    ['engine', { version: '9' }, 'version'],
    ['machines', { cpus: '' }, 'size.cpus'],
    ['machines', { cpus: 64 }, 'size.cpus'],
    ['machines', { memoryGib: 0.1 }, 'size.memory'],
    ['machines', { diskGib: 0.5 }, 'size.disk'],
    ['topology', { nodes: '' }, 'nodes'],
    ['topology', { nodes: 0 }, 'nodes'],
    ['topology', { nodes: 10 }, 'nodes'],
    ['topology', { nodes: 2.5 }, 'nodes'],
    ['topology', { mode: 'odd' }, 'replication'],
    ['topology', { mode: 'quorum', acks: 3 }, 'replication'],
    ['topology', { mode: 'quorum', acks: 0 }, 'replication'],
    ['name', { name: '' }, 'name'],
    ['name', { name: 'Orders' }, 'name'],
    ['name', { name: 'orders-' }, 'name'],
    ['name', { name: '1orders' }, 'name'],
    ['name', { name: 'a'.repeat(41) }, 'name'],
  ] as const)('on %s refuses %j at %s', (step, change, field) => {
    expect(Object.keys(checkStep(step, draft(change), catalogue))).toEqual([field]);
  });

  it('writes the replication mode as the server reads it', () => {
    expect(toSpec(draft({ mode: 'quorum', acks: 2 })).replication).toBe('quorum(2)');
    expect(toSpec(draft({ mode: 'strict' })).replication).toBe('strict');
    expect(toSpec(draft({ mode: 'strict', nodes: 1 })).replication).toBe('async');
    expect(acksOf(draft({ mode: 'quorum', acks: 2 }))).toBe(2);
    expect(acksOf(draft({ mode: 'strict', nodes: 1 }))).toBe(0);
  });

  it('shows a refusal on the step that asks for the field, and not before it', () => {
    expect(stepOfField('size.memory')).toBe('machines');
    expect(stepOfField('something.new')).toBe('review');
    const errors = { name: 'is taken', 'size.disk': 'is too large' };
    expect(errorsUpTo('machines', errors)).toEqual({ 'size.disk': 'is too large' });
    expect(errorsUpTo('name', errors)).toEqual(errors);
    expect(errorsUpTo('engine', errors)).toEqual({});
  });
});
