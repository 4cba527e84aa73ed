import { messages } from './topology.messages';

const WIDTH = 64;
const HEIGHT = 30;
const GAP = 12;
const SHOWN_MAX = 6;

interface Props {
  nodes: number;
  acks: number;
  /** Every node accepts writes. */
  isOfEquals?: boolean;
}

/** A topology that is not there yet: a primary, its replicas and which of them confirm writes. */
export function TopologySketch({ nodes, acks, isOfEquals = false }: Props) {
  const replicas = Math.max(0, nodes - 1);
  const shown = Math.min(replicas, SHOWN_MAX);
  const stack = Math.max(1, shown) * (HEIGHT + GAP) - GAP;
  const height = Math.max(stack, 44) + 4;
  const middle = height / 2;
  const x = replicas > 0 ? 112 : 0;
  const width = replicas > 0 ? x + WIDTH + (acks > 0 ? 66 : 2) : WIDTH + 4;
  return (
    <svg
      width={width}
      height={height}
      viewBox={`0 0 ${width} ${height}`}
      role="img"
      aria-label={
        isOfEquals ? messages.equals(nodes) : messages.sketch(nodes, Math.min(acks, replicas))
      }
      fill="none"
    >
      {Array.from({ length: shown }, (_, row) => {
        const y = middle - stack / 2 + row * (HEIGHT + GAP);
        const isConfirming = row < acks;
        const line = isConfirming || isOfEquals ? 'var(--bw-accent)' : 'var(--bw-line-strong)';
        const isRest = row === SHOWN_MAX - 1 && replicas > SHOWN_MAX;
        return (
          <g key={row}>
            <path
              d={`M66 ${middle} C89 ${middle} 89 ${y + HEIGHT / 2} ${x} ${y + HEIGHT / 2}`}
              stroke={line}
              strokeWidth="1.5"
              strokeDasharray={isConfirming || isOfEquals ? undefined : '4 4'}
            />
            <rect
              x={x}
              y={y}
              width={WIDTH}
              height={HEIGHT}
              rx="7"
              fill={isOfEquals ? 'var(--bw-accent-soft)' : 'var(--bw-surface)'}
              stroke={line}
              strokeWidth="1.5"
            />
            {isRest ? (
              <text x={x + WIDTH / 2} y={y + 20} textAnchor="middle" fontSize="12" fill="var(--bw-dim)">
                +{replicas - SHOWN_MAX + 1}
              </text>
            ) : (
              <path
                d={`M${x + 12} ${y + 11.5}h22M${x + 12} ${y + 18.5}h12`}
                stroke={isOfEquals ? 'var(--bw-accent)' : 'var(--bw-line-strong)'}
                strokeWidth="2.5"
                strokeLinecap="round"
              />
            )}
            {isConfirming && (
              <text x={x + WIDTH + 8} y={y + 19} fontSize="11" fill="var(--bw-dim)">
                {messages.confirms}
              </text>
            )}
          </g>
        );
      })}
      <rect
        x="2"
        y={middle - 19}
        width={WIDTH}
        height="38"
        rx="8"
        fill="var(--bw-accent-soft)"
        stroke="var(--bw-accent)"
        strokeWidth="1.75"
      />
      <path
        d={`M15 ${middle - 4}h24M15 ${middle + 4}h14`}
        stroke="var(--bw-accent)"
        strokeWidth="2.5"
        strokeLinecap="round"
      />
    </svg>
  );
}
