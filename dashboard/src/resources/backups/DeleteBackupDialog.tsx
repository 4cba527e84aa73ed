import { Alert, Modal } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';

import { deleteBackup } from '../../api/backups';
import { keys } from '../../api/keys';
import type { Backup } from '../../api/types';
import { formatMoment } from '../../ui/format';
import { TypeToConfirm } from '../../ui/TypeToConfirm';
import { messages } from './backups.messages';
import { momentOf, whatIsLost } from './status';

interface Props {
  backup: Backup;
  all: Backup[];
  isOpen: boolean;
  onClose: () => void;
}

/** Says what goes with it, and removes it when the cluster's name was typed. */
export function DeleteBackupDialog({ backup, all, isOpen, onClose }: Props) {
  const client = useQueryClient();
  const remove = useMutation({
    mutationFn: () => deleteBackup(backup.id),
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: keys.anyBackups });
      void client.invalidateQueries({ queryKey: keys.repositories });
      onClose();
    },
  });
  const lost = whatIsLost(backup, all);
  return (
    <Modal
      opened={isOpen}
      onClose={onClose}
      title={<strong>{messages.removeTitle(formatMoment(momentOf(backup)))}</strong>}
    >
      <TypeToConfirm
        word={backup.cluster_name}
        label={messages.removeConfirm(backup.cluster_name)}
        action={messages.removeAction}
        keep={messages.keepIt}
        error={remove.error}
        isPending={remove.isPending}
        onConfirm={() => remove.mutate()}
        onClose={onClose}
      >
        <p>{messages.removeText(backup.repository_name)}</p>
        {lost && <Alert color="red">{lost}</Alert>}
      </TypeToConfirm>
    </Modal>
  );
}
