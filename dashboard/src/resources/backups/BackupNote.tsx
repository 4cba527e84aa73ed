import { Alert } from '@mantine/core';
import { Link } from '@tanstack/react-router';

import type { ClusterView } from '../../api/types';
import { startSentence } from '../../ui/format';
import { messages } from './backups.messages';
import classes from './backups.module.css';
import { withMoments } from './status';

/** What is wrong with a cluster's backups, wherever on its page one is. */
export function BackupNote({ cluster }: { cluster: ClusterView }) {
  const problem = cluster.backup?.problem;
  if (!problem) return null;
  return (
    <Alert color="red" role="alert" mb={16} title={messages.problem}>
      <div className={classes.note}>
        <span>{startSentence(withMoments(problem))}</span>
        <Link to="/clusters/$name" params={{ name: cluster.name }} search={{ tab: 'backups' }}>
          {messages.look}
        </Link>
      </div>
    </Alert>
  );
}
