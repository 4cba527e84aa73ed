import { Button } from '@mantine/core';
import { useMutation, useQuery } from '@tanstack/react-query';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { type FormEvent, useEffect, useMemo, useRef, useState } from 'react';

import { createCluster, planCluster } from '../../../api/clusters';
import { serverNow } from '../../../api/clock';
import { asProblem } from '../../../api/problem';
import { meQuery } from '../../../api/queries';
import type { BackupFacts } from '../../../api/types';
import { Card } from '../../../ui/Card';
import { ErrorNote } from '../../../ui/ErrorNote';
import { Facts } from '../../../ui/Facts';
import { startSentence } from '../../../ui/format';
import { ArrowLeftIcon, ArrowRightIcon } from '../../../ui/icons';
import { newKey } from '../../../ui/newKey';
import { TopologySketch } from '../topology/TopologySketch';
import classes from './create.module.css';
import { messages } from './create.messages';
import {
  acksOf,
  type Catalogue,
  checkStep,
  type Draft,
  errorsUpTo,
  type FieldErrors,
  firstDraft,
  stepNames,
  type StepName,
  stepOfField,
  toFieldErrors,
  toSpec,
} from './draft';
import { BackupStep } from './BackupStep';
import { checkRestore, draftOf } from './restore';
import { ReviewStep, settingsOf } from './ReviewStep';
import { AccessStep, EngineStep, MachinesStep, NameStep, TopologyStep } from './steps';
import { StepTrail, stepTitle } from './StepTrail';

const route = getRouteApi('/shell/new-cluster');
/** Checked with the other settings, never created. */
const NAME_TO_COME = 'name-to-come';

const formSteps = {
  engine: EngineStep,
  machines: MachinesStep,
  topology: TopologyStep,
  access: AccessStep,
  name: NameStep,
};

/** The errors a refusal names, by field. A name that is taken is the name's error. */
function fieldErrorsOf(error: unknown): FieldErrors {
  const problem = asProblem(error);
  if (problem.code === 'name-taken') return { name: startSentence(problem.body.detail) };
  return toFieldErrors(problem.fields);
}

interface WizardProps {
  catalogue: Catalogue;
  /** A backup is restored; which one, where it was said already. */
  isRestore: boolean;
  facts?: BackupFacts | undefined;
}

export function Wizard({ catalogue, isRestore, facts }: WizardProps) {
  const me = useQuery(meQuery).data;
  const [draft, setDraft] = useState<Draft>(() => {
    const caller = me?.address ?? '';
    return facts
      ? draftOf(facts, catalogue, caller, serverNow())
      : firstDraft(catalogue, caller);
  });
  const [errors, setErrors] = useState<FieldErrors>({});
  const [reached, setReached] = useState(0);
  const navigate = useNavigate();

  // The step is in the address, so that the browser's Back goes a step back; one that was not reached
  // yet, as after a reload, is not shown.
  const search = route.useSearch();
  const wanted = stepNames.indexOf((search.step ?? 'engine') as StepName);
  const index = Math.min(Math.max(wanted, 0), reached);
  const step = stepNames[index] ?? 'engine';
  const goTo = (next: StepName) => {
    setReached((most) => Math.max(most, stepNames.indexOf(next)));
    const { step: _, ...rest } = search;
    const to = next === 'engine' ? rest : { ...rest, step: next };
    void navigate({ to: '/new-cluster', search: to });
  };

  const spec = toSpec(draft);
  const text = JSON.stringify(spec);
  const key = useKeyFor(text);
  const plan = useQuery({
    queryKey: ['plan', 'create', text],
    queryFn: () => planCluster(spec),
    enabled: step === 'review',
    gcTime: 0,
    staleTime: 0,
  });
  // Before the name is asked for, another stands in for it: the server refuses an empty one.
  const check = useMutation({
    mutationFn: () => planCluster({ ...spec, name: spec.name || NAME_TO_COME }),
  });
  const create = useMutation({
    mutationFn: () => createCluster(spec, key),
    onSuccess: (cluster) => navigate({ to: '/clusters/$name', params: { name: cluster.name } }),
    onError: (error) => setErrors(fieldErrorsOf(error)),
  });
  const refusal = step === 'review' ? (create.error ?? plan.error) : null;
  const refused = refusal ? fieldErrorsOf(refusal) : {};

  const change = (changed: Partial<Draft>) => {
    setDraft((before) => ({ ...before, ...changed }));
    setErrors({});
    create.reset();
    check.reset();
  };
  const next = async () => {
    const found = (isRestore ? checkRestore : checkStep)(step, draft, catalogue);
    setErrors(found);
    if (Object.keys(found).length > 0) return;
    // The server says what the lists do not: a name that is taken, an address that has run out.
    try {
      await check.mutateAsync();
    } catch (error) {
      const named = fieldErrorsOf(error);
      const here = errorsUpTo(step, named);
      setErrors(here);
      if (Object.keys(here).length > 0 || Object.keys(named).length === 0) return;
      check.reset();
    }
    goTo(stepNames[index + 1] ?? 'review');
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (step === 'review') create.mutate();
    else void next();
  };
  const steps = isRestore ? { ...formSteps, engine: BackupStep } : formSteps;
  const FormStep = step === 'review' ? null : steps[step];
  const unplaced = check.error && Object.keys(errors).length === 0 ? check.error : null;

  return (
    <form onSubmit={submit} noValidate>
      <StepTrail current={step} reached={reached} isRestore={isRestore} onGoTo={goTo} />
      <div className={classes.grid}>
        <Card>
          <div className={classes.form}>
            <Question step={step} isRestore={isRestore} />
            {FormStep && (
              <FormStep draft={draft} catalogue={catalogue} errors={errors} onChange={change} />
            )}
            {step === 'review' && (
              <ReviewStep
                draft={draft}
                catalogue={catalogue}
                plan={plan.data}
                error={Object.keys(refused).length > 0 ? null : refusal}
                onRetry={() => {
                  create.reset();
                  void plan.refetch();
                }}
                onGoTo={goTo}
              />
            )}
            {Object.keys(refused).length > 0 && (
              <Refused
                isRestore={isRestore}
                error={refusal}
                errors={refused}
                onGoTo={(target) => {
                  setErrors(refused);
                  goTo(target);
                }}
              />
            )}
            {unplaced && <ErrorNote error={unplaced} />}
            <div className={classes.buttons}>
              {index > 0 ? (
                <Button
                  variant="default"
                  leftSection={<ArrowLeftIcon />}
                  onClick={() => goTo(stepNames[index - 1] ?? 'engine')}
                >
                  {messages.back}
                </Button>
              ) : (
                <span />
              )}
              {step === 'review' ? (
                <Button
                  type="submit"
                  loading={create.isPending || create.isSuccess}
                  disabled={!plan.data || plan.data.refusals.length > 0}
                >
                  {isRestore ? messages.restore : messages.create}
                </Button>
              ) : (
                <Button
                  type="submit"
                  rightSection={<ArrowRightIcon />}
                  loading={check.isPending}
                >
                  {messages.next}
                </Button>
              )}
            </div>
          </div>
        </Card>
        <Summary draft={draft} catalogue={catalogue} step={step} isRestore={isRestore} />
      </div>
    </form>
  );
}

/** The same key for the same settings, however often they are sent. */
function useKeyFor(text: string): string {
  return useMemo(() => (text === '' ? '' : newKey()), [text]);
}

/** The step's question; takes the focus when the step changes, so that it is read aloud. */
function Question({ step, isRestore }: { step: StepName; isRestore: boolean }) {
  const heading = useRef<HTMLHeadingElement>(null);
  const shown = useRef(step);
  useEffect(() => {
    if (shown.current !== step && step !== 'name') heading.current?.focus();
    shown.current = step;
  }, [step]);
  return (
    <h2 className={classes.question} ref={heading} tabIndex={-1}>
      {messages[isRestore && step === 'engine' ? 'backup' : step].title}
    </h2>
  );
}

interface RefusedProps {
  isRestore: boolean;
  error: unknown;
  errors: FieldErrors;
  onGoTo: (step: StepName) => void;
}

/** What the server refused, each with the way to where it is put right. */
function Refused({ isRestore, error, errors, onGoTo }: RefusedProps) {
  return (
    <ErrorNote error={error}>
      <ul style={{ margin: '6px 0 0', paddingLeft: 18 }}>
        {Object.entries(errors).map(([field, message]) => {
          const step = stepOfField(field);
          return (
            <li key={field}>
              {message}{' '}
              {step !== 'review' && (
                <button type="button" className={classes.change} onClick={() => onGoTo(step)}>
                  {messages.review.goTo(stepTitle(step, isRestore))}
                </button>
              )}
            </li>
          );
        })}
      </ul>
    </ErrorNote>
  );
}

interface SummaryProps {
  draft: Draft;
  catalogue: Catalogue;
  step: StepName;
  isRestore: boolean;
}

/** The cluster as it would be by now; nothing is said of a restore before its backup is chosen. */
function Summary({ draft, catalogue, step, isRestore }: SummaryProps) {
  if (isRestore && !draft.source) return null;
  const settings = settingsOf(draft, catalogue, step);
  return (
    <aside className={classes.aside}>
      <Card title={messages.soFar}>
        <div className={classes.sketch}>
          <TopologySketch
            nodes={Math.max(1, Number(draft.nodes))}
            acks={acksOf(draft)}
            isOfEquals={draft.multiPrimary}
          />
        </div>
        <Facts rows={settings.map(([name, value]) => [name, value] as const)} />
      </Card>
    </aside>
  );
}
