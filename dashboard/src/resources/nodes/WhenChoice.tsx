import { SegmentedControl, TextInput } from '@mantine/core';

import classes from './nodes.module.css';
import { messages } from './nodes.messages';

/** When something shall begin, as it is entered. */
export interface When {
  kind: 'now' | 'at' | 'window';
  at: string;
  window: string;
}

export const NOW: When = { kind: 'now', at: '', window: '0 3 * * 0' };

/** The same for a request; nothing is sent for now. */
export function whenOf({ kind, at, window }: When): { at?: string; window?: string } {
  if (kind === 'window') return { window };
  const moment = new Date(at);
  if (kind === 'at' && !Number.isNaN(moment.getTime())) return { at: moment.toISOString() };
  return {};
}

/** Whether it is said when. */
export const isSaid = ({ kind, at }: When): boolean =>
  kind !== 'at' || !Number.isNaN(new Date(at).getTime());

interface Props {
  when: When;
  onChange: (when: When) => void;
}

export function WhenChoice({ when, onChange }: Props) {
  return (
    <div className={classes.when}>
      <SegmentedControl
        fullWidth
        aria-label={messages.when}
        value={when.kind}
        data={messages.whenKinds}
        onChange={(kind) => onChange({ ...when, kind: kind as When['kind'] })}
      />
      {when.kind === 'at' && (
        <TextInput
          type="datetime-local"
          label={messages.whenAt}
          description={messages.whenAtHint}
          value={when.at}
          onChange={(event) => onChange({ ...when, at: event.currentTarget.value })}
        />
      )}
      {when.kind === 'window' && (
        <TextInput
          label={messages.whenWindow}
          description={messages.whenWindowHint}
          value={when.window}
          onChange={(event) => onChange({ ...when, window: event.currentTarget.value })}
        />
      )}
    </div>
  );
}
