//! A node: a member of one cluster; a machine, our agent and one engine process with its data.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::backup::BackupOrder;
use crate::cluster::NodeSize;
use crate::divergence::Divergence;
use crate::drill::DrillOrder;
use crate::id::{ClusterId, NodeId};
use crate::operation::Allowed;
use crate::replication::{Position, Target};
use crate::restore::{CheckOrder, ReplaceOrder, Source};
use crate::settings::{NodeSettings, ParameterDrift};
use crate::time::Timestamp;

/// The stored node. Written by the control loop only, but for `fingerprint` and `joined_at` (join).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Node {
    pub id: NodeId,
    pub cluster: ClusterId,
    /// Counts nodes within the cluster from 1; never reused.
    pub ordinal: u32,
    /// `<cluster>-<ordinal>`.
    pub name: String,
    pub size: NodeSize,
    pub created_at: Timestamp,
    pub phase: NodePhase,
    /// The machine's addresses on the cluster's network.
    pub address: String,
    pub address6: String,
    /// The provider's id of the machine, once it exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<String>,
    /// SHA-256 of the agent's public key: who may speak for this node. Set when the agent joins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub joined_at: Option<Timestamp>,
    /// What the node shall be.
    pub target: Target,
    /// Its data shall be copied anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copy: Option<CopyOrder>,
    /// What its engine shall run with. Differs from the cluster's while that is being changed.
    #[serde(default)]
    pub settings: NodeSettings,
    /// Its engine shall be killed once, to try what follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drill: Option<DrillOrder>,
    /// A backup shall be taken from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(ignore)]
    pub backup: Option<BackupOrder>,
    /// As a new cluster's first primary it begins with a backup's data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(ignore)]
    pub restore: Option<Source>,
    /// Other data shall take the place of its own, or has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(ignore)]
    pub replace: Option<ReplaceOrder>,
    /// Its data shall be looked through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(ignore)]
    pub check: Option<CheckOrder>,
}

/// The order to copy a replica's data anew. Its former data is kept aside while the order stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CopyOrder {
    /// Names the operation and the node. Data that was copied under it needs no other copy.
    pub token: String,
    /// The disk has no room for both: the former data goes before the copy begins.
    #[serde(default)]
    pub erase_first: bool,
}

/// Where a node is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NodePhase {
    /// Written down; the machine is being made.
    Provisioning,
    /// The machine runs; its agent has not joined yet.
    Joining,
    /// The data is being made or copied; it does not vote.
    Seeding,
    /// A member in full.
    Active,
    /// It was lost as a primary and is awaited, or made fit to follow; it does not vote.
    Rejoining,
    /// Taken out by a person, or while its machine is started again: it keeps its data current, and
    /// has no clients and no vote.
    Maintenance,
    /// On its way out.
    Removing,
}

/// The role of a node as it is, not as it is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NodeRole {
    Primary,
    Replica,
    /// Neither: new, stopped, being copied, or not heard from.
    None,
}

/// The health of a node in one word; the dashboard gives each a tone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NodeHealth {
    Healthy,
    /// On its way to healthy: being made, copied, started.
    Working,
    /// Works with a flaw: lags, does not stream.
    Degraded,
    /// The agent says that the engine does not work.
    Failed,
    /// Not heard from.
    Silent,
}

/// A node as the API shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct NodeView {
    pub id: NodeId,
    pub cluster: ClusterId,
    pub name: String,
    pub ordinal: u32,
    pub size: NodeSize,
    pub provider: String,
    pub machine: Option<String>,
    pub address: String,
    pub address6: String,
    pub created_at: Timestamp,
    pub phase: NodePhase,
    pub role: NodeRole,
    pub health: NodeHealth,
    /// The state in words: "primary, accepts writes", "replica, streaming", "copying from demo-1".
    pub state: String,
    /// What the node shall be, in one word.
    pub target: String,
    /// The node it follows.
    pub upstream: Option<String>,
    pub position: Option<Position>,
    /// Bytes of log behind the primary.
    pub lag_bytes: Option<u64>,
    /// The same where the engine's log counts transactions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag_transactions: Option<u64>,
    /// Whether the gate lets clients reach a primary here.
    pub gate_open: Option<bool>,
    /// Percent of the cores the node may use.
    pub cpu_percent: Option<f64>,
    pub memory_used: Option<u64>,
    pub memory_limit: Option<u64>,
    pub disk_used: Option<u64>,
    pub disk_size: Option<u64>,
    /// How fast its disk fills up; none while that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_growth: Option<DiskGrowth>,
    /// In so many days its disk is full, should it go on like that; none where it does not grow, or
    /// not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_full_in_days: Option<u64>,
    pub connections: Option<u32>,
    pub engine_version: Option<String>,
    pub agent_version: Option<String>,
    /// Seconds since the engine was started.
    pub uptime_seconds: Option<u64>,
    /// When the certificate that its engine shows ends; it is renewed long before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_ends_at: Option<Timestamp>,
    /// Milliseconds since the agent was last heard from.
    pub report_age_ms: Option<u64>,
    /// What only this node held when it came back as a former primary, and is kept on its disk; the
    /// newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub diverged: Vec<Divergence>,
    /// Settings of its engine that are not in force as they were asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameter_drift: Vec<ParameterDrift>,
    /// Which operations may be asked for on this node now and, for the rest, why not.
    pub operations: Vec<Allowed>,
}

/// How fast a disk fills up, by what its node has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DiskGrowth {
    /// Bytes a day; below 0 where it gets emptier.
    pub bytes_per_day: i64,
    /// The time that was looked at.
    pub over_hours: u64,
}

/// With less room than that on a disk of this size, an engine takes no new data: its log needs it.
#[must_use]
pub fn disk_kept_free(size: u64) -> u64 {
    (size / 50).clamp(32 << 20, 1 << 30)
}
