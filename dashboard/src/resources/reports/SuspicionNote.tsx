import type { ClusterView } from '../../api/types';
import { startSentence } from '../../ui/format';
import { StatusDot } from '../../ui/Status';
import { EvidenceTable } from './Evidence';
import { messages } from './reports.messages';
import classes from './reports.module.css';

/** Who is suspected and why, until somebody takes its place or it is heard again. */
export function SuspicionNote({ cluster }: { cluster: ClusterView }) {
  const { suspicion } = cluster;
  if (!suspicion || cluster.phase === 'failing_over') return null;
  return (
    <section className={classes.suspicion} aria-label={messages.suspected(suspicion.node_name)}>
      <StatusDot tone={suspicion.will_fail_over ? 'bad' : 'warn'} size={11} />
      <div className={classes.suspected}>
        <strong role="status">{messages.suspected(suspicion.node_name)}</strong>
        <p>
          {startSentence(suspicion.sentence, suspicion.node_name)}.{' '}
          {suspicion.will_fail_over ? messages.willFailOver : messages.staysSo}
        </p>
        <EvidenceTable evidence={suspicion.evidence} />
      </div>
    </section>
  );
}
