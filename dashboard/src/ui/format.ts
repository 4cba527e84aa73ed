// Numbers as people read them. The server's words for sizes are the same (KiB, MiB, GiB, TiB).

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

export const GIB = 2 ** 30;
export const MIB = 2 ** 20;

/** `1.5 GiB`; three figures at most, so that columns stay narrow. */
export function formatBytes(bytes: number): string {
  let value = Math.max(0, bytes);
  let unit = 0;
  // 1023.9 would be shown as 1024.
  while (value >= 1023.5 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const isWhole = unit === 0 || Number.isInteger(value);
  const digits = isWhole || value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return `${trimZeros(value.toFixed(digits))} ${UNITS[unit]}`;
}

function trimZeros(text: string): string {
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text;
}

export function formatPercent(percent: number): string {
  const value = Math.max(0, percent);
  return `${value < 9.95 ? value.toFixed(1) : Math.round(value)} %`;
}

/** `820 ms`, `4.2 s`, `38 s`, `3 min 5 s`, `2 h 4 min`, `5 d 3 h`. */
export function formatDuration(ms: number): string {
  const clamped = Math.max(0, ms);
  if (clamped < 1_000) return `${Math.round(clamped)} ms`;
  if (clamped < 9_950) return `${(clamped / 1_000).toFixed(1)} s`;
  const seconds = Math.round(clamped / 1_000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3_600) return pair(Math.floor(seconds / 60), 'min', seconds % 60, 's');
  const minutes = Math.floor(seconds / 60);
  if (minutes < 24 * 60) return pair(Math.floor(minutes / 60), 'h', minutes % 60, 'min');
  const hours = Math.floor(minutes / 60);
  return pair(Math.floor(hours / 24), 'd', hours % 24, 'h');
}

function pair(large: number, largeUnit: string, small: number, smallUnit: string): string {
  const first = `${large} ${largeUnit}`;
  return small === 0 ? first : `${first} ${small} ${smallUnit}`;
}

/** A duration that ticks: whole seconds, so that the last figure does not flicker. */
export function formatTicking(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1_000));
  return seconds < 10 ? `${seconds} s` : formatDuration(seconds * 1_000);
}

/** `just now`, `12 s ago`, `5 min ago`, `3 h ago`, then the day. */
export function formatAgo(then: number, now: number): string {
  const seconds = Math.floor((now - then) / 1_000);
  if (seconds < 5) return 'just now';
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3_600)} h ago`;
  return new Date(then).toLocaleDateString(undefined, {
    day: 'numeric',
    month: 'short',
    year: 'numeric',
  });
}

/** Begins with a capital, unless it begins with a name (`demo-2`), which is as it is. */
export function startSentence(text: string, name?: string): string {
  const first = text.split(/[\s:,;]/, 1)[0] ?? '';
  if (first === name || /-\d+$/.test(first)) return text;
  return text.charAt(0).toUpperCase() + text.slice(1);
}

export function formatMoment(time: string): string {
  return new Date(time).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
}

export function formatCount(count: number, one: string, many: string): string {
  return `${count.toLocaleString('en')} ${count === 1 ? one : many}`;
}

/** A log position as PostgreSQL writes it, with its timeline before it. */
export function formatPosition(position: { timeline: number; offset: number }): string {
  const high = Math.floor(position.offset / 2 ** 32).toString(16);
  const low = (position.offset % 2 ** 32).toString(16);
  return `${position.timeline}:${high}/${low}`.toUpperCase();
}

/** How far a node is behind, in what its engine's log counts; none when that is not known. */
export function formatLag(node: {
  lag_bytes?: number | null | undefined;
  lag_transactions?: number | null | undefined;
}): string | undefined {
  if (node.lag_bytes != null) return formatBytes(node.lag_bytes);
  if (node.lag_transactions == null) return undefined;
  return formatCount(node.lag_transactions, 'transaction', 'transactions');
}

export const formatCpus = (cpus: number): string => formatCount(cpus, 'core', 'cores');
