import type { ClusterPhase, TimerProfile } from '../../api/types';
import type { StatusLook } from '../../ui/tones';

export const clusterLooks: Record<ClusterPhase, StatusLook> = {
  creating: { tone: 'busy', word: 'Creating' },
  healthy: { tone: 'ok', word: 'Healthy' },
  degraded: { tone: 'warn', word: 'Degraded' },
  failing_over: { tone: 'busy', word: 'Changing primary' },
  unavailable: { tone: 'bad', word: 'Unavailable' },
  unknown: { tone: 'idle', word: 'Unknown' },
  failed: { tone: 'bad', word: 'Failed' },
  deleting: { tone: 'busy', word: 'Deleting' },
};

export const timerWords: Record<TimerProfile, string> = {
  fast: 'Fast: a lost primary is suspected after 1 s',
  lan: 'Local network: a lost primary is suspected after 1.5 s',
  wan: 'Wide area: a lost primary is suspected after 6 s',
};
