import { useElementSize } from '@mantine/hooks';
import { useId } from 'react';

import type { ClusterView, EnginePorts, NodeView } from '../../../api/types';
import { toneColor } from '../../../ui/tones';
import { healthLooks, roleOf } from '../../nodes/status';
import {
  castOf,
  type EndpointBox,
  fitName,
  fitText,
  type Layout,
  layoutTopology,
  type NodeBox,
  readersOf,
} from './layout';
import classes from './Topology.module.css';
import { messages } from './topology.messages';

interface Props {
  cluster: ClusterView;
  nodes: NodeView[];
  ports: EnginePorts | undefined;
}

/** Who is primary, who follows and how far behind, and where clients' connections lead. */
export function TopologyPicture({ cluster, nodes, ports }: Props) {
  const { ref, width } = useElementSize();
  const id = useId();
  const cast = castOf(nodes, cluster.primary);
  const layout = layoutTopology(cast, Math.max(width, 260));
  const serving = cast.isServing && cast.primary ? cast.primary.name : null;
  const description = [
    messages.writesLead(serving),
    ...nodes.map(messages.node),
    messages.readsLead(readersOf(cast).map((node) => node.name)),
  ].join(' ');
  return (
    <div ref={ref}>
      <svg
        className={classes.picture}
        viewBox={`0 0 ${layout.width} ${layout.height}`}
        height={layout.height}
        role="img"
        aria-labelledby={`${id}-title ${id}-desc`}
        style={{ visibility: width === 0 ? 'hidden' : undefined }}
      >
        <title id={`${id}-title`}>{messages.title(cluster.name)}</title>
        <desc id={`${id}-desc`}>{description}</desc>
        <defs>
          <marker
            id={`${id}-arrow`}
            viewBox="0 0 8 8"
            refX="7.5"
            refY="4"
            markerWidth="7"
            markerHeight="7"
            orient="auto-start-reverse"
          >
            <path className={classes.arrow} d="M0 0.5 8 4 0 7.5z" />
          </marker>
        </defs>
        <Edges layout={layout} marker={`url(#${id}-arrow)`} />
        {layout.endpoints.map((box) => (
          <Endpoint key={box.kind} box={box} ports={ports} isAlone={nodes.length < 2} />
        ))}
        {layout.nodes.map((box) => (
          <Node key={box.node?.id ?? 'none'} box={box} cluster={cluster} />
        ))}
      </svg>
    </div>
  );
}

function Edges({ layout, marker }: { layout: Layout; marker: string }) {
  return (
    <g>
      {layout.edges.map((edge) => (
        <g key={edge.key}>
          <path
            className={`${classes.edge} ${edge.isFlowing ? '' : classes.edgeStill}`}
            d={edge.path}
            markerEnd={marker}
          />
          {edge.isFlowing && edge.kind !== 'reads' && (
            <path className={classes.flow} d={edge.path} />
          )}
        </g>
      ))}
    </g>
  );
}

interface EndpointProps {
  box: EndpointBox;
  ports: EnginePorts | undefined;
  isAlone: boolean;
}

function Endpoint({ box, ports, isAlone }: EndpointProps) {
  const port = box.kind === 'writes' ? ports?.read_write : ports?.read_only;
  const where = isAlone ? messages.port(port) : messages.everyNode(port);
  return (
    <g transform={`translate(${box.x} ${box.y})`}>
      <rect
        className={classes.endpoint}
        width={box.width}
        height={box.height}
        rx={box.height / 2}
      />
      <text className={classes.name} x={box.width / 2} y={23} textAnchor="middle">
        {messages[box.kind]}
      </text>
      <text className={classes.state} x={box.width / 2} y={40} textAnchor="middle">
        {fitText(where, box.width - 24, 12)}
      </text>
    </g>
  );
}

function Node({ box, cluster }: { box: NodeBox; cluster: ClusterView }) {
  const { node, isPrimary, width } = box;
  const at = `translate(${box.x} ${box.y})`;
  if (!node) {
    return (
      <g transform={at}>
        <rect className={classes.absent} width={width} height={box.height} rx={9} />
        <text className={classes.name} x={16} y={32}>
          {messages.noPrimary}
        </text>
        <text className={classes.state} x={16} y={51}>
          {messages.noPrimaryState}
        </text>
      </g>
    );
  }
  const isServing = node.role === 'primary';
  const look = isServing ? classes.primary : node.role === 'none' ? classes.absent : classes.node;
  const role = roleOf(node);
  const last = figureOf(node, isPrimary, cluster);
  return (
    <g transform={at}>
      <title>{messages.node(node)}</title>
      <rect className={look} width={width} height={box.height} rx={9} />
      <Dot tone={healthLooks[node.health].tone} />
      <text className={classes.name} x={32} y={25}>
        {fitName(node.name, width - 56 - role.length * 6.4, 14)}
      </text>
      <text
        className={`${classes.role} ${isServing ? classes.rolePrimary : ''}`}
        x={width - 14}
        y={25}
      >
        {role}
      </text>
      <text className={classes.state} x={16} y={45}>
        {fitText(node.state, width - 28, 12)}
      </text>
      <text className={`${classes.state} ${classes.figure}`} x={16} y={61}>
        {node.role === 'none' ? healthLooks[node.health].word : last}
      </text>
    </g>
  );
}

/** What there is to say of it in figures: of one among equals whether clients are led to it. */
function figureOf(node: NodeView, isPrimary: boolean, cluster: ClusterView): string {
  if (node.role !== 'primary') return messages.behind(node);
  if (!cluster.spec.multi_primary) return messages.term(cluster.term);
  return isPrimary ? messages.led(cluster.term) : messages.member;
}

/** The shapes of the status dots, placed in the picture. */
function Dot({ tone }: { tone: keyof typeof toneColor }) {
  const color = toneColor[tone];
  switch (tone) {
    case 'ok':
      return <circle cx="21" cy="20.5" r="4.5" fill={color} />;
    case 'warn':
      return <path d="M21 15.5 26 25H16z" fill={color} />;
    case 'bad':
      return <rect x="16.5" y="16" width="9" height="9" rx="1.5" fill={color} />;
    case 'busy':
      return (
        <g fill="none" stroke={color} strokeWidth="2">
          <circle cx="21" cy="20.5" r="4" opacity="0.3" />
          <path d="M21 16.5a4 4 0 0 1 4 4" strokeLinecap="round" />
        </g>
      );
    case 'idle':
      return <circle cx="21" cy="20.5" r="3.8" fill="none" stroke={color} strokeWidth="1.8" />;
  }
}
