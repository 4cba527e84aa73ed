import type { TopologyFact } from '../../../api/types';

type Picture = TopologyFact['picture'];

/** Each node: where it stands, and whether it accepts writes. */
const nodes: Record<Picture, [x: number, y: number, writes: boolean][]> = {
  single: [[2, 11, true]],
  replicas: [
    [2, 11, true],
    [52, 2, false],
    [52, 20, false],
  ],
  multi_primary: [
    [2, 11, true],
    [52, 2, true],
    [52, 20, true],
  ],
  shards: [
    [2, 2, true],
    [2, 20, true],
    [52, 2, false],
    [52, 20, false],
  ],
};

/** Who sends to whom. */
const lines: Record<Picture, string[]> = {
  single: [],
  replicas: ['M32 18C42 18 42 9 52 9', 'M32 18C42 18 42 27 52 27'],
  multi_primary: ['M32 18C42 18 42 9 52 9', 'M32 18C42 18 42 27 52 27', 'M67 16V20'],
  shards: ['M32 9H52', 'M32 27H52'],
};

/** A topology at a glance; the words beside it say the same. */
export function TopologyHint({ picture }: { picture: Picture }) {
  return (
    <svg width="84" height="36" viewBox="0 0 84 36" aria-hidden="true" fill="none">
      {lines[picture].map((path) => (
        <path key={path} d={path} stroke="var(--bw-line-strong)" strokeWidth="1.5" />
      ))}
      {nodes[picture].map(([x, y, writes]) => (
        <rect
          key={`${x} ${y}`}
          x={x}
          y={y}
          width="30"
          height="14"
          rx="4"
          fill={writes ? 'var(--bw-accent-soft)' : 'var(--bw-surface)'}
          stroke={writes ? 'var(--bw-accent)' : 'var(--bw-line-strong)'}
          strokeWidth="1.5"
        />
      ))}
    </svg>
  );
}
