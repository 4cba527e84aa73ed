import { Button, Checkbox, NumberInput, Select, Textarea, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';

import { meQuery, projectsQuery } from '../../../api/queries';
import type { TimerProfile } from '../../../api/types';
import { GIB } from '../../../ui/format';
import { DEFAULT_PROJECT, isAtLeast } from '../../people/may';
import { AdvancedParameters } from '../../parameters/AdvancedParameters';
import { timerWords } from '../status';
import { TopologyHint } from '../topology/TopologyHint';
import { Choices } from './Choices';
import { SizeInputs } from './SizeInputs';
import classes from './create.module.css';
import { messages } from './create.messages';
import {
  allowed,
  type Catalogue,
  type Draft,
  engineOf,
  toEntry,
  type FieldErrors,
  nodesLeast,
  nodesMost,
  providerOf,
  shardsRange,
  sizeBounds,
  topologiesOf,
  toSpec,
} from './draft';

export interface StepProps {
  draft: Draft;
  catalogue: Catalogue;
  errors: FieldErrors;
  onChange: (change: Partial<Draft>) => void;
}

export function EngineStep({ draft, catalogue, errors, onChange }: StepProps) {
  const engine = engineOf(draft, catalogue);
  const words = messages.engine;
  if (catalogue.engines.length === 0) return <p>{words.none}</p>;
  return (
    <>
      <Choices
        label={messages.steps.engine}
        name="engine"
        value={draft.engine}
        error={errors.engine}
        choices={catalogue.engines.map(({ name, title, summary }) => ({
          value: name,
          title,
          text: summary,
        }))}
        onChange={(name) => {
          const chosen = catalogue.engines.find((one) => one.name === name);
          onChange({
            engine: name,
            version: chosen?.versions[0] ?? '',
            mode: chosen?.replication_modes[0]?.name ?? 'async',
            parameters: {},
            shards: 0,
            multiPrimary: false,
          });
        }}
      />
      <Select
        label={words.version}
        description={words.versionHelp}
        maw={280}
        value={draft.version}
        data={engine?.versions ?? []}
        error={errors.version}
        onChange={(version) => onChange({ version: version ?? '' })}
      />
      {engine && engine.warnings.length > 0 && (
        <ul className={classes.warnings} aria-label={words.warnings}>
          {engine.warnings.map((warning) => (
            <li key={warning}>{warning}</li>
          ))}
        </ul>
      )}
    </>
  );
}

const presets = [
  { key: 'small', cpus: 1, memoryGib: 1, diskGib: 5 },
  { key: 'medium', cpus: 2, memoryGib: 4, diskGib: 20 },
  { key: 'large', cpus: 4, memoryGib: 16, diskGib: 100 },
];

export function MachinesStep({ draft, catalogue, errors, onChange }: StepProps) {
  const words = messages.machines;
  const bounds = sizeBounds(
    engineOf(draft, catalogue),
    providerOf(draft, catalogue),
    draft.source?.bytes,
  );
  const fitting = presets.filter(
    ({ cpus, memoryGib, diskGib }) =>
      cpus <= bounds.cpus.most &&
      memoryGib * GIB <= bounds.memory.most &&
      diskGib * GIB <= bounds.disk.most,
  );
  return (
    <>
      <Choices
        label={words.provider}
        name="provider"
        value={draft.provider}
        error={errors.provider}
        choices={catalogue.providers.map(({ name, title, available, reason }) => ({
          value: name,
          title,
          ...(!available && { reason: reason || words.unavailable }),
        }))}
        onChange={(provider) => onChange({ provider })}
      />
      <div>
        <p className={classes.label}>{words.size}</p>
        <div className={classes.presets}>
          {fitting.map(({ key, cpus, memoryGib, diskGib }) => {
            const isChosen =
              draft.cpus === cpus && draft.memoryGib === memoryGib && draft.diskGib === diskGib;
            return (
              <Button
                key={key}
                size="xs"
                variant={isChosen ? 'light' : 'default'}
                aria-pressed={isChosen}
                onClick={() => onChange({ cpus, memoryGib, diskGib })}
              >
                {words.presets[key]}
                <span className={classes.presetText}>
                  {words.preset(cpus, memoryGib * GIB, diskGib * GIB)}
                </span>
              </Button>
            );
          })}
        </div>
        <SizeInputs size={draft} bounds={bounds} errors={errors} onChange={onChange} />
      </div>
    </>
  );
}

export function TopologyStep({ draft, catalogue, errors, onChange }: StepProps) {
  const words = messages.topology;
  const engine = engineOf(draft, catalogue);
  const provider = providerOf(draft, catalogue);
  const isSharded = draft.shards !== 0;
  const hasOneHost = provider?.limits.one_host ?? false;
  const { multiPrimary } = draft;
  const least = nodesLeast(engine, multiPrimary);
  const most = nodesMost(engine, provider, Number(draft.shards), multiPrimary);
  const nodes = Number(draft.nodes);
  const topologies = engine?.topologies ?? [];
  const current = topologiesOf(engine, isSharded, multiPrimary).find(
    (one) => isSharded || multiPrimary || (nodes >= one.nodes_min && nodes <= one.nodes_max),
  );
  const shards = shardsRange(engine);
  const isReplicated = nodes > 1 && !multiPrimary;
  return (
    <>
      <Choices
        label={words.topology}
        name="topology"
        value={current?.name ?? ''}
        choices={topologies.map(({ name, title, summary, picture }) => ({
          value: name,
          title,
          text: summary,
          picture: <TopologyHint picture={picture} />,
        }))}
        onChange={(name) => {
          const chosen = topologies.find((one) => one.name === name);
          if (!chosen) return;
          const count = chosen.shards_min ?? 0;
          const usual = chosen.nodes_max > 1 ? Math.max(count > 0 ? 2 : 3, chosen.nodes_min) : 1;
          const isOfEquals = chosen.picture === 'multi_primary';
          const possible = nodesMost(engine, provider, count, isOfEquals);
          onChange({
            shards: count,
            multiPrimary: isOfEquals,
            nodes: Math.min(usual, chosen.nodes_max, possible),
          });
        }}
      />
      {isSharded && (
        <NumberInput
          label={words.shards}
          description={words.shardsHelp(shards.least, shards.most)}
          maw={280}
          value={draft.shards}
          min={1}
          max={shards.most}
          clampBehavior="none"
          allowDecimal={false}
          error={errors.shards}
          onChange={(value) => onChange({ shards: toEntry(value) })}
        />
      )}
      <div>
        <NumberInput
          label={isSharded ? words.nodesOfShard : words.nodes}
          description={
            multiPrimary ? words.membersHelp(least, most) : words.nodesHelp(least, most)
          }
          maw={280}
          value={draft.nodes}
          min={0}
          max={most}
          clampBehavior="none"
          allowDecimal={false}
          error={errors.nodes}
          onChange={(value) => onChange({ nodes: toEntry(value) })}
        />
        <p className={classes.note}>
          {multiPrimary ? words.goesOn : words.replaces(Math.max(0, nodes - 1))}
        </p>
      </div>
      {isReplicated && (
        <>
          <Choices
            label={words.replication}
            name="replication"
            value={draft.mode}
            error={errors.replication}
            choices={(engine?.replication_modes ?? []).map(({ name, title, summary }) => ({
              value: name,
              title,
              text: summary,
            }))}
            onChange={(mode) => onChange({ mode })}
          />
          {draft.mode === 'quorum' && (
            <NumberInput
              label={words.acks}
              maw={280}
              value={draft.acks}
              min={1}
              clampBehavior="none"
              allowDecimal={false}
              onChange={(value) => onChange({ acks: toEntry(value) })}
            />
          )}
        </>
      )}
      {nodes > 1 && (
        <>
          <Select
            label={multiPrimary ? words.timersOfEquals : words.timers}
            maw={420}
            value={draft.timers}
            data={Object.entries(timerWords).map(([value, label]) => ({ value, label }))}
            onChange={(timers) => onChange({ timers: (timers ?? 'lan') as TimerProfile })}
          />
          <Checkbox
            label={words.apart}
            description={hasOneHost ? words.oneHost : words.apartHelp}
            disabled={hasOneHost && !draft.apart}
            error={errors.apart}
            checked={draft.apart}
            onChange={(event) => onChange({ apart: event.currentTarget.checked })}
          />
        </>
      )}
      <AdvancedParameters
        spec={toSpec(draft)}
        chosen={draft.parameters}
        errors={errors}
        onChange={(parameters) => onChange({ parameters })}
      />
    </>
  );
}

export function AccessStep({ draft, errors, onChange }: StepProps) {
  const words = messages.access;
  const mine = useQuery(meQuery).data?.address ?? '';
  const addresses = allowed(draft);
  const wrong = Object.entries(errors).filter(([field]) => field.startsWith('allowlist'));
  return (
    <div>
      <Textarea
        label={words.label}
        description={words.help}
        maw={480}
        minRows={4}
        autosize
        value={draft.allow}
        autoCapitalize="none"
        spellCheck={false}
        error={wrong.length > 0 ? wrong.map(([, message]) => message).join(' ') : undefined}
        onChange={(event) => onChange({ allow: event.currentTarget.value })}
      />
      {mine !== '' && !addresses.includes(mine) && (
        <Button
          mt={8}
          size="xs"
          variant="default"
          onClick={() => onChange({ allow: [...addresses, mine].join('\n') })}
        >
          {words.mine(mine)}
        </Button>
      )}
      {addresses.length === 0 && <p className={classes.note}>{words.nobody}</p>}
    </div>
  );
}

export function NameStep({ draft, errors, onChange }: StepProps) {
  const words = messages.name;
  const projects = (useQuery(projectsQuery).data ?? [])
    .filter((project) => isAtLeast(project.role, 'admin'))
    .map((project) => project.name);
  const name = draft.name.trim();
  return (
    <div>
      <TextInput
        label={words.label}
        description={words.help}
        maw={420}
        value={draft.name}
        placeholder="orders"
        autoComplete="off"
        autoCapitalize="none"
        spellCheck={false}
        autoFocus
        error={errors.name}
        onChange={(event) => onChange({ name: event.currentTarget.value })}
      />
      {name !== '' && !errors.name && (
        <p className={classes.note}>
          {draft.shards === 0
            ? words.nodes(name, Number(draft.nodes))
            : words.shards(name, Number(draft.shards))}
        </p>
      )}
      {projects.length > 1 && (
        <Select
          label={words.project}
          maw={420}
          mt="md"
          value={draft.project || DEFAULT_PROJECT}
          data={projects}
          error={errors.project}
          onChange={(project) => onChange({ project: project ?? '' })}
        />
      )}
    </div>
  );
}
