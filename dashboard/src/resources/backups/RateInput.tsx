import { NumberInput } from '@mantine/core';

import { messages } from './backups.messages';

interface Props {
  /** MiB a second; empty for no limit. */
  value: string;
  onChange: (value: string) => void;
}

export const toRateKib = (value: string): number => Math.round(Number(value) * 1_024) || 0;

export const fromRateKib = (kib: number | undefined): string => (kib ? String(kib / 1_024) : '');

export function RateInput({ value, onChange }: Props) {
  return (
    <NumberInput
      label={messages.rateLabel}
      description={messages.rateHelp}
      maw={300}
      value={value}
      min={0}
      decimalScale={3}
      onChange={(next) => onChange(String(next))}
    />
  );
}
