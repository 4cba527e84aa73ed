import { Checkbox, Radio, Stack } from '@mantine/core';

import type { DrillKind } from '../../api/types';
import { messages } from './drills.messages';

interface Props {
  kind: DrillKind;
  allowLoss: boolean;
  /** A failover may lose something: nobody confirms writes. */
  isAsync: boolean;
  onChange: (kind: DrillKind, allowLoss: boolean) => void;
}

const kinds: DrillKind[] = ['switchover', 'failover'];

export function KindChoice({ kind, allowLoss, isAsync, onChange }: Props) {
  return (
    <>
      <Radio.Group
        label={messages.what}
        value={kind}
        onChange={(value) => onChange(value as DrillKind, allowLoss)}
      >
        <Stack gap={8} mt={6}>
          {kinds.map((value) => (
            <Radio
              key={value}
              value={value}
              label={messages.kinds[value]}
              description={messages.kindHints[value]}
            />
          ))}
        </Stack>
      </Radio.Group>
      {kind === 'failover' && isAsync && (
        <Checkbox
          checked={allowLoss}
          onChange={(event) => onChange(kind, event.currentTarget.checked)}
          label={messages.allowLoss}
          description={messages.allowLossHint}
        />
      )}
    </>
  );
}
