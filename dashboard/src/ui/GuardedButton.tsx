import { Button, type ButtonProps, Tooltip } from '@mantine/core';

import { startSentence } from './format';

interface Props extends ButtonProps {
  /** Why it cannot be pressed now; empty when it can. */
  reason: string;
  label?: string;
  onPress: () => void;
}

/** A button that says why it cannot be pressed. */
export function GuardedButton({ reason, label, onPress, ...rest }: Props) {
  const isAllowed = reason === '';
  return (
    <Tooltip label={startSentence(reason)} disabled={isAllowed} multiline maw={360}>
      {/* Not `disabled`: the reason has to be reachable by keyboard. */}
      <Button
        size="xs"
        variant="default"
        {...rest}
        aria-label={label}
        aria-disabled={!isAllowed}
        data-disabled={!isAllowed || undefined}
        onClick={() => isAllowed && onPress()}
      />
    </Tooltip>
  );
}
