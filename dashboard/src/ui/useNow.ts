import { useEffect, useState } from 'react';

import { serverNow } from '../api/clock';

/** The server's time, anew every so often; stands still while nothing needs it. */
export function useNow(everyMs: number, isTicking = true): number {
  const [now, setNow] = useState(serverNow);
  useEffect(() => {
    if (!isTicking) return undefined;
    const tick = () => setNow(serverNow());
    tick();
    const timer = setInterval(tick, everyMs);
    return () => clearInterval(timer);
  }, [everyMs, isTicking]);
  return now;
}
