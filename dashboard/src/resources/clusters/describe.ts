import type { ClusterSpec, EngineProfile, ProviderView } from '../../api/types';
import { formatBytes, formatCpus } from '../../ui/format';
import { messages } from './clusters.messages';

// Stored names as people read them. A name that is not listed is shown as it is.

export const engineTitle = (name: string, engines: EngineProfile[] | undefined): string =>
  engines?.find((engine) => engine.name === name)?.title ?? name;

export const providerTitle = (name: string, providers: ProviderView[] | undefined): string =>
  providers?.find((provider) => provider.name === name)?.title ?? name;

/** `quorum(2)` is the mode `quorum` with 2 replicas that confirm. */
export function parseReplication(text: string): { name: string; acks: number } {
  const match = /^quorum\((\d+)\)$/.exec(text);
  if (match) return { name: 'quorum', acks: Number(match[1]) };
  return { name: text, acks: text === 'async' ? 0 : 1 };
}

export function replicationTitle(text: string, engine: EngineProfile | undefined): string {
  const { name, acks } = parseReplication(text);
  const title = engine?.replication_modes.find((mode) => mode.name === name)?.title ?? name;
  return name === 'quorum' ? `${title}, ${acks} confirm` : title;
}

/** How its nodes replicate: where all accept writes that is not a choice of modes. */
export function replicationOf(
  spec: Pick<ClusterSpec, 'multi_primary' | 'replication'>,
  engine: EngineProfile | undefined,
): string {
  if (spec.multi_primary) return messages.facts.agreed;
  return replicationTitle(spec.replication ?? 'async', engine);
}

export const sizeWords = ({ size }: Pick<ClusterSpec, 'size'>): string =>
  messages.facts.sizeOf(formatCpus(size.cpus), formatBytes(size.memory), formatBytes(size.disk));
