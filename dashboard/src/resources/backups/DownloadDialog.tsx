import { Button, Modal } from '@mantine/core';

import { downloadAddress } from '../../api/backups';
import type { Backup } from '../../api/types';
import { formatMoment } from '../../ui/format';
import { messages } from './backups.messages';
import classes from './backups.module.css';
import { momentOf } from './status';

const words = messages.download;

interface Props {
  backup: Backup;
  isOpen: boolean;
  onClose: () => void;
}

/** Says what the file is before the browser fetches it, which tells how far it is by itself. */
export function DownloadDialog({ backup, isOpen, onClose }: Props) {
  const when = formatMoment(momentOf(backup));
  return (
    <Modal opened={isOpen} onClose={onClose} title={<strong>{words.title(when)}</strong>}>
      <div className={classes.told}>
        <p>{words.text(backup.facts?.size ?? 0)}</p>
        <p>{words.care}</p>
        <div className={classes.actions}>
          {/* What is refused is shown in a page of its own; a file closes that by itself. */}
          <Button
            component="a"
            href={downloadAddress(backup.id)}
            target="_blank"
            rel="noopener"
            onClick={onClose}
          >
            {words.action}
          </Button>
          <Button variant="default" onClick={onClose}>
            {messages.cancel}
          </Button>
        </div>
      </div>
    </Modal>
  );
}
