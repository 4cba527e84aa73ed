import type { Evidence } from '../../api/types';
import { messages } from './reports.messages';
import classes from './reports.module.css';

const words = messages.columns;

/** How old what is known of a primary is, by who knows it. What is silence stands out. */
export function EvidenceTable({ evidence }: { evidence: Evidence }) {
  const limit = evidence.suspect_after_ms;
  return (
    <div className={classes.evidence}>
      <p>
        {messages.ownReport}: <Age ms={evidence.report_age_ms} limit={limit} />
        <span className={classes.dim}> ({messages.silentAfter(limit)})</span>
      </p>
      {evidence.engine_died && <p>{messages.engineDied}</p>}
      {evidence.machine_stopped && <p>{messages.machineStopped}</p>}
      {evidence.witnesses.length > 0 && (
        <table>
          <thead>
            <tr>
              <th scope="col">{words.witness}</th>
              <th scope="col">{words.lease}</th>
              <th scope="col">{words.engine}</th>
              <th scope="col">{words.report}</th>
            </tr>
          </thead>
          <tbody>
            {evidence.witnesses.map((witness) => (
              <tr key={witness.node_name}>
                <th scope="row">
                  {witness.node_name}
                  {witness.votes && <span className={classes.dim}> {messages.votes}</span>}
                </th>
                <td>
                  <Age ms={witness.lease_request_age_ms} limit={limit} />
                </td>
                <td>
                  <Age ms={witness.engine_message_age_ms} limit={limit} />
                </td>
                <td>
                  <Age ms={witness.report_age_ms} limit={limit} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </div>
  );
}

function Age({ ms, limit }: { ms: number | null | undefined; limit: number }) {
  const isSilent = ms == null || ms > limit;
  return (
    <span className={isSilent ? classes.silent : undefined}>
      {ms == null ? messages.never : messages.ago(ms)}
    </span>
  );
}
