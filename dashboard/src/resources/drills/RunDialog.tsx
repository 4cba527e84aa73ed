import { useState } from 'react';

import type { ClusterView, DrillKind } from '../../api/types';
import { ConfirmOperation } from '../nodes/ConfirmOperation';
import { messages } from './drills.messages';
import classes from './drills.module.css';
import { KindChoice } from './KindChoice';

interface Props {
  cluster: ClusterView;
  isOpen: boolean;
  onClose: () => void;
}

/** Asks what shall be tried, says what that does, and begins it. */
export function RunDialog({ cluster, isOpen, onClose }: Props) {
  const [kind, setKind] = useState<DrillKind>('switchover');
  const [allowLoss, setAllowLoss] = useState(false);
  const isAsync = cluster.spec.replication === 'async';
  const isLossy = kind === 'failover' && isAsync && allowLoss;
  return (
    <ConfirmOperation
      cluster={cluster}
      request={{ kind: 'drill', drill: kind, allow_loss: isLossy }}
      title={messages.runTitle(cluster.name)}
      action={messages.confirmRun}
      isDangerous={kind === 'failover'}
      choices={
        <div className={classes.choices}>
          <KindChoice
            kind={kind}
            allowLoss={allowLoss}
            isAsync={isAsync}
            onChange={(next, isAllowed) => {
              setKind(next);
              setAllowLoss(isAllowed);
            }}
          />
        </div>
      }
      isOpen={isOpen}
      onClose={onClose}
    />
  );
}
