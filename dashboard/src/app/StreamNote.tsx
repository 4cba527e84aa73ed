import { Tooltip } from '@mantine/core';
import { useEffect, useSyncExternalStore } from 'react';

import type { StreamState } from '../api/stream';
import { StatusDot } from '../ui/Status';
import type { Tone } from '../ui/tones';
import { messages } from './app.messages';
import { stream } from './client';
import classes from './Shell.module.css';

const tones: Record<StreamState, Tone> = { connecting: 'busy', live: 'ok', reconnecting: 'busy' };

/** Whether what is shown is what is. Follows the events while it is on the page. */
export function StreamNote() {
  const state = useSyncExternalStore(stream.subscribe, () => stream.state);
  useEffect(() => {
    stream.start();
    const look = () => {
      if (!document.hidden) stream.hurry();
    };
    window.addEventListener('online', stream.hurry);
    document.addEventListener('visibilitychange', look);
    return () => {
      window.removeEventListener('online', stream.hurry);
      document.removeEventListener('visibilitychange', look);
      stream.stop();
    };
  }, []);
  return (
    <Tooltip label={messages.streamHelp[state]}>
      <span className={classes.stream} data-state={state} role="status">
        <StatusDot tone={tones[state]} size={8} />
        <span className={classes.streamWord}>{messages.stream[state]}</span>
      </span>
    </Tooltip>
  );
}
