import { Skeleton } from '@mantine/core';

import type { ClusterView, NodeView } from '../../api/types';
import { formatBytes, formatCpus, formatDuration, formatLag, formatPercent } from '../../ui/format';
import { Meter } from '../../ui/Meter';
import { Status } from '../../ui/Status';
import table from '../../ui/table.module.css';
import { useMay } from '../people/may';
import { cpuShare, shareOf } from './figures';
import { NodeMenu } from './NodeMenu';
import classes from './nodes.module.css';
import { messages } from './nodes.messages';
import { healthLooks, roleOf } from './status';

const { columns } = messages;

export function NodesTable({ cluster, nodes }: { cluster: ClusterView; nodes: NodeView[] }) {
  return (
    <table className={table.table}>
      <thead>
        <tr>
          {Object.entries(columns).map(([key, column]) => (
            <th key={key} scope="col">
              {key === 'menu' ? <span className="bw-hidden">{column}</span> : column}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {nodes.map((node) => (
          <NodeRow key={node.id} cluster={cluster} node={node} />
        ))}
      </tbody>
    </table>
  );
}

/** What only this node held and somebody may miss. */
const divergedOf = (node: NodeView) =>
  (node.diverged ?? []).filter((found) => found.transactions !== 0);

/** How long its disk lasts, as far as is known. */
function lasting({ disk_full_in_days: days, disk_growth: growth }: NodeView): string {
  if (days != null) return messages.fullIn(days);
  return growth ? '' : messages.growthUnknown;
}

function NodeRow({ cluster, node }: { cluster: ClusterView; node: NodeView }) {
  const { memory_used, memory_limit, disk_used, disk_size } = node;
  const may = useMay(cluster);
  return (
    <tr className={table.row}>
      <td data-wide>
        <span className={classes.name}>{node.name}</span>
        <span className={classes.role} data-role={node.role}>
          {roleOf(node)}
        </span>
        <span className={table.sub}>
          {[node.address, node.engine_version && messages.engineVersion(node.engine_version)]
            .filter(Boolean)
            .join(' · ')}
        </span>
      </td>
      <td data-label={columns.health} data-wide>
        <Status look={healthLooks[node.health]} />
        <span className={classes.state}>{node.state}</span>
        {divergedOf(node).map((found) => (
          <span key={found.directory} className={classes.state}>
            {messages.diverged(found.transactions, found.term, found.directory)}
          </span>
        ))}
      </td>
      <td data-label={columns.lag} className={table.number}>
        {formatLag(node) ?? messages.unknown}
      </td>
      <td data-label={columns.cpu}>
        <Meter
          label={columns.cpu}
          share={cpuShare(node)}
          value={node.cpu_percent == null ? '' : formatPercent(node.cpu_percent)}
          of={messages.ofCores(formatCpus(node.size.cpus))}
        />
      </td>
      <td data-label={columns.memory}>
        <Meter
          label={columns.memory}
          share={shareOf(memory_used, memory_limit)}
          value={memory_used == null ? '' : formatBytes(memory_used)}
          of={messages.of(formatBytes(memory_limit ?? 0))}
        />
      </td>
      <td data-label={columns.disk}>
        <Meter
          label={columns.disk}
          share={shareOf(disk_used, disk_size)}
          value={disk_used == null ? '' : formatBytes(disk_used)}
          of={messages.of(formatBytes(disk_size ?? 0))}
          high={0.85}
        />
        {disk_used != null && <span className={table.sub}>{lasting(node)}</span>}
      </td>
      <td data-label={columns.connections} className={table.number}>
        {node.connections ?? messages.unknown}
      </td>
      <td data-label={columns.uptime} className={table.number}>
        {node.uptime_seconds == null
          ? messages.unknown
          : formatDuration(Math.max(1, node.uptime_seconds) * 1_000)}
      </td>
      <td className={table.menu}>
        {may.operate && <NodeMenu cluster={cluster} node={node} />}
      </td>
    </tr>
  );
}

export function NodesSkeleton({ count }: { count: number }) {
  return (
    <div style={{ display: 'grid', gap: 20, padding: 18 }} aria-busy="true">
      {Array.from({ length: Math.max(1, count) }, (_, row) => (
        <Skeleton key={row} height={30} />
      ))}
    </div>
  );
}
