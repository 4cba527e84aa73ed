// The server's clock, as far as it shows. Times in operations are the server's; a browser whose
// clock is wrong would otherwise count from the wrong moment.

/** The Date header has whole seconds: smaller differences say nothing. */
const NOISE_MS = 2_000;

let offsetMs = 0;

export function learnServerTime(date: string | null, here: number = Date.now()): void {
  const there = date === null ? Number.NaN : Date.parse(date);
  if (Number.isNaN(there)) return;
  const difference = there - here;
  offsetMs = Math.abs(difference) > NOISE_MS ? difference : 0;
}

/** Milliseconds since 1970 by the server's clock. */
export function serverNow(): number {
  return Date.now() + offsetMs;
}
