//! A cluster: one logical database, its spec (what a person asked for) and its status (what was
//! decided and found).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::access::DEFAULT_PROJECT;
use crate::allowlist::{AllowEntry, PendingAllowlist};
use crate::backup::{BackupStanding, BackupSummary};
use crate::bytes::Bytes;
use crate::database::Databases;
use crate::drill::{DrillProgress, DrillSchedule};
use crate::group::{JointConfig, TimerProfile};
use crate::id::{BackupId, ClusterId, NodeId, OperationId};
use crate::operation::Allowed;
use crate::parameter::Parameters;
use crate::replication::{ReplicationMode, Term};
use crate::report::Suspicion;
use crate::restore::{Replaced, Source};
use crate::schedule::BackupSchedule;
use crate::shard::{Shard, ShardView};
use crate::time::Timestamp;

/// What every node of a cluster gets.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NodeSize {
    /// Processor cores; fractions are allowed where the provider allows them.
    pub cpus: f64,
    /// Memory in bytes; text such as `1GiB` is read too.
    pub memory: Bytes,
    /// Disk for the data in bytes; text such as `5GiB` is read too.
    pub disk: Bytes,
}

impl NodeSize {
    /// Its processors in words.
    #[must_use]
    pub fn cores(&self) -> String {
        format!("{} {}", self.cpus, if self.cpus == 1.0 { "core" } else { "cores" })
    }
}

impl std::fmt::Display for NodeSize {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}, {} of memory, {} of disk", self.cores(), self.memory, self.disk)
    }
}

/// Why the nodes do not get the size asked for, by the generation that asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SizeRefused {
    pub generation: u64,
    pub reason: String,
}

/// What a person asked for; every change raises the generation. Written by the API, but for
/// settings that an engine refused: the operation that was to change them sets them back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ClusterSpec {
    /// 1 to 40 lower-case letters, digits and hyphens, beginning with a letter; unique on the
    /// server.
    pub name: String,
    /// An engine's name, as listed by `/v1/engines`.
    pub engine: String,
    /// A version that the engine's profile lists. Empty is the newest.
    #[serde(default)]
    pub version: String,
    /// A provider's name, as listed by `/v1/providers`.
    #[serde(default = "default_provider")]
    pub provider: String,
    /// Number of nodes: 1 is a primary alone, more add replicas. Of each shard, where there are
    /// shards. Where every node accepts writes there are three at least.
    pub nodes: u32,
    /// Of how many shards it is; 0 where keys are not divided, which stays so.
    #[serde(default, skip_serializing_if = "is_none")]
    pub shards: u32,
    /// Every node accepts writes, and the engines' own majority decides who may. Said when the
    /// cluster is created, and kept.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub multi_primary: bool,
    #[serde(default = "default_size")]
    pub size: NodeSize,
    /// `async`, `prefer`, `strict` or `quorum(N)`.
    #[serde(default)]
    #[schema(value_type = String, example = "async")]
    pub replication: ReplicationMode,
    /// How quickly a lost primary is suspected and replaced.
    #[serde(default)]
    pub timers: TimerProfile,
    /// Chosen settings of the engine, by name; what is not named has its default.
    #[serde(default, skip_serializing_if = "Parameters::is_empty")]
    #[schema(value_type = BTreeMap<String, String>)]
    pub parameters: Parameters,
    /// Drills that begin by themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drill: Option<DrillSchedule>,
    /// Backups that begin by themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup: Option<BackupSchedule>,
    /// Its first data is a backup's. Said when the cluster is created, and kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// The project it belongs to; it stays there.
    #[serde(default = "default_project", skip_serializing_if = "is_default_project")]
    pub project: String,
    /// Who may reach the ports of clients; left out when a cluster is made: nobody. Absent on
    /// clusters that were made before there were allowlists: everybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowlist: Option<Vec<AllowEntry>>,
    /// It cannot be deleted before this is taken off.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub protected: bool,
    /// No two of its nodes may be on the same host: refused where the provider has only one. Said
    /// when the cluster is created, and kept.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub apart: bool,
}

pub(crate) fn default_project() -> String {
    DEFAULT_PROJECT.to_owned()
}

fn is_default_project(name: &String) -> bool {
    name == DEFAULT_PROJECT
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_none(count: &u32) -> bool {
    *count == 0
}

fn default_provider() -> String {
    "docker".to_owned()
}

fn default_size() -> NodeSize {
    NodeSize { cpus: 1.0, memory: Bytes::gib(1), disk: Bytes::gib(5) }
}

/// The stored cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Cluster {
    pub id: ClusterId,
    /// Counts versions of the spec. Written by the API with the spec.
    pub generation: u64,
    pub created_at: Timestamp,
    pub spec: ClusterSpec,
    /// Written by the control loop only.
    pub status: ClusterStatus,
    /// The cluster's own network. Chosen by the control loop when the cluster is created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<ClusterNetwork>,
    /// The ordinal the next node gets; ordinals are never reused. Written by the control loop.
    pub next_ordinal: u32,
    /// It was made to see whether this backup can be restored, and goes when that is known. It is
    /// listed nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof_of: Option<BackupId>,
    /// A change of the allowlist that is not confirmed yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending_allowlist: Option<PendingAllowlist>,
    /// Databases and their users, beside those that are made with it. Written by the API; the
    /// control loop takes out what is gone.
    #[serde(default)]
    pub databases: Databases,
    /// It is part of another cluster, and listed with that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<Shard>,
    /// Writes may wait while nodes get the size asked for. Written by the API with the size.
    #[serde(default)]
    pub size_may_wait: bool,
    /// Its provider makes a disk larger while the machine runs. Written likewise.
    #[serde(default)]
    pub disks_grow_in_use: bool,
}

/// The addresses of a cluster's own network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ClusterNetwork {
    /// The provider's name for it.
    pub name: String,
    /// For example `10.87.3.0/24`.
    pub subnet: String,
    /// For example `fd42:be11:0:3::/64`.
    pub subnet6: String,
    /// The server's address on this network: the node's way to the server.
    pub gateway: String,
}

/// The state of a cluster in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClusterPhase {
    /// Its first nodes are being made.
    Creating,
    /// The primary serves and every node that was asked for follows.
    Healthy,
    /// The primary serves; something else is missing.
    Degraded,
    /// The primary is being replaced.
    FailingOver,
    /// No primary serves.
    Unavailable,
    /// Not enough was heard to say.
    Unknown,
    /// Creation failed; the operation has the reason.
    Failed,
    Deleting,
}

/// How far a planned switchover has come, for the agents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Handover {
    #[default]
    None,
    /// The primary makes its stop quick; clients notice nothing.
    Prepare,
    /// New connections wait.
    Hold,
    /// The next term has begun: whoever waited tries its primary, which serves soon.
    Begun,
}

/// What was decided and found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ClusterStatus {
    pub phase: ClusterPhase,
    /// One sentence on the state, for people.
    pub sentence: String,
    /// The number of the rule that decided last.
    pub rule: u32,
    /// The term in force; 0 before the first primary.
    pub term: Term,
    /// The highest term a promise was ever asked for; above `term` while a primary is being
    /// elected.
    #[serde(default)]
    pub promised: Term,
    /// The primary of that term.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub primary: Option<NodeId>,
    /// A replica that is being made primary under `term`: not yet confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidate: Option<NodeId>,
    pub config: JointConfig,
    /// The term under which a group of equals was last begun, or is to be.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub begun: Term,
    /// What a planned switchover asks of the primary and the endpoints just now.
    #[serde(default)]
    pub handover: Handover,
    /// The operation that moves the cluster now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<OperationId>,
    /// When an automatic failover last ended; the anti-flap rule looks at it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_failover_at: Option<Timestamp>,
    /// The latest assignment that agents knew of and this server's store, an older copy, did not;
    /// 0 when it never was one.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub learned_seq: u64,
    /// The starts of another server by which they were told such.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub learned_from: BTreeSet<String>,
    /// Nodes that have not yet said what they know since.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub unheard: BTreeSet<NodeId>,
    /// The last change of primary, while nobody has told how long writes waited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unmeasured: Option<OperationId>,
    /// The provider refused a node its new size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_refused: Option<SizeRefused>,
    /// How far the schedule of drills was followed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drill: Option<DrillProgress>,
    /// What is known of its backups, and how far their schedule was followed.
    #[serde(default)]
    pub backup: BackupStanding,
    /// Its data was replaced, and what was there before is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced: Option<Replaced>,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Default for ClusterStatus {
    fn default() -> Self {
        Self {
            phase: ClusterPhase::Creating,
            sentence: "waiting to be created".to_owned(),
            rule: 0,
            term: 0,
            promised: 0,
            primary: None,
            candidate: None,
            config: JointConfig::default(),
            begun: 0,
            handover: Handover::None,
            operation: None,
            last_failover_at: None,
            learned_seq: 0,
            learned_from: BTreeSet::new(),
            unheard: BTreeSet::new(),
            unmeasured: None,
            size_refused: None,
            drill: None,
            backup: BackupStanding::default(),
            replaced: None,
        }
    }
}

/// A cluster as the API shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ClusterView {
    pub id: ClusterId,
    pub name: String,
    pub generation: u64,
    pub created_at: Timestamp,
    pub spec: ClusterSpec,
    pub phase: ClusterPhase,
    /// One sentence on the state, for people.
    pub sentence: String,
    pub term: Term,
    /// The primary's node id, where there is one.
    pub primary: Option<NodeId>,
    /// The primary's name, where there is one.
    pub primary_name: Option<String>,
    /// Nodes that exist, whatever their state.
    pub nodes_total: u32,
    /// Nodes that serve or follow as they should.
    pub nodes_healthy: u32,
    /// The operation that moves the cluster now.
    pub operation: Option<OperationId>,
    /// A primary of which less is heard than should be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspicion: Option<Suspicion>,
    /// When the next drill is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_drill_at: Option<Timestamp>,
    #[serde(default)]
    pub backup: BackupSummary,
    #[serde(default)]
    pub capacity: Capacity,
    /// Its data was replaced by a backup's, and what was there before is kept until that is
    /// confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced: Option<Replaced>,
    /// The groups that it is of, where its keys are divided.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shards: Vec<ShardView>,
    /// The name of the cluster that it is a shard of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard_of: Option<String>,
    /// Which operations may be asked for now and, for the rest, why not.
    pub operations: Vec<Allowed>,
}

/// How full the disks are, and how long they last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Capacity {
    /// Of all nodes that say so.
    pub disk_used: u64,
    pub disk_size: u64,
    /// Bytes a day, of all nodes; none while one of them does not know it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_per_day: Option<i64>,
    /// In so many days the first disk is full, should it go on like that; none where none grows, or
    /// not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub full_in_days: Option<u64>,
    /// The same for people.
    pub sentence: String,
}

/// A new number of nodes or other settings for an existing cluster.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ClusterChange {
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub replication: Option<ReplicationMode>,
    #[serde(default)]
    pub timers: Option<TimerProfile>,
    /// The number of nodes wanted; the control loop adds or removes one at a time.
    #[serde(default)]
    pub nodes: Option<u32>,
    /// The number of shards wanted: new ones are made and get slots of the others, or the last ones
    /// hand theirs over and are deleted, while clients go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shards: Option<u32>,
    /// What each node shall have: one node after the other gets it, replicas first. For a smaller
    /// disk, new nodes take the place of those that are there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<NodeSize>,
    /// Go on also where writes wait meanwhile; only with `size`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allow_waiting: bool,
    /// All chosen settings of the engine: those that are left out get their default.
    #[serde(default)]
    #[schema(value_type = Option<BTreeMap<String, String>>)]
    pub parameters: Option<Parameters>,
    /// Drills that begin by themselves; `null` for none any more.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<DrillSchedule>)]
    pub drill: Option<Option<DrillSchedule>>,
    /// Backups that begin by themselves; `null` for none any more.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<BackupSchedule>)]
    pub backup: Option<Option<BackupSchedule>>,
    /// Everybody who may reach the ports of clients; empty lets in nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowlist: Option<Vec<AllowEntry>>,
    /// Whether it is protected from deletion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protected: Option<bool>,
}

/// Tells a field that is `null` from one that is left out.
fn given<'de, D: serde::Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}
