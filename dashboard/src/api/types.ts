// The nouns of the API, as `crates/model` writes them.

export type Timestamp = string;

export type ClusterPhase =
  | 'creating'
  | 'healthy'
  | 'degraded'
  | 'failing_over'
  | 'unavailable'
  | 'unknown'
  | 'failed'
  | 'deleting';

export type TimerProfile = 'fast' | 'lan' | 'wan';

export interface NodeSize {
  cpus: number;
  memory: number;
  disk: number;
}

export interface ClusterSpec {
  name: string;
  engine: string;
  version: string;
  provider: string;
  nodes: number;
  size: NodeSize;
  replication: string;
  timers: TimerProfile;
}

export interface ClusterChange {
  replication?: string | null;
  timers?: TimerProfile | null;
  nodes?: number | null;
}

export type OperationKind =
  | 'create_cluster'
  | 'add_node'
  | 'remove_node'
  | 'switchover'
  | 'failover'
  | 'delete_cluster';

export interface Allowed {
  kind: OperationKind;
  allowed: boolean;
  reason?: string;
}

export interface ClusterView {
  id: string;
  name: string;
  generation: number;
  created_at: Timestamp;
  spec: ClusterSpec;
  phase: ClusterPhase;
  sentence: string;
  term: number;
  primary?: string | null;
  primary_name?: string | null;
  nodes_total: number;
  nodes_healthy: number;
  operation?: string | null;
  operations: Allowed[];
}

export type NodePhase = 'provisioning' | 'joining' | 'seeding' | 'active' | 'removing';
export type NodeRole = 'primary' | 'replica' | 'none';
export type NodeHealth = 'healthy' | 'working' | 'degraded' | 'failed' | 'silent';

export interface Position {
  timeline: number;
  offset: number;
}

export interface NodeView {
  id: string;
  cluster: string;
  name: string;
  ordinal: number;
  size: NodeSize;
  provider: string;
  machine?: string | null;
  address: string;
  address6: string;
  created_at: Timestamp;
  phase: NodePhase;
  role: NodeRole;
  health: NodeHealth;
  state: string;
  target: string;
  upstream?: string | null;
  position?: Position | null;
  lag_bytes?: number | null;
  gate_open?: boolean | null;
  cpu_percent?: number | null;
  memory_used?: number | null;
  memory_limit?: number | null;
  disk_used?: number | null;
  disk_size?: number | null;
  connections?: number | null;
  engine_version?: string | null;
  agent_version?: string | null;
  uptime_seconds?: number | null;
  report_age_ms?: number | null;
  operations: Allowed[];
}

export type OperationStatus = 'queued' | 'running' | 'succeeded' | 'failed' | 'cancelled';
export type StepState = 'pending' | 'running' | 'done' | 'failed' | 'skipped';

export interface Step {
  name: string;
  title: string;
  state: StepState;
  message?: string;
  started_at?: Timestamp | null;
  ended_at?: Timestamp | null;
}

export interface Operation {
  id: string;
  cluster: string;
  cluster_name: string;
  kind: OperationKind;
  node?: string | null;
  node_name?: string | null;
  status: OperationStatus;
  started_by: string;
  reason: string;
  rule?: number;
  created_at: Timestamp;
  started_at?: Timestamp | null;
  ended_at?: Timestamp | null;
  steps: Step[];
  message?: string;
  state?: unknown;
}

export interface NewOperation {
  kind: OperationKind;
  node?: string | null;
  confirm?: string | null;
}

export interface PlannedStep {
  name: string;
  title: string;
}

export interface Plan {
  kind: OperationKind;
  summary: string;
  steps: PlannedStep[];
  write_pause_ms: number;
  bytes_copied: number;
  redundancy_min: number;
  erases: string[];
  refusals: string[];
}

export interface EngineProfile {
  name: string;
  title: string;
  summary: string;
  versions: string[];
  topologies: TopologyFact[];
  replication_modes: ReplicationFact[];
  memory_min: number;
  disk_min: number;
  ports: EnginePorts;
}

export interface TopologyFact {
  name: string;
  title: string;
  summary: string;
  nodes_min: number;
  nodes_max: number;
}

export interface ReplicationFact {
  name: string;
  title: string;
  summary: string;
}

export interface EnginePorts {
  gate: number;
  read_write: number;
  read_only: number;
}

export interface ProviderView {
  name: string;
  title: string;
  available: boolean;
  reason?: string;
  limits: ProviderLimits;
}

export interface ProviderLimits {
  cpus_min: number;
  cpus_max: number;
  memory_min: number;
  memory_max: number;
  disk_min: number;
  disk_max: number;
  nodes_max: number;
}

export interface Connection {
  user: string;
  database: string;
  password?: string | null;
  read_write: string[];
  read_only: string[];
  ca_certificate: string;
  examples: ConnectionExample[];
}

export interface ConnectionExample {
  name: string;
  title: string;
  endpoint: string;
  text: string;
}

export interface UserView {
  id: string;
  name: string;
  must_change_password: boolean;
}

export interface Page<T> {
  items: T[];
  next?: string | null;
}

export interface FieldProblem {
  field: string;
  message: string;
}

export interface ProblemBody {
  type?: string;
  status: number;
  code: string;
  title: string;
  detail: string;
  hint?: string;
  fields?: FieldProblem[];
  request_id?: string;
}

export type Event =
  | { kind: 'hello'; version: string }
  | { kind: 'cluster'; cluster: ClusterView }
  | { kind: 'cluster_gone'; id: string }
  | { kind: 'node'; node: NodeView }
  | { kind: 'node_gone'; id: string; cluster: string }
  | { kind: 'operation'; operation: Operation }
  | { kind: 'operation_gone'; id: string };
