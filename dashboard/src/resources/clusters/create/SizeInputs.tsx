import { NumberInput } from '@mantine/core';

import { formatBytes } from '../../../ui/format';
import classes from './create.module.css';
import { messages } from './create.messages';
import { type Bounds, type FieldErrors, type SizeEntries, type SizeBounds, toEntry } from './draft';

interface Props {
  size: SizeEntries;
  bounds: SizeBounds;
  errors: FieldErrors;
  onChange: (change: Partial<SizeEntries>) => void;
}

/** What each node has, within what can be had. */
export function SizeInputs({ size, bounds, errors, onChange }: Props) {
  const words = messages.machines;
  const bytesRange = ({ least, most }: Bounds) =>
    Number.isFinite(most) ? words.range(formatBytes(least), formatBytes(most)) : undefined;
  return (
    <div className={classes.numbers}>
      <NumberInput
        label={words.cpus}
        description={words.range(String(bounds.cpus.least), String(bounds.cpus.most))}
        value={size.cpus}
        min={0}
        step={1}
        decimalScale={2}
        error={errors['size.cpus']}
        onChange={(value) => onChange({ cpus: toEntry(value) })}
      />
      <NumberInput
        label={words.memory}
        description={bytesRange(bounds.memory)}
        value={size.memoryGib}
        min={0}
        step={1}
        decimalScale={3}
        error={errors['size.memory']}
        onChange={(value) => onChange({ memoryGib: toEntry(value) })}
      />
      <NumberInput
        label={words.disk}
        description={bytesRange(bounds.disk)}
        value={size.diskGib}
        min={0}
        step={1}
        decimalScale={3}
        error={errors['size.disk'] ?? errors.size}
        onChange={(value) => onChange({ diskGib: toEntry(value) })}
      />
    </div>
  );
}
