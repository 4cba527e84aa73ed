import { describe, expect, it } from 'vitest';

import { backup } from '../../test/samples';
import { backupLook, timelineOf, whatIsLost, withMoments } from './status';

const proof = (proven: boolean) => ({
  proven,
  at: '2026-01-02T00:00:00Z',
  bytes: 1,
  compared: 2,
  message: 'looked through',
});

describe('a backup', () => {
  it('is said to be proven only when it was', () => {
    expect(backupLook(backup())).toEqual({ tone: 'ok', word: 'Complete' });
    expect(backupLook(backup({ proof: proof(true) }))).toEqual({ tone: 'ok', word: 'Proven' });
    expect(backupLook(backup({ proof: proof(false) })).tone).toBe('warn');
    expect(backupLook(backup({ status: 'deleting', proof: proof(true) })).word).toBe('Being removed');
  });

  it('is missed most when it is the last, the last proven one, or the newest', () => {
    const old = backup();
    const later = backup({ id: 'b2', created_at: '2026-01-02T00:00:00Z', facts: null });
    expect(whatIsLost(old, [old])).toContain('only complete backup of demo');
    expect(whatIsLost(old, [old, backup({ id: 'b3', cluster_name: 'other' })])).toContain('only');
    expect(whatIsLost(old, [old, backup({ id: 'b3', status: 'failed' })])).toContain('only');
    const proven = backup({ proof: proof(true) });
    expect(whatIsLost(proven, [proven, later])).toContain('only one that was proven');
    expect(whatIsLost(later, [old, later])).toContain('newest');
    expect(whatIsLost(old, [old, later])).toBe('');
    expect(whatIsLost(backup({ status: 'failed' }), [])).toBe('');
  });

  it('lies on the time line where it is in time', () => {
    const facts = (taken_at: string) => ({ ...backup().facts!, taken_at });
    const all = ['2026-01-05T00:00:00Z', '2026-01-01T00:00:00Z', '2026-01-02T00:00:00Z'].map(
      (at, index) => backup({ id: `b${index}`, facts: facts(at) }),
    );
    expect(timelineOf(all).map(({ backup: { id }, at }) => [id, at])).toEqual([
      ['b1', 0],
      ['b2', 0.25],
      ['b0', 1],
    ]);
    expect(timelineOf([backup()]).map(({ at }) => at)).toEqual([1]);
    expect(timelineOf([])).toEqual([]);
  });

  it('has its times as people read them', () => {
    const words = withMoments('a backup is overdue since 2026-01-01T02:00:00.000Z');
    expect(words).toMatch(/^a backup is overdue since .*2026/);
    expect(words).not.toContain('Z');
  });
});
