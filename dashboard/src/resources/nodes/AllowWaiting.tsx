import { Checkbox } from '@mantine/core';

import { messages } from './nodes.messages';

interface Props {
  isAllowed: boolean;
  onChange: (isAllowed: boolean) => void;
}

/** Goes on also where writes wait meanwhile. */
export function AllowWaiting({ isAllowed, onChange }: Props) {
  return (
    <Checkbox
      mt="md"
      checked={isAllowed}
      onChange={(event) => onChange(event.currentTarget.checked)}
      label={messages.allowWaiting}
      description={messages.allowWaitingHint}
    />
  );
}
