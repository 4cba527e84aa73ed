import { describe, expect, it } from 'vitest';

import { backup, cluster, engine, provider } from '../../../test/samples';
import { GIB, MIB } from '../../../ui/format';
import { draftOf, checkRestore, toInput, whyNot } from './restore';
import { checkStep, firstDraft, stepOfField, toSpec } from './draft';

const catalogue = { engines: [engine], providers: [provider] };
const facts = (change: Partial<ReturnType<typeof cluster>['spec']> = {}) => ({
  ...backup().facts!,
  spec: { ...cluster().spec, ...change },
});
const restore = (change: Parameters<typeof facts>[0] = {}) =>
  draftOf(facts(change), catalogue, '198.51.100.7', Date.parse('2026-01-01T00:00:00Z'));

describe('a restore', () => {
  it('begins with the settings of the cluster that was backed up', () => {
    const entry = { address: '10.0.0.0/8', note: 'the application' };
    const spec = toSpec({
      ...restore({
        replication: 'quorum(2)',
        parameters: { work_mem: '8MiB' },
        project: 'shop',
        allowlist: [entry, { address: '10.1.0.0/16', expires_at: '2025-12-31T00:00:00Z' }],
        backup: { schedule: 'daily', repository: 'vault' },
        drill: { schedule: '0 4 * * 0' },
      }),
      name: 'copy',
    });
    expect(spec).toEqual({
      name: 'copy',
      engine: 'postgresql',
      version: '17',
      provider: 'docker',
      nodes: 3,
      size: { cpus: 1, memory: GIB, disk: 5 * GIB },
      replication: 'quorum(2)',
      timers: 'lan',
      parameters: { work_mem: '8MiB' },
      project: 'shop',
      // Not whose time has run out.
      allowlist: [entry],
      source: { backup: 'b1' },
    });
  });

  it('lets nobody in whom the former cluster did not, and the caller where it had no list', () => {
    expect(toSpec(restore({ allowlist: [] })).allowlist).toEqual([]);
    expect(toSpec(restore()).allowlist).toEqual([{ address: '198.51.100.7' }]);
  });

  it('fills in what a backup does not say', () => {
    const { name, engine: kind, nodes, version } = cluster().spec;
    const bare = { ...backup().facts!, spec: { name, engine: kind, nodes, version } };
    const spec = toSpec(draftOf(bare, catalogue, '', 0));
    expect(spec).toEqual({
      ...toSpec(firstDraft(catalogue)),
      name: '',
      source: { backup: 'b1' },
    });
  });

  it('goes to a moment after the backup where one is chosen', () => {
    const shown = toInput('2026-03-01T12:00:00.200Z', Math.ceil);
    const moment = { ...restore(), source: { ...restore().source!, at: shown } };
    expect(toSpec(moment).source).toEqual({ backup: 'b1', at: '2026-03-01T12:00:01.000Z' });
    expect(toInput('2026-03-01T12:00:01Z', Math.floor)).toBe(shown);
    expect(stepOfField('source.at')).toBe('engine');
  });

  it('takes a provider that there is', () => {
    expect(restore({ provider: 'gone' }).provider).toBe('docker');
  });

  it('needs a backup, and room for what is in it', () => {
    expect(checkRestore('engine', firstDraft(catalogue), catalogue)).toHaveProperty('source');
    expect(checkRestore('engine', restore(), catalogue)).toEqual({});
    const large = { ...restore(), source: { ...restore().source!, bytes: 6 * GIB } };
    expect(checkStep('machines', large, catalogue)).toHaveProperty('size.disk');
    expect(stepOfField('source.backup')).toBe('engine');
    expect(restore().source?.bytes).toBe(30 * MIB);
  });

  it('is refused where the engine is not', () => {
    expect(whyNot(backup(), catalogue)).toBe('');
    expect(whyNot(backup({ status: 'failed' }), catalogue)).not.toBe('');
    expect(whyNot(backup({ facts: facts({ version: '9' }) }), catalogue)).toContain('PostgreSQL 9');
  });
});
