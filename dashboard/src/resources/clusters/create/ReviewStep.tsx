import type { Plan } from '../../../api/types';
import { ErrorNote } from '../../../ui/ErrorNote';
import { formatMoment } from '../../../ui/format';
import { PlanSkeleton } from '../../plans/PlanSkeleton';
import { PlanView } from '../../plans/PlanView';
import { messages as clusterMessages } from '../clusters.messages';
import { engineTitle, providerTitle, replicationOf, sizeWords } from '../describe';
import { timerWords } from '../status';
import classes from './create.module.css';
import { messages } from './create.messages';
import { type Catalogue, type Draft, engineOf, stepNames, type StepName, toSpec } from './draft';

interface Props {
  draft: Draft;
  catalogue: Catalogue;
  plan: Plan | undefined;
  error: unknown;
  onRetry: () => void;
  onGoTo: (step: StepName) => void;
}

/** Every setting, and what will happen, before anything does. */
export function ReviewStep({ draft, catalogue, plan, error, onRetry, onGoTo }: Props) {
  return (
    <>
      <dl className={classes.review}>
        {settingsOf(draft, catalogue).map(([name, value, step]) => (
          <div key={name} className={classes.reviewRow}>
            <dt>{name}</dt>
            <dd>{value}</dd>
            <button
              type="button"
              className={classes.change}
              aria-label={messages.review.edit(name)}
              onClick={() => onGoTo(step)}
            >
              {messages.review.change}
            </button>
          </div>
        ))}
      </dl>
      {draft.source && <p className={classes.note}>{messages.backup.leaves}</p>}
      <div>
        <h3 className={classes.label}>{messages.review.plan}</h3>
        {error ? (
          <ErrorNote error={error} retry={onRetry} />
        ) : plan ? (
          <PlanView plan={plan} />
        ) : (
          <PlanSkeleton />
        )}
      </div>
    </>
  );
}

type Setting = readonly [name: string, value: string, step: StepName];

/** The settings that were made up to a step, as people read them. */
export function settingsOf(draft: Draft, catalogue: Catalogue, upTo: StepName = 'review'): Setting[] {
  const spec = toSpec(draft);
  const words = clusterMessages.facts;
  const engine = engineOf(draft, catalogue);
  const all: Setting[] = [
    [words.name, spec.name, 'name'],
    [words.engine, `${engineTitle(spec.engine, catalogue.engines)} ${spec.version}`, 'engine'],
    [words.provider, providerTitle(spec.provider, catalogue.providers), 'machines'],
    [words.size, sizeWords(spec), 'machines'],
    ...(spec.shards ? [[words.shards, String(spec.shards), 'topology'] as const] : []),
    [words.nodes, String(spec.nodes), 'topology'],
  ];
  if (draft.source) {
    const { title, at } = draft.source;
    const told = at ? messages.backup.upTo(title, formatMoment(at)) : title;
    all.splice(1, 0, [messages.backup.source, told, 'engine']);
  }
  if (spec.nodes > 1) {
    all.push([words.replication, replicationOf(spec, engine), 'topology']);
    all.push([words.timers, timerWords[spec.timers], 'topology']);
    if (spec.apart) all.push([words.hosts, words.apart, 'topology']);
  }
  const chosen = Object.entries(spec.parameters);
  if (chosen.length > 0) {
    const shown = chosen.map(([name, value]) => `${name} ${value}`).join(', ');
    all.push([words.parameters, shown, 'topology']);
  }
  const allow = (spec.allowlist ?? []).map((entry) => entry.address).join(', ');
  all.push([words.allowlist, allow || words.nobody, 'access']);
  if (draft.project !== '') all.push([words.project, draft.project, 'name']);
  const last = stepNames.indexOf(upTo);
  return all.filter(([, value, step]) => value !== '' && stepNames.indexOf(step) <= last);
}
