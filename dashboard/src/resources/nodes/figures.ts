import type { NodeView } from '../../api/types';

/** The part of something limited that is used, 0 to 1; none when either is not known. */
export function shareOf(
  used: number | null | undefined,
  limit: number | null | undefined,
): number | null {
  if (used == null || !limit) return null;
  return used / limit;
}

/** `cpu_percent` is of the cores the node may use. */
export const cpuShare = (node: NodeView): number | null =>
  node.cpu_percent == null ? null : node.cpu_percent / 100;
