import { Modal } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';

import { keys } from '../../api/keys';
import { deleteUser, removeSecondFactor, resetPassword } from '../../api/people';
import type { UserSummary } from '../../api/types';
import { Ask } from '../../ui/Ask';
import { MadePassword } from './MadePassword';
import { messages } from './people.messages';

export type UserAct = 'reset' | 'factor' | 'remove';

const titles: Record<UserAct, (name: string) => string> = {
  reset: messages.resetTitle,
  factor: messages.removeFactorTitle,
  remove: messages.removeTitle,
};

interface Props {
  user: UserSummary;
  act: UserAct | null;
  onClose: () => void;
}

/** Asks before a password is reset or a user deleted. */
export function UserDialog({ user, act, onClose }: Props) {
  const title = act ? titles[act](user.name) : '';
  return (
    <Modal opened={act !== null} onClose={onClose} title={<strong>{title}</strong>}>
      {act === 'reset' && <Reset user={user} onClose={onClose} />}
      {act === 'factor' && <RemoveFactor user={user} onClose={onClose} />}
      {act === 'remove' && <Remove user={user} onClose={onClose} />}
    </Modal>
  );
}

type ActProps = Omit<Props, 'act'>;

function Reset({ user, onClose }: ActProps) {
  const client = useQueryClient();
  const reset = useMutation({
    mutationFn: () => resetPassword(user.id),
    onSuccess: () => client.invalidateQueries({ queryKey: keys.users }),
  });
  if (reset.data) return <MadePassword made={reset.data} onClose={onClose} />;
  return (
    <Ask
      text={messages.resetText}
      action={messages.resetConfirm}
      error={reset.error}
      isPending={reset.isPending}
      onAct={() => reset.mutate()}
      keep={messages.cancel}
      onClose={onClose}
    />
  );
}

function Remove({ user, onClose }: ActProps) {
  const client = useQueryClient();
  const remove = useMutation({
    mutationFn: () => deleteUser(user.id),
    onSuccess: () => client.invalidateQueries({ queryKey: keys.users }),
  });
  return (
    <Ask
      text={messages.removeText}
      action={messages.removeConfirm}
      error={remove.error}
      isPending={remove.isPending}
      onAct={() => remove.mutate()}
      keep={messages.cancel}
      onClose={onClose}
    />
  );
}

function RemoveFactor({ user, onClose }: ActProps) {
  const client = useQueryClient();
  const remove = useMutation({
    mutationFn: () => removeSecondFactor(user.id),
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: keys.users });
      onClose();
    },
  });
  return (
    <Ask
      text={messages.removeFactorText}
      action={messages.removeFactorConfirm}
      error={remove.error}
      isPending={remove.isPending}
      onAct={() => remove.mutate()}
      keep={messages.cancel}
      onClose={onClose}
    />
  );
}
