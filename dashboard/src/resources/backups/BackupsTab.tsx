import type { ClusterView } from '../../api/types';
import { Card } from '../../ui/Card';
import { Empty } from '../../ui/Empty';
import { startSentence } from '../../ui/format';
import { useEngine } from '../clusters/useEngine';
import { BackupHistory } from './BackupHistory';
import { messages } from './backups.messages';
import classes from './backups.module.css';
import { ReplacedCard } from './ReplacedCard';
import { ScheduleCard } from './ScheduleCard';
import { StandingCard } from './StandingCard';

/** What can be recovered, when backups begin, and every backup. */
export function BackupsTab({ cluster }: { cluster: ClusterView }) {
  const engine = useEngine(cluster);
  if (engine && !engine.capabilities.backups) {
    return (
      <Card>
        <Empty title={messages.cannot(engine.title)} text={messages.cannotText(engine.title)} />
      </Card>
    );
  }
  if (cluster.spec.multi_primary) {
    const why = cluster.operations.find((operation) => operation.kind === 'backup')?.reason;
    return (
      <Card>
        <Empty title={messages.cannotGroup} text={startSentence(why || messages.unavailable)} />
      </Card>
    );
  }
  return (
    <div className={classes.stack}>
      <ReplacedCard cluster={cluster} />
      <div className={classes.pair}>
        <StandingCard cluster={cluster} />
        <ScheduleCard cluster={cluster} />
      </div>
      <BackupHistory cluster={cluster} />
    </div>
  );
}
