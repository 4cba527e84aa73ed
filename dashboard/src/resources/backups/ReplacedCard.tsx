import { useState } from 'react';

import type { ClusterView, NewOperation } from '../../api/types';
import { Card } from '../../ui/Card';
import { formatMoment } from '../../ui/format';
import { GuardedButton } from '../../ui/GuardedButton';
import { useMay } from '../people/may';
import { messages } from './backups.messages';
import classes from './backups.module.css';
import { ReplaceDialog } from './ReplaceDialog';

const words = messages.over;

/** What a restore has replaced is set aside: it can come back, or go. */
export function ReplacedCard({ cluster }: { cluster: ClusterView }) {
  const [asked, setAsked] = useState<'undo_restore' | 'keep_restored' | undefined>();
  const [isOpen, setIsOpen] = useState(false);
  const may = useMay(cluster);
  const { replaced } = cluster;
  if (!replaced) return null;
  const ask = (kind: 'undo_restore' | 'keep_restored') => {
    setAsked(kind);
    setIsOpen(true);
  };
  const reason = (kind: string) =>
    cluster.operations.find((one) => one.kind === kind && !one.allowed)?.reason ?? '';
  const isUndo = asked !== 'keep_restored';
  const isStrict = /^(strict|quorum)/.test(cluster.spec.replication ?? '');
  const request: NewOperation = isUndo
    ? { kind: 'undo_restore', ...(isStrict && { allow_waiting: true }) }
    : { kind: 'keep_restored' };
  return (
    <Card title={words.aside}>
      <div className={classes.told}>
        <p>{words.asideText(formatMoment(replaced.at), replaced.node_name)}</p>
        {may.administer && (
          <div className={classes.actions}>
            <GuardedButton reason={reason('undo_restore')} onPress={() => ask('undo_restore')}>
              {words.undo}
            </GuardedButton>
            <GuardedButton reason={reason('keep_restored')} onPress={() => ask('keep_restored')}>
              {words.keep}
            </GuardedButton>
          </div>
        )}
      </div>
      <ReplaceDialog
        cluster={cluster}
        request={request}
        title={isUndo ? words.undoTitle(cluster.name) : words.keepTitle(cluster.name)}
        action={isUndo ? words.undoAction : words.keepAction}
        isOpen={isOpen}
        onClose={() => setIsOpen(false)}
      />
    </Card>
  );
}
