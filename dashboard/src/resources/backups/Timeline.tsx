import type { Backup } from '../../api/types';
import { formatMoment } from '../../ui/format';
import { StatusDot } from '../../ui/Status';
import { messages } from './backups.messages';
import classes from './backups.module.css';
import { backupLook, momentOf, timelineOf } from './status';

/** When there was a backup, and when there was none, at a glance; the list below says the same. */
export function Timeline({ backups }: { backups: Backup[] }) {
  const marks = timelineOf(backups);
  const [first, last] = [marks[0]?.backup, marks.at(-1)?.backup];
  if (!first || !last || marks.length < 2) return null;
  const [from, to] = [formatMoment(momentOf(first)), formatMoment(momentOf(last))];
  return (
    <div className={classes.timeline}>
      <div
        className={classes.line}
        role="img"
        aria-label={messages.timeline(marks.length, from, to)}
      >
        {marks.map(({ backup, at }) => {
          const look = backupLook(backup);
          return (
            <span
              key={backup.id}
              className={classes.mark}
              style={{ left: `${at * 100}%` }}
              title={`${formatMoment(momentOf(backup))}: ${look.word}`}
            >
              <StatusDot tone={look.tone} size={11} />
            </span>
          );
        })}
      </div>
      <div className={classes.ends} aria-hidden="true">
        <span>{from}</span>
        <span>{to}</span>
      </div>
    </div>
  );
}
