import { useQuery } from '@tanstack/react-query';
import { useId, useState } from 'react';

import { operationQuery } from '../../api/queries';
import type { Backup, ClusterView } from '../../api/types';
import { formatAgo, formatBytes, formatMoment, startSentence } from '../../ui/format';
import { ChevronRightIcon } from '../../ui/icons';
import { Status } from '../../ui/Status';
import { useNow } from '../../ui/useNow';
import { BackupActions } from './BackupActions';
import { BackupDetails } from './BackupDetails';
import { messages } from './backups.messages';
import classes from './backups.module.css';
import { Progress } from './Progress';
import { backupLook, momentOf } from './status';

interface Props {
  backup: Backup;
  /** Those that are known beside it. */
  all: Backup[];
  /** Whose page it is on; none: those of every cluster are listed. */
  cluster?: ClusterView | undefined;
}

/** One line for a backup; what is known of it when opened. */
export function BackupItem({ backup, all, cluster }: Props) {
  const [isOpen, setIsOpen] = useState(false);
  const id = useId();
  const now = useNow(15_000);
  const moment = momentOf(backup);
  const about = [
    backup.facts ? formatBytes(backup.facts.size) : '',
    backup.stored == null ? '' : messages.stored(backup.stored),
    backup.repository_name,
    cluster && backup.cluster !== cluster.id ? messages.earlier : '',
  ].filter((words) => words !== '');
  const why = backup.status === 'complete' && !(backup.proof?.proven ?? true)
    ? (backup.proof?.message ?? '')
    : backup.message;
  return (
    <li className={classes.item}>
      <button
        type="button"
        className={classes.head}
        aria-expanded={isOpen}
        aria-controls={id}
        onClick={() => setIsOpen(!isOpen)}
      >
        <ChevronRightIcon className={classes.chevron} size={14} />
        <span className={classes.name}>
          <span className={classes.when}>
            {!cluster && `${backup.cluster_name} · `}
            {formatMoment(moment)}
          </span>
          <Status look={backupLook(backup)} />
        </span>
        <span className={classes.ago}>{formatAgo(Date.parse(moment), now)}</span>
        <span className={classes.about}>{about.join(' · ')}</span>
        {why && <span className={classes.about}>{startSentence(why)}</span>}
      </button>
      {backup.status === 'running' && backup.operation && <Taking id={backup.operation} />}
      {isOpen && (
        <div className={classes.detail} id={id}>
          <BackupDetails backup={backup} />
          <BackupActions backup={backup} all={all} cluster={cluster} />
        </div>
      )}
    </li>
  );
}

function Taking({ id }: { id: string }) {
  const { data: operation } = useQuery(operationQuery(id));
  return operation ? <Progress operation={operation} /> : null;
}
