import classes from './Status.module.css';
import { type StatusLook, type Tone, toneColor } from './tones';

/** A status is a dot and a word. The dot's shape says the same as its colour. */
export function Status({ look, size }: { look: StatusLook; size?: 'sm' | 'md' }) {
  return (
    <span className={classes.status} style={{ fontSize: size === 'md' ? '0.9375rem' : undefined }}>
      <StatusDot tone={look.tone} size={size === 'md' ? 11 : 9} />
      {look.word}
    </span>
  );
}

export function StatusDot({ tone, size = 9 }: { tone: Tone; size?: number }) {
  return (
    <svg
      className={classes.dot}
      width={size}
      height={size}
      viewBox="0 0 12 12"
      aria-hidden="true"
      focusable="false"
      style={{ color: toneColor[tone] }}
    >
      <Shape tone={tone} />
    </svg>
  );
}

/** Full circle, turning arc, triangle, square, empty circle: told apart without colour. */
function Shape({ tone }: { tone: Tone }) {
  switch (tone) {
    case 'ok':
      return <circle cx="6" cy="6" r="5.5" fill="currentColor" />;
    case 'busy':
      return (
        <g className={classes.turning} fill="none" stroke="currentColor" strokeWidth="2.2">
          <circle cx="6" cy="6" r="4.7" opacity="0.25" />
          <path d="M6 1.3A4.7 4.7 0 0 1 10.7 6" strokeLinecap="round" />
        </g>
      );
    case 'warn':
      return <path d="M6 0.6 11.9 11H0.1z" fill="currentColor" />;
    case 'bad':
      return <rect x="0.8" y="0.8" width="10.4" height="10.4" rx="1.6" fill="currentColor" />;
    case 'idle':
      return <circle cx="6" cy="6" r="4.6" fill="none" stroke="currentColor" strokeWidth="2" />;
  }
}
