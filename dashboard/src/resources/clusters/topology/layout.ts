// Where the boxes and lines of a topology go. Wide screens read from left to right: writes, primary,
// replicas, reads. Narrow ones read from top to bottom in the same order.

import type { NodeView } from '../../../api/types';

export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface NodeBox extends Box {
  node: NodeView | null;
  isPrimary: boolean;
}

export interface EndpointBox extends Box {
  kind: 'writes' | 'reads';
}

export interface Edge {
  key: string;
  path: string;
  kind: 'writes' | 'replication' | 'reads';
  /** Whether anything goes along it just now. */
  isFlowing: boolean;
}

export interface Layout {
  width: number;
  height: number;
  nodes: NodeBox[];
  endpoints: EndpointBox[];
  edges: Edge[];
}

/** Who is where: the primary (none while there is none) and everybody else. */
export interface Cast {
  primary: NodeView | null;
  others: NodeView[];
  /** Whether the primary accepts writes. */
  isServing: boolean;
}

export const WIDE_FROM = 760;

const NODE_HEIGHT = 72;
const NODE_GAP = 14;
const ENDPOINT_HEIGHT = 54;
const MARGIN = 2;

/** The roles as they are, not as they are wanted: a lost primary keeps its place, with its state. */
export function castOf(nodes: NodeView[], primaryId: string | null | undefined): Cast {
  const primary =
    // Of several that accept writes the one that clients are led to.
    nodes.find((node) => node.role === 'primary' && node.id === primaryId) ??
    nodes.find((node) => node.role === 'primary') ??
    nodes.find((node) => node.id === primaryId) ??
    null;
  const isServing = primary?.role === 'primary' && primary.gate_open !== false;
  return { primary, others: nodes.filter((node) => node !== primary), isServing };
}

/** One beside the primary that has what it has: a replica, or another that accepts writes. */
export const isStreaming = (node: NodeView): boolean =>
  node.role !== 'none' && node.health === 'healthy';

/** Replicas take reads; without any, the primary does. */
export function readersOf(cast: Cast): NodeView[] {
  const replicas = cast.others.filter(isStreaming);
  if (replicas.length > 0) return replicas;
  return cast.primary && cast.isServing ? [cast.primary] : [];
}

export function layoutTopology(cast: Cast, width: number): Layout {
  return width >= WIDE_FROM ? layoutWide(cast, width) : layoutNarrow(cast, width);
}

function layoutWide(cast: Cast, width: number): Layout {
  const endpointWidth = Math.min(168, width * 0.16);
  const nodeWidth = Math.min(264, width * 0.255);
  const columns = cast.others.length > 0 ? 2 : 1;
  const free = width - 2 * MARGIN - 2 * endpointWidth - columns * nodeWidth;
  // Wide screens leave room; lines longer than this only part what belongs together.
  const gap = Math.min(free / (columns + 1), 150);
  const used = 2 * endpointWidth + columns * nodeWidth + (columns + 1) * gap;
  const left = (width - used) / 2;

  const rows = Math.max(1, cast.others.length);
  const stack = rows * NODE_HEIGHT + (rows - 1) * NODE_GAP;
  const height = Math.max(stack, NODE_HEIGHT + 40) + 2 * MARGIN;
  const middle = height / 2;

  const primaryX = left + endpointWidth + gap;
  const primary: NodeBox = {
    node: cast.primary,
    isPrimary: true,
    x: primaryX,
    y: middle - NODE_HEIGHT / 2,
    width: nodeWidth,
    height: NODE_HEIGHT,
  };
  const top = middle - stack / 2;
  const others = cast.others.map((node, row): NodeBox => ({
    node,
    isPrimary: false,
    x: primaryX + nodeWidth + gap,
    y: top + row * (NODE_HEIGHT + NODE_GAP),
    width: nodeWidth,
    height: NODE_HEIGHT,
  }));
  const endpoint = (kind: EndpointBox['kind'], x: number): EndpointBox => ({
    kind,
    x,
    y: middle - ENDPOINT_HEIGHT / 2,
    width: endpointWidth,
    height: ENDPOINT_HEIGHT,
  });
  const writes = endpoint('writes', left);
  const reads = endpoint('reads', left + used - endpointWidth);
  const boxes = [primary, ...others];
  const edges = edgesBetween(cast, boxes, {
    writes: () => curve(rightOf(writes), leftOf(primary)),
    replication: (box) => curve(rightOf(primary), leftOf(box)),
    reads: (box) => {
      if (box !== primary || columns === 1) return curve(leftOf(reads), rightOf(box));
      // Past the replicas, which take no reads now.
      const bottom = height - MARGIN;
      return (
        `M${reads.x + reads.width / 2} ${reads.y + reads.height} V${bottom} ` +
        `H${primary.x + primary.width / 2} V${primary.y + primary.height}`
      );
    },
  });
  return { width, height, nodes: boxes, endpoints: [writes, reads], edges };
}

function layoutNarrow(cast: Cast, width: number): Layout {
  const rail = 22;
  const step = 26;
  const writes: EndpointBox = {
    kind: 'writes',
    x: MARGIN,
    y: MARGIN,
    width: width - 2 * MARGIN,
    height: ENDPOINT_HEIGHT,
  };
  const primary: NodeBox = {
    node: cast.primary,
    isPrimary: true,
    x: MARGIN,
    y: writes.y + writes.height + step,
    width: width - 2 * MARGIN,
    height: NODE_HEIGHT,
  };
  const top = primary.y + primary.height + 18;
  const others = cast.others.map((node, row): NodeBox => ({
    node,
    isPrimary: false,
    x: MARGIN + rail,
    y: top + row * (NODE_HEIGHT + NODE_GAP),
    width: width - 2 * (MARGIN + rail),
    height: NODE_HEIGHT,
  }));
  const last = others.at(-1) ?? primary;
  const reads: EndpointBox = {
    kind: 'reads',
    x: MARGIN,
    y: last.y + last.height + (others.length > 0 ? 18 : step),
    width: width - 2 * MARGIN,
    height: ENDPOINT_HEIGHT,
  };
  const leftRail = MARGIN + 8;
  const rightRail = width - MARGIN - 8;
  const center = width / 2;
  const boxes = [primary, ...others];
  const edges = edgesBetween(cast, boxes, {
    writes: () => `M${center} ${writes.y + writes.height} V${primary.y}`,
    replication: (box) =>
      `M${leftRail} ${primary.y + primary.height} V${middleOf(box)} H${box.x}`,
    reads: (box) => {
      if (box !== primary) return `M${rightRail} ${reads.y} V${middleOf(box)} H${box.x + box.width}`;
      const x = others.length > 0 ? rightRail : center;
      return `M${x} ${reads.y} V${primary.y + primary.height}`;
    },
  });
  const height = reads.y + reads.height + MARGIN;
  return { width, height, nodes: boxes, endpoints: [writes, reads], edges };
}

interface Paths {
  writes: () => string;
  replication: (box: NodeBox) => string;
  reads: (box: NodeBox) => string;
}

function edgesBetween(cast: Cast, boxes: NodeBox[], paths: Paths): Edge[] {
  const edges: Edge[] = [
    { key: 'writes', kind: 'writes', path: paths.writes(), isFlowing: cast.isServing },
  ];
  const readers = readersOf(cast);
  for (const box of boxes) {
    if (!box.node) continue;
    if (!box.isPrimary) {
      edges.push({
        key: `replication ${box.node.id}`,
        kind: 'replication',
        path: paths.replication(box),
        isFlowing: cast.isServing && isStreaming(box.node),
      });
    }
    if (readers.includes(box.node)) {
      edges.push({
        key: `reads ${box.node.id}`,
        kind: 'reads',
        path: paths.reads(box),
        isFlowing: true,
      });
    }
  }
  return edges;
}

type Point = readonly [number, number];

const middleOf = (box: Box): number => box.y + box.height / 2;
const leftOf = (box: Box): Point => [box.x, middleOf(box)];
const rightOf = (box: Box): Point => [box.x + box.width, middleOf(box)];

function curve([x1, y1]: Point, [x2, y2]: Point): string {
  if (y1 === y2) return `M${x1} ${y1} H${x2}`;
  const bend = (x2 - x1) / 2;
  return `M${x1} ${y1} C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`;
}

/** A text cut to about this many pixels; the widths of letters are those of the page's font. */
export function fitText(text: string, width: number, fontSize: number): string {
  const room = Math.floor(width / (fontSize * 0.56));
  return text.length <= room ? text : `${text.slice(0, Math.max(1, room - 1)).trimEnd()}…`;
}

/** A name cut in its middle: nodes of one cluster differ at the end. */
export function fitName(name: string, width: number, fontSize: number): string {
  const room = Math.floor(width / (fontSize * 0.56));
  if (name.length <= room) return name;
  const end = /-\d+$/.exec(name)?.[0] ?? '';
  return `${name.slice(0, Math.max(1, room - 1 - end.length))}…${end}`;
}
