import type { NodeHealth, NodePhase, NodeRole, NodeView } from '../../api/types';
import type { StatusLook } from '../../ui/tones';

export const healthLooks: Record<NodeHealth, StatusLook> = {
  healthy: { tone: 'ok', word: 'Healthy' },
  working: { tone: 'busy', word: 'Working' },
  degraded: { tone: 'warn', word: 'Degraded' },
  failed: { tone: 'bad', word: 'Failed' },
  silent: { tone: 'idle', word: 'Silent' },
};

export const roleWords: Record<NodeRole, string> = {
  primary: 'Primary',
  replica: 'Replica',
  none: 'No role',
};

export const phaseWords: Record<NodePhase, string> = {
  provisioning: 'Being made',
  joining: 'Joining',
  seeding: 'Copying data',
  active: 'Member',
  rejoining: 'Rejoining',
  maintenance: 'In maintenance',
  removing: 'Being removed',
};

/** The role it plays or, before it plays one, where it is in its life. */
export function roleOf(node: NodeView): string {
  if (node.phase === 'maintenance') return phaseWords[node.phase];
  if (node.role !== 'none' || node.phase === 'active') return roleWords[node.role];
  return phaseWords[node.phase];
}
