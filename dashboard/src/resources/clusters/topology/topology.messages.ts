import type { NodeView } from '../../../api/types';
import { formatCount, formatLag } from '../../../ui/format';
import { healthLooks, roleOf } from '../../nodes/status';

const behind = (node: NodeView) => {
  const lag = formatLag(node);
  return lag === undefined ? 'lag unknown' : `${lag} behind`;
};

export const messages = {
  title: (name: string) => `Topology of ${name}`,
  writes: 'Writes',
  reads: 'Reads',
  everyNode: (port: number | undefined) => (port ? `port ${port}, any node` : 'any node'),
  port: (port: number | undefined) => (port ? `port ${port}` : ''),
  noPrimary: 'No primary',
  noPrimaryState: 'new connections wait',
  term: (term: number) => `term ${term}`,
  led: (term: number) => `clients are led here, term ${term}`,
  member: 'has what the others have',
  behind,
  working: 'not a member yet',
  node: (node: NodeView) =>
    `${node.name}: ${roleOf(node)}, ${healthLooks[node.health].word}, ${node.state}` +
    (node.role === 'replica' ? `, ${behind(node)}.` : '.'),
  writesLead: (name: string | null) =>
    name ? `Writes lead to ${name}.` : 'Writes lead nowhere: new connections wait.',
  readsLead: (names: string[]) =>
    names.length > 0
      ? `Reads lead to ${names.join(', ')}.`
      : 'Reads lead nowhere: new connections wait.',
  sketch: (nodes: number, acks: number) =>
    nodes === 1
      ? 'One node: the primary alone.'
      : `One primary and ${formatCount(nodes - 1, 'replica', 'replicas')}; ${acks} confirm each write.`,
  equals: (nodes: number) => `${formatCount(nodes, 'node', 'nodes')}, each of which accepts writes.`,
  confirms: 'confirms',
};
