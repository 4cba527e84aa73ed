import { useState } from 'react';

import type { ClusterView } from '../../api/types';
import { ConfirmOperation } from '../nodes/ConfirmOperation';
import { messages } from './backups.messages';
import classes from './backups.module.css';
import { RateInput, toRateKib } from './RateInput';
import { RepositorySelect, useRepositoryChoice } from './RepositorySelect';

interface Props {
  cluster: ClusterView;
  isOpen: boolean;
  onClose: () => void;
}

/** Asks where to, says what that does, and takes it. */
export function TakeDialog({ cluster, isOpen, onClose }: Props) {
  const [repository, setRepository] = useRepositoryChoice(cluster.spec.backup?.repository);
  const [rate, setRate] = useState('');
  const rateKib = toRateKib(rate);
  return (
    <ConfirmOperation
      cluster={cluster}
      request={{
        kind: 'backup',
        ...(repository !== '' && { repository }),
        ...(rateKib > 0 && { rate_kib: rateKib }),
      }}
      title={messages.takeTitle(cluster.name)}
      action={messages.take}
      choices={
        <div className={classes.choices}>
          <RepositorySelect value={repository} onChange={setRepository} />
          <RateInput value={rate} onChange={setRate} />
        </div>
      }
      isOpen={isOpen}
      onClose={onClose}
    />
  );
}
