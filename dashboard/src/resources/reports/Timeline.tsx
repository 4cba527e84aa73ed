import type { Phase } from '../../api/types';
import { formatDuration } from '../../ui/format';
import { messages } from './reports.messages';
import classes from './reports.module.css';
import { partsOf } from './timeline';

/** What was done when: one bar, and below it the same in words. */
export function Timeline({ phases }: { phases: Phase[] }) {
  const parts = partsOf(phases);
  const last = phases.at(-1);
  if (!last) return null;
  return (
    <div className={classes.timeline}>
      <svg
        className={classes.bar}
        viewBox="0 0 1000 18"
        preserveAspectRatio="none"
        role="img"
        aria-label={messages.timelineOf(last.ended_ms)}
      >
        {parts.map((part, index) => (
          <rect
            key={part.name}
            className={classes.phase}
            data-shade={index % 6}
            x={part.from * 1000}
            y="0"
            width={Math.max(1, (part.to - part.from) * 1000 - 3)}
            height="18"
            rx="2"
          >
            <title>{messages.after(part.title, part.endedMs)}</title>
          </rect>
        ))}
      </svg>
      <ol className={classes.phases}>
        {parts.map((part, index) => (
          <li key={part.name}>
            <span className={classes.key} data-shade={index % 6} aria-hidden="true" />
            <span>{part.title}</span>
            <span className={classes.ms}>{formatDuration(part.endedMs)}</span>
          </li>
        ))}
      </ol>
    </div>
  );
}
