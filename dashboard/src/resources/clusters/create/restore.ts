// A draft that begins with what a backup says of the cluster that it was taken of.

import type { Backup, BackupFacts } from '../../../api/types';
import { formatMoment, GIB } from '../../../ui/format';
import { parseReplication } from '../describe';
import type { Catalogue, Draft, FieldErrors, StepName } from './draft';
import { checkStep, firstDraft } from './draft';
import { messages } from './create.messages';

/** Why this server cannot restore it; empty when it can. */
export function whyNot(backup: Backup, { engines }: Catalogue): string {
  const spec = backup.facts?.spec;
  if (!spec || backup.status !== 'complete') return messages.backup.notComplete;
  const engine = engines.find((one) => one.name === spec.engine);
  const isHere = engine?.versions.includes(spec.version ?? '') ?? false;
  return isHere ? '' : messages.backup.noEngine(engine?.title ?? spec.engine, spec.version ?? '');
}

/** The settings of the cluster that was backed up, as far as they can be carried out here. */
export function draftOf(
  facts: BackupFacts,
  catalogue: Catalogue,
  caller: string,
  now: number,
): Draft {
  const first = firstDraft(catalogue, caller);
  const { spec } = facts;
  const { name: mode, acks } = parseReplication(spec.replication ?? 'async');
  const isHere = catalogue.providers.some((one) => one.name === spec.provider);
  const allowlist = (spec.allowlist ?? []).filter(
    ({ expires_at }) => !expires_at || Date.parse(expires_at) > now,
  );
  return {
    ...first,
    engine: spec.engine,
    version: spec.version ?? first.version,
    provider: isHere ? (spec.provider ?? first.provider) : first.provider,
    ...sizeOf(spec.size),
    nodes: spec.nodes,
    mode,
    acks: Math.max(1, acks),
    timers: spec.timers ?? first.timers,
    apart: spec.apart ?? false,
    parameters: spec.parameters ?? {},
    allow: spec.allowlist
      ? allowlist.map((entry) => entry.address).join('\n')
      : first.allow,
    project: spec.project ?? '',
    source: {
      id: facts.id,
      title: messages.backup.of(facts.cluster_name, formatMoment(facts.taken_at)),
      bytes: facts.size,
      allowlist,
    },
  };
}

/** A moment as an input of this browser takes it, with whole seconds. */
export function toInput(time: string, round: (seconds: number) => number): string {
  const at = new Date(round(Date.parse(time) / 1_000) * 1_000);
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}

/** The size of a node, as far as it is known. */
function sizeOf(size: BackupFacts['spec']['size']): Partial<Draft> {
  if (!size) return {};
  return { cpus: size.cpus, memoryGib: size.memory / GIB, diskGib: size.disk / GIB };
}

/** What is plainly wrong on a step of a restore. */
export function checkRestore(step: StepName, draft: Draft, catalogue: Catalogue): FieldErrors {
  if (step === 'engine' && !draft.source) return { source: messages.backup.choose };
  return checkStep(step, draft, catalogue);
}
