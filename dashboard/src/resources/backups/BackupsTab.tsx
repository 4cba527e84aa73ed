import type { ClusterView } from '../../api/types';
import { BackupHistory } from './BackupHistory';
import classes from './backups.module.css';
import { ScheduleCard } from './ScheduleCard';
import { StandingCard } from './StandingCard';

/** What can be recovered, when backups begin, and every backup. */
export function BackupsTab({ cluster }: { cluster: ClusterView }) {
  return (
    <div className={classes.stack}>
      <div className={classes.pair}>
        <StandingCard cluster={cluster} />
        <ScheduleCard cluster={cluster} />
      </div>
      <BackupHistory cluster={cluster} />
    </div>
  );
}
