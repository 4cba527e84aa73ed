import { NativeSelect } from '@mantine/core';

import type { Role } from '../../api/types';
import { roles } from './may';
import { messages } from './people.messages';

interface Props {
  label: string;
  description?: string;
  isLabelHidden?: boolean;
  value: Role | null;
  /** The words for having none; without them one has to be chosen. */
  none?: string;
  isDisabled?: boolean;
  onChange: (role: Role | null) => void;
}

/** Chooses a role. */
export function RoleSelect(props: Props) {
  const { label, description, isLabelHidden, value, none, isDisabled, onChange } = props;
  const data = roles.map((role) => ({
    value: role as string,
    label: isLabelHidden ? messages.roles[role] : `${messages.roles[role]}: ${messages.roleHints[role]}`,
  }));
  return (
    <NativeSelect
      {...(isLabelHidden ? { 'aria-label': label, size: 'xs' } : { label, description })}
      value={value ?? ''}
      disabled={isDisabled ?? false}
      data={none ? [{ value: '', label: none }, ...data] : data}
      onChange={(event) => onChange((event.currentTarget.value || null) as Role | null)}
    />
  );
}
