import type {
  Backup,
  ClusterView,
  EngineProfile,
  NodeView,
  Operation,
  ParameterView,
  ProviderView,
} from '../api/types';
import { GIB, MIB } from '../ui/format';

export function cluster(change: Partial<ClusterView> = {}): ClusterView {
  return {
    id: 'c1',
    name: 'demo',
    generation: 1,
    created_at: '2026-01-01T00:00:00Z',
    spec: {
      name: 'demo',
      engine: 'postgresql',
      version: '17',
      provider: 'docker',
      nodes: 3,
      size: { cpus: 1, memory: GIB, disk: 5 * GIB },
      replication: 'async',
      timers: 'lan',
      parameters: {},
    },
    phase: 'healthy',
    sentence: 'demo-1 accepts writes, 2 replicas follow',
    term: 1,
    primary: 'n1',
    primary_name: 'demo-1',
    nodes_total: 3,
    nodes_healthy: 3,
    operation: null,
    operations: [],
    ...change,
  };
}

export function node(ordinal: number, change: Partial<NodeView> = {}): NodeView {
  const isPrimary = ordinal === 1;
  return {
    id: `n${ordinal}`,
    cluster: 'c1',
    name: `demo-${ordinal}`,
    ordinal,
    size: { cpus: 1, memory: GIB, disk: 5 * GIB },
    provider: 'docker',
    address: `10.87.1.${ordinal + 1}`,
    address6: '',
    created_at: '2026-01-01T00:00:00Z',
    phase: 'active',
    role: isPrimary ? 'primary' : 'replica',
    health: 'healthy',
    state: isPrimary ? 'accepts writes' : 'follows demo-1',
    target: isPrimary ? 'primary' : 'replica',
    gate_open: isPrimary,
    lag_bytes: isPrimary ? null : 0,
    operations: [],
    ...change,
  };
}

export function operation(change: Partial<Operation> = {}): Operation {
  return {
    id: 'o1',
    cluster: 'c1',
    cluster_name: 'demo',
    kind: 'switchover',
    status: 'running',
    started_by: 'admin',
    reason: 'asked for',
    created_at: '2026-01-01T00:00:00Z',
    steps: [
      { name: 'check_candidate', title: 'Check the replica', state: 'done' },
      { name: 'hold_writes', title: 'Hold new connections', state: 'running' },
      { name: 'repoint', title: 'Let the others follow it', state: 'pending' },
    ],
    ...change,
  };
}

export function backup(change: Partial<Backup> = {}): Backup {
  const { spec } = cluster();
  return {
    id: 'b1',
    cluster: 'c1',
    cluster_name: 'demo',
    project: 'default',
    repository: 'r1',
    repository_name: 'vault',
    status: 'complete',
    started_by: 'admin',
    created_at: '2026-01-01T00:00:00Z',
    facts: {
      id: 'b1',
      cluster: 'c1',
      cluster_name: 'demo',
      spec,
      node_name: 'demo-2',
      started_at: '2026-01-01T00:00:00Z',
      taken_at: '2026-01-01T00:00:05Z',
      position: { timeline: 1, offset: 16 },
      engine_version: '17.11',
      size: 30 * MIB,
    },
    ...change,
  };
}

export const engine: EngineProfile = {
  name: 'postgresql',
  title: 'PostgreSQL',
  summary: '',
  versions: ['17', '18'],
  topologies: [
    { name: 'single', title: 'Single', summary: '', picture: 'single', nodes_min: 1, nodes_max: 1 },
    { name: 'primary_replicas', title: 'Replicas', summary: '', picture: 'replicas', nodes_min: 2, nodes_max: 9 },
  ],
  replication_modes: ['async', 'prefer', 'strict', 'quorum'].map((name) => ({
    name,
    title: name,
    summary: '',
  })),
  memory_min: GIB / 4,
  disk_min: GIB,
  ports: {
    gate: 5432,
    read_write: 5000,
    read_only: 5001,
    private: 5431,
    read_gate: 5433,
    peer: 5440,
  },
  capabilities: { synchronous: true, point_in_time: false, multi_primary: false, sharded: false, backups: true },
  user: 'app',
  database: 'app',
  examples: [],
  warnings: [],
};

export const provider: ProviderView = {
  name: 'docker',
  title: 'Docker',
  available: true,
  limits: {
    cpus_min: 0.1,
    cpus_max: 2,
    memory_min: GIB / 4,
    memory_max: 16 * GIB,
    disk_min: GIB,
    disk_max: 50 * GIB,
    nodes_max: 200,
  },
};

export function parameter(name: string, change: Partial<ParameterView> = {}): ParameterView {
  return {
    name,
    title: name,
    summary: 'What it does.',
    group: 'Memory',
    kind: 'bytes',
    range: '1MiB to 1GiB',
    default: '4MiB',
    value: '4MiB',
    chosen: false,
    restart: false,
    ...change,
  };
}
