import type { Phase } from '../../api/types';

/** A part of a timeline, in shares of the whole. */
export interface Part {
  name: string;
  title: string;
  from: number;
  to: number;
  endedMs: number;
}

/** The least that is still seen, as a share of the whole. */
const LEAST = 0.02;

/** Where each part begins and ends. None is too narrow to be seen; together they are the whole. */
export function partsOf(phases: readonly Phase[]): Part[] {
  const lengths = phases.map((phase, index) =>
    Math.max(0, phase.ended_ms - (phases[index - 1]?.ended_ms ?? 0)),
  );
  const total = lengths.reduce((sum, length) => sum + length, 0);
  const shares = lengths.map((length) => Math.max(LEAST, total > 0 ? length / total : 1));
  const whole = shares.reduce((sum, share) => sum + share, 0);
  let at = 0;
  return phases.map((phase, index) => {
    const from = at;
    at += (shares[index] ?? 0) / whole;
    return { name: phase.name, title: phase.title, from, to: at, endedMs: phase.ended_ms };
  });
}
