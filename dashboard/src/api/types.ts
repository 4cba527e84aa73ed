// The nouns of the API, from its document. What the server fills in itself may be left out of a
// request and is always there in an answer.

import type * as wire from './generated/types.gen';

export type {
  Access,
  Allowed,
  AllowEntry,
  AllowlistPlan,
  AllowlistView,
  AuditEntry,
  AuthorityRole,
  AuthorityState,
  AuthorityView,
  Backup,
  BackupFacts,
  BackupSchedule,
  BackupStatus,
  BackupSummary,
  ClusterChange,
  ClusterPhase,
  ConnectedClient,
  CreatedToken,
  CreatedUser,
  Connection,
  ConnectionExample,
  DatabaseState,
  DatabaseUserView,
  DatabaseView,
  DrillKind,
  DrillSchedule,
  DrillView,
  EnginePorts,
  EngineProfile,
  Evidence,
  FieldProblem,
  Grant,
  LoginSessions,
  Loss,
  NewAllowlist,
  NewOperation,
  NewRepository,
  NodeHealth,
  NodePhase,
  NodeRole,
  NodeSize,
  NodeView,
  Operation,
  OperationKind,
  OperationStatus,
  ParameterView,
  Phase,
  Place,
  PastPauses,
  Plan,
  ProjectView,
  Proof,
  PlannedStep,
  Position,
  ProviderLimits,
  ProviderView,
  ReplicationFact,
  Report,
  RepositoryKey,
  RepositoryView,
  Retention,
  Rights,
  Role,
  Rotation,
  Scope,
  SessionView,
  Step,
  StepState,
  Suspicion,
  TimerProfile,
  TokenView,
  TopologyFact,
  UserSummary,
  UserView,
} from './generated/types.gen';

type Left =
  | 'drill'
  | 'allowlist'
  | 'shards'
  | 'project'
  | 'backup'
  | 'source'
  | 'protected' | 'apart' | 'multi_primary';
/** What the server always says of a cluster's spec, and what it may leave out. */
export type ClusterSpec = Required<Omit<wire.ClusterSpec, Left>> & Pick<wire.ClusterSpec, Left>;
export type ClusterView = Omit<wire.ClusterView, 'spec'> & { spec: ClusterSpec };

type WithSpec<E> = E extends { cluster: wire.ClusterView }
  ? Omit<E, 'cluster'> & { cluster: ClusterView }
  : E;
export type Event = WithSpec<wire.Event>;

export interface Page<T> {
  items: T[];
  next?: string | null;
}

/** A problem document, or what stands for one when the server did not send any. */
export type ProblemBody = Pick<wire.Problem, 'title' | 'detail' | 'status'> &
  Partial<Pick<wire.Problem, 'hint' | 'fields' | 'request_id' | 'type'>> & {
    code: wire.Code | 'unreachable' | 'unexpected' | 'dashboard';
  };
