import classes from './Meter.module.css';

interface Props {
  label: string;
  /** 0 to 1; none when it is not known. */
  share: number | null;
  value: string;
  of?: string;
  /** From here on the bar warns. */
  high?: number;
}

/** A number with a small bar; the number is what is read, the bar is for the eye. */
export function Meter({ label, share, value, of, high = 0.9 }: Props) {
  if (share === null && !value) return <span className={classes.of}>–</span>;
  const part = Math.min(1, Math.max(0, share ?? 0));
  const color = part >= high ? 'var(--bw-warn)' : 'var(--bw-accent)';
  return (
    <div
      className={classes.meter}
      role="meter"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Math.round(part * 100)}
      aria-valuetext={[value, of].filter(Boolean).join(' ')}
    >
      <div className={classes.words}>
        <span>{value}</span>
        {of && <span className={classes.of}>{share === null ? '–' : of}</span>}
      </div>
      <div className={classes.track}>
        {share !== null && (
          <div
            className={classes.fill}
            style={{ width: `${Math.max(part * 100, 2)}%`, background: color }}
          />
        )}
      </div>
    </div>
  );
}
