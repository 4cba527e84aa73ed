import { Modal } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';

import { forgetRepository } from '../../api/backups';
import { keys } from '../../api/keys';
import type { RepositoryView } from '../../api/types';
import { TypeToConfirm } from '../../ui/TypeToConfirm';
import { messages } from './repositories.messages';

interface Props {
  repository: RepositoryView;
  isOpen: boolean;
  onClose: () => void;
}

/** Says what is known no more, and forgets it when its name was typed. */
export function ForgetDialog({ repository, isOpen, onClose }: Props) {
  const { name, backups } = repository;
  const client = useQueryClient();
  const forget = useMutation({
    mutationFn: () => forgetRepository(repository.id),
    onSuccess: async () => {
      void client.invalidateQueries({ queryKey: keys.anyBackups });
      await client.invalidateQueries({ queryKey: keys.repositories });
      onClose();
    },
  });
  return (
    <Modal opened={isOpen} onClose={onClose} title={<strong>{messages.forgetTitle(name)}</strong>}>
      <TypeToConfirm
        word={name}
        label={messages.forgetConfirm(name)}
        action={messages.forgetAction}
        keep={messages.keepIt}
        error={forget.error}
        isPending={forget.isPending}
        onConfirm={() => forget.mutate()}
        onClose={onClose}
      >
        <p>{messages.forgetText(backups)}</p>
        <p>{messages.forgetStays}</p>
      </TypeToConfirm>
    </Modal>
  );
}
