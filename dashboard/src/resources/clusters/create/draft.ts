// What was filled in so far, what is wrong with it, and the spec it makes. Limits are the engine's and
// the provider's own, as the server lists them; the server has the last word on every step.

import type {
  AllowEntry,
  ClusterSpec,
  EngineProfile,
  FieldProblem,
  NodeSize,
  ProviderView,
  TimerProfile,
  TopologyFact,
} from '../../../api/types';
import { formatBytes, formatCpus, GIB, startSentence } from '../../../ui/format';
import { messages } from './create.messages';

export const stepNames = ['engine', 'machines', 'topology', 'access', 'name', 'review'] as const;
export type StepName = (typeof stepNames)[number];

/** Number inputs are empty while they are being typed in. */
export type Entry = number | '';
export const toEntry = (value: number | string): Entry =>
  typeof value === 'number' ? value : '';

export interface SizeEntries {
  cpus: Entry;
  memoryGib: Entry;
  diskGib: Entry;
}

export interface Draft extends SizeEntries {
  engine: string;
  version: string;
  provider: string;
  nodes: Entry;
  /** Over how many groups the keys are divided; 0: they are not. */
  shards: Entry;
  /** Every node accepts writes. */
  multiPrimary: boolean;
  mode: string;
  acks: Entry;
  timers: TimerProfile;
  /** No two nodes on the same host. */
  apart: boolean;
  name: string;
  /** Chosen settings of the engine. */
  parameters: Record<string, string>;
  /** Addresses that are let in, one in a line. */
  allow: string;
  /** Empty is the default one. */
  project: string;
  /** The backup it begins with. */
  source: Source | null;
}

export interface Source {
  id: string;
  /** The backup in words. */
  title: string;
  bytes: number;
  /** A moment after it, as this browser's clock shows it; none: what the backup holds. */
  at?: string;
  /** Whom the cluster let in that it was taken of; they keep their notes and ends. */
  allowlist: AllowEntry[];
}

export interface Catalogue {
  engines: EngineProfile[];
  providers: ProviderView[];
}

/** Messages by the server's names of the fields. */
export type FieldErrors = Record<string, string>;

const fieldSteps: Record<string, StepName> = {
  source: 'engine',
  engine: 'engine',
  version: 'engine',
  provider: 'machines',
  size: 'machines',
  nodes: 'topology',
  shards: 'topology',
  multi_primary: 'topology',
  replication: 'topology',
  timers: 'topology',
  apart: 'topology',
  parameters: 'topology',
  allowlist: 'access',
  name: 'name',
  project: 'name',
};

/** The step on which a field of the spec is filled in. */
export function stepOfField(field: string): StepName {
  return fieldSteps[field.split(/[.[]/)[0] ?? ''] ?? 'review';
}

export const engineOf = (draft: Draft, { engines }: Catalogue): EngineProfile | undefined =>
  engines.find((engine) => engine.name === draft.engine);

export const providerOf = (draft: Draft, { providers }: Catalogue): ProviderView | undefined =>
  providers.find((provider) => provider.name === draft.provider);

const clamp = (value: number, least: number, most: number): number =>
  Math.min(Math.max(value, least), most);

export interface Bounds {
  least: number;
  most: number;
}
export type SizeBounds = Record<'cpus' | 'memory' | 'disk', Bounds>;

/** The bounds of what one node may have: what the engine and the data need, what the provider has. */
export function sizeBounds(
  engine: EngineProfile | undefined,
  provider: ProviderView | undefined,
  bytes = 0,
): SizeBounds {
  const limits = provider?.limits;
  return {
    cpus: { least: limits?.cpus_min ?? 0.1, most: limits?.cpus_max ?? 1_024 },
    memory: {
      least: Math.max(engine?.memory_min ?? 0, limits?.memory_min ?? 0),
      most: limits?.memory_max ?? Number.POSITIVE_INFINITY,
    },
    disk: {
      least: Math.max(engine?.disk_min ?? 0, limits?.disk_min ?? 0, bytes),
      most: limits?.disk_max ?? Number.POSITIVE_INFINITY,
    },
  };
}

const isOfEquals = ({ picture }: TopologyFact) => picture === 'multi_primary';

/** The topologies of several groups, or of one, whose nodes all accept writes or do not. */
export const topologiesOf = (
  engine: EngineProfile | undefined,
  isSharded: boolean,
  isMultiPrimary = false,
) =>
  (engine?.topologies ?? []).filter(
    (one) => (one.shards_max ?? 0) > 0 === isSharded && isOfEquals(one) === isMultiPrimary,
  );

/** The fewest nodes there can be: where all accept writes, a majority has to be left of them. */
export function nodesLeast(engine: EngineProfile | undefined, isMultiPrimary: boolean) {
  return (isMultiPrimary && topologiesOf(engine, false, true)[0]?.nodes_min) || 1;
}

/** The most nodes there can be, of each shard where there are shards. */
export function nodesMost(
  engine: EngineProfile | undefined,
  provider: ProviderView | undefined,
  shards = 0,
  isMultiPrimary = false,
) {
  const topologies = topologiesOf(engine, shards > 0, isMultiPrimary);
  const possible = topologies.map((topology) => topology.nodes_max);
  const most = Math.max(1, ...possible);
  const given = provider?.limits.nodes_max ?? most;
  return Math.min(most, Math.floor(given / Math.max(1, shards)));
}

/** How many shards there can be. */
export function shardsRange(engine: EngineProfile | undefined) {
  const topology = topologiesOf(engine, true)[0];
  return { least: topology?.shards_min ?? 0, most: topology?.shards_max ?? 0 };
}

/** `caller` is what an allowlist calls whoever asks. */
export function firstDraft(catalogue: Catalogue, caller = ''): Draft {
  const engine = catalogue.engines[0];
  const provider =
    catalogue.providers.find((one) => one.available) ?? catalogue.providers[0];
  const bounds = sizeBounds(engine, provider);
  const gib = (value: number, { least, most }: { least: number; most: number }) =>
    clamp(value * GIB, least, most) / GIB;
  return {
    engine: engine?.name ?? '',
    version: engine?.versions[0] ?? '',
    provider: provider?.name ?? '',
    cpus: clamp(1, bounds.cpus.least, bounds.cpus.most),
    memoryGib: gib(1, bounds.memory),
    diskGib: gib(5, bounds.disk),
    nodes: Math.min(3, nodesMost(engine, provider)),
    shards: 0,
    multiPrimary: false,
    mode: engine?.replication_modes[0]?.name ?? 'async',
    acks: 1,
    timers: 'lan',
    apart: false,
    name: '',
    parameters: {},
    allow: caller,
    project: '',
    source: null,
  };
}

/** The addresses that are let in. */
export const allowed = (draft: Draft): string[] =>
  draft.allow.split(/[\s,]+/).filter((address) => address !== '');

export function toSpec(draft: Draft): ClusterSpec {
  const replicated = Number(draft.nodes) > 1;
  const mode = draft.mode === 'quorum' ? `quorum(${draft.acks || 1})` : draft.mode;
  return {
    name: draft.name.trim(),
    engine: draft.engine,
    version: draft.version,
    provider: draft.provider,
    nodes: Number(draft.nodes),
    ...(draft.shards !== 0 && { shards: Number(draft.shards) }),
    ...(draft.multiPrimary && { multi_primary: true }),
    size: toSize(draft),
    // Nobody confirms where nobody follows.
    replication: replicated && !draft.multiPrimary ? mode : 'async',
    timers: draft.timers,
    ...(draft.apart && replicated && { apart: true }),
    parameters: draft.parameters,
    ...(draft.project !== '' && { project: draft.project }),
    allowlist: allowed(draft).map(
      (address) => draft.source?.allowlist.find((one) => one.address === address) ?? { address },
    ),
    ...(draft.source && { source: toSource(draft.source) }),
  };
}

const toSource = ({ id, at }: Source): ClusterSpec['source'] => ({
  backup: id,
  ...(at && { at: new Date(at).toISOString() }),
});

export const toSize = ({ cpus, memoryGib, diskGib }: SizeEntries): NodeSize => ({
  cpus: Number(cpus),
  memory: Math.round(Number(memoryGib) * GIB),
  disk: Math.round(Number(diskGib) * GIB),
});

/** How many replicas confirm a write before it is acknowledged. */
export function acksOf(draft: Draft): number {
  if (draft.mode === 'async' || draft.multiPrimary || Number(draft.nodes) < 2) return 0;
  return draft.mode === 'quorum' ? Number(draft.acks) : 1;
}

/** What is plainly wrong on a step; empty when nothing is. */
export function checkStep(step: StepName, draft: Draft, catalogue: Catalogue): FieldErrors {
  const engine = engineOf(draft, catalogue);
  const provider = providerOf(draft, catalogue);
  switch (step) {
    case 'engine':
      return checkEngine(draft, engine);
    case 'machines':
      return checkMachines(draft, engine, provider);
    case 'topology':
      return checkTopology(draft, engine, provider);
    case 'access':
      return {};
    case 'name':
      return checkName(draft.name.trim());
    case 'review':
      return {};
  }
}

function checkEngine(draft: Draft, engine: EngineProfile | undefined): FieldErrors {
  if (!engine) return { engine: messages.errors.engine };
  return engine.versions.includes(draft.version) ? {} : { version: messages.errors.version };
}

function checkMachines(
  draft: Draft,
  engine: EngineProfile | undefined,
  provider: ProviderView | undefined,
): FieldErrors {
  const bounds = sizeBounds(engine, provider, draft.source?.bytes);
  return {
    ...(!provider?.available && { provider: messages.errors.provider }),
    ...checkSize(draft, bounds),
  };
}

/** What of a size cannot be had. */
export function checkSize(size: SizeEntries, bounds: SizeBounds): FieldErrors {
  const errors: FieldErrors = {};
  const check = (
    field: string,
    entry: Entry,
    unit: number,
    { least, most }: Bounds,
    words: (value: number) => string,
  ) => {
    const value = Number(entry) * unit;
    if (entry === '' || !Number.isFinite(value)) errors[field] = messages.errors.number;
    else if (value < least || value > most) {
      errors[field] = messages.errors.range(words(least), words(most));
    }
  };
  check('size.cpus', size.cpus, 1, bounds.cpus, formatCpus);
  check('size.memory', size.memoryGib, GIB, bounds.memory, formatBytes);
  check('size.disk', size.diskGib, GIB, bounds.disk, formatBytes);
  return errors;
}

function checkTopology(
  draft: Draft,
  engine: EngineProfile | undefined,
  provider: ProviderView | undefined,
): FieldErrors {
  const { nodes, shards } = draft;
  if (shards !== 0) {
    if (shards === '' || !Number.isInteger(shards)) return { shards: messages.errors.whole };
    const { least, most } = shardsRange(engine);
    if (shards < least || shards > most) {
      return { shards: messages.errors.range(String(least), String(most)) };
    }
  }
  if (nodes === '' || !Number.isInteger(nodes)) return { nodes: messages.errors.whole };
  const least = nodesLeast(engine, draft.multiPrimary);
  const most = nodesMost(engine, provider, shards, draft.multiPrimary);
  if (nodes < least || nodes > most) {
    return { nodes: messages.errors.range(String(least), String(most)) };
  }
  if (nodes === 1 || draft.multiPrimary) return {};
  if (!engine?.replication_modes.some((mode) => mode.name === draft.mode)) {
    return { replication: messages.errors.mode };
  }
  if (draft.mode === 'quorum') {
    const { acks } = draft;
    if (acks === '' || !Number.isInteger(acks) || acks < 1) {
      return { replication: messages.errors.whole };
    }
    if (acks > nodes - 1) return { replication: messages.errors.acks(nodes) };
  }
  return {};
}

function checkName(name: string): FieldErrors {
  if (name === '') return { name: messages.errors.name };
  const isUsable = /^[a-z](?:[a-z0-9-]{0,38}[a-z0-9])?$/.test(name);
  return isUsable ? {} : { name: messages.errors.nameForm };
}

export function toFieldErrors(fields: FieldProblem[]): FieldErrors {
  return Object.fromEntries(fields.map(({ field, message }) => [field, startSentence(message)]));
}

/** The errors that belong to this step or an earlier one: later ones were not filled in yet. */
export function errorsUpTo(step: StepName, errors: FieldErrors): FieldErrors {
  const last = stepNames.indexOf(step);
  return Object.fromEntries(
    Object.entries(errors).filter(([field]) => stepNames.indexOf(stepOfField(field)) <= last),
  );
}
