import { Alert, Button, Modal } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';

import { showRepositoryKey } from '../../api/backups';
import type { RepositoryKey } from '../../api/types';
import { CopyText } from '../../ui/CopyText';
import { ErrorNote } from '../../ui/ErrorNote';
import { DownloadIcon } from '../../ui/icons';
import classes from './repositories.module.css';
import { messages } from './repositories.messages';

interface Props {
  name: string;
  isOpen: boolean;
  onClose: () => void;
}

/** The key of a repository, after a warning; it leaves the memory with the dialog. */
export function KeyDialog({ name, isOpen, onClose }: Props) {
  return (
    <Modal opened={isOpen} onClose={onClose} title={<strong>{messages.keyTitle(name)}</strong>}>
      <RepositoryKeyPart name={name} onClose={onClose} />
    </Modal>
  );
}

export function RepositoryKeyPart({ name, onClose }: Omit<Props, 'isOpen'>) {
  const show = useMutation({ mutationFn: () => showRepositoryKey(name), gcTime: 0 });
  return (
    <div className={classes.stack}>
      <Alert color="yellow">
        {messages.keyWarning} {messages.keyAudit}
      </Alert>
      {show.error && <ErrorNote error={show.error} />}
      {show.data && <Shown shown={show.data} />}
      <div className={classes.formButtons}>
        {show.data ? (
          <Button onClick={onClose}>{messages.done}</Button>
        ) : (
          <>
            <Button variant="default" onClick={onClose}>
              {messages.cancel}
            </Button>
            <Button loading={show.isPending} onClick={() => show.mutate()}>
              {messages.showKey}
            </Button>
          </>
        )}
      </div>
    </div>
  );
}

function Shown({ shown }: { shown: RepositoryKey }) {
  const file = `data:text/plain;charset=utf-8,${encodeURIComponent(`${shown.key}\n`)}`;
  return (
    <div>
      <CopyText text={shown.key} label={messages.key} />
      <p className={classes.dim}>{messages.keyShown}</p>
      <p className={classes.dim}>
        {messages.address}: <code>{shown.address}</code>
      </p>
      <Button
        component="a"
        href={file}
        download={messages.keyFile(shown.repository)}
        mt={10}
        size="xs"
        variant="default"
        leftSection={<DownloadIcon size={14} />}
      >
        {messages.saveKey}
      </Button>
    </div>
  );
}
