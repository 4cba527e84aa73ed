import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';

import { nodesQuery } from '../../api/queries';
import type { ClusterView, NodeView } from '../../api/types';
import { Card } from '../../ui/Card';
import { formatBytes, formatPercent, startSentence } from '../../ui/format';
import { Meter } from '../../ui/Meter';
import { cpuShare, shareOf } from './figures';
import classes from './nodes.module.css';
import { messages } from './nodes.messages';

/** How busy each node is, at a glance; the table has the rest. */
export function NodesGlance({ cluster }: { cluster: ClusterView }) {
  const { data: nodes } = useQuery(nodesQuery(cluster.id));
  if (!nodes || nodes.length === 0) return null;
  return (
    <Card
      title={messages.title}
      aside={
        <Link
          to="/clusters/$name"
          params={{ name: cluster.name }}
          search={{ tab: 'nodes' }}
          className={classes.aside}
        >
          {messages.details}
        </Link>
      }
    >
      <ul className={classes.glances}>
        {nodes.map((node) => (
          <Glance key={node.id} node={node} />
        ))}
      </ul>
      {cluster.capacity?.sentence && (
        <p className={classes.lasting}>{startSentence(cluster.capacity.sentence)}.</p>
      )}
    </Card>
  );
}

function Glance({ node }: { node: NodeView }) {
  const { columns } = messages;
  const { memory_used, memory_limit, disk_used, disk_size } = node;
  return (
    <li>
      <span className={classes.name}>{node.name}</span>
      <div className={classes.meters}>
        <Meter
          label={columns.cpu}
          share={cpuShare(node)}
          value={columns.cpu}
          of={formatPercent(node.cpu_percent ?? 0)}
        />
        <Meter
          label={columns.memory}
          share={shareOf(memory_used, memory_limit)}
          value={columns.memory}
          of={formatBytes(memory_used ?? 0)}
        />
        <Meter
          label={columns.disk}
          share={shareOf(disk_used, disk_size)}
          value={columns.disk}
          of={formatBytes(disk_used ?? 0)}
          high={0.85}
        />
      </div>
    </li>
  );
}
