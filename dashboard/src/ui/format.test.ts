import { describe, expect, it } from 'vitest';

import {
  formatAgo,
  formatBytes,
  formatCount,
  formatDuration,
  formatPercent,
  formatPosition,
  formatTicking,
  GIB,
  startSentence,
} from './format';

describe('figures', () => {
  it('shows bytes in the largest unit that fits', () => {
    const shown = [0, 1, 1023, 1024, 1536, 10_000_000, GIB, 1.5 * GIB, 5 * GIB, GIB - 1, 2 ** 42];
    expect(shown.map(formatBytes)).toEqual([
      '0 B',
      '1 B',
      '1023 B',
      '1 KiB',
      '1.5 KiB',
      '9.54 MiB',
      '1 GiB',
      '1.5 GiB',
      '5 GiB',
      '1 GiB',
      '4 TiB',
    ]);
  });

  it('shows durations with two figures of meaning', () => {
    const shown = [0, 214, 999, 1_000, 4_210, 38_400, 185_000, 7_440_000, 444_000_000];
    expect(shown.map(formatDuration)).toEqual([
      '0 ms',
      '214 ms',
      '999 ms',
      '1.0 s',
      '4.2 s',
      '38 s',
      '3 min 5 s',
      '2 h 4 min',
      '5 d 3 h',
    ]);
    expect(formatDuration(-5)).toBe('0 ms');
    expect([0, 400, 1_900, 61_000].map(formatTicking)).toEqual(['0 s', '0 s', '1 s', '1 min 1 s']);
  });

  it('shows moments from near to far', () => {
    const now = Date.parse('2026-05-05T12:00:00Z');
    const ago = (seconds: number) => formatAgo(now - seconds * 1_000, now);
    expect([1, 30, 300, 7_200].map(ago)).toEqual([
      'just now',
      '30 s ago',
      '5 min ago',
      '2 h ago',
    ]);
    expect(ago(3 * 86_400)).toContain('2026');
  });

  it('shows shares, counts and positions', () => {
    expect([0, 5.12, 9.96, 57.4].map(formatPercent)).toEqual(['0.0 %', '5.1 %', '10 %', '57 %']);
    expect(formatCount(1, 'node', 'nodes')).toBe('1 node');
    expect(formatCount(0, 'node', 'nodes')).toBe('0 nodes');
    expect(formatPosition({ timeline: 2, offset: 0x1_0500_00e8 })).toBe('2:1/50000E8');
  });

  it('begins sentences with a capital, names as they are', () => {
    expect(startSentence('the primary is lost')).toBe('The primary is lost');
    expect(startSentence('demo-2 is the primary already')).toBe('demo-2 is the primary already');
    expect(startSentence('demo accepts writes', 'demo')).toBe('demo accepts writes');
    expect(startSentence('demonstrate', 'demo')).toBe('Demonstrate');
  });
});
