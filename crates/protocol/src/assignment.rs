//! What a node shall be: the whole of it, in one message.

use bellwether_model::allowlist::Cidr;
use bellwether_model::backup::{BackupFacts, BackupOrder};
use bellwether_model::cluster::NodeSize;
use bellwether_model::drill::DrillOrder;
use bellwether_model::engine::EnginePorts;
use bellwether_model::group::{JointConfig, Timers};
use bellwether_model::log::LogPiece;
use bellwether_model::node::CopyOrder;
use bellwether_model::replication::Position;
use bellwether_model::restore::{CheckOrder, ReplaceStage};
use bellwether_model::shard::{SlotMove, SlotRange};
use bellwether_model::{
    ClusterId, ClusterSpec, NodeId, Parameters, ReplicationMode, Target, Term, Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::databases::WantedDatabases;
use crate::repository::Access;

/// What a node shall be, with everything it needs to become it. Kept on the node's disk (mode 0600,
/// for its secrets), so that agent and cluster go on without a server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Assignment {
    /// Counts assignments over the whole life of the server's store; an agent refuses a lower one.
    pub seq: u64,
    /// Names the start of the server that gave it: one that has an older copy of the store does
    /// not know of it.
    #[serde(default)]
    pub epoch: String,
    /// The node shall have the certificates of this issue (`Certificates::issue`).
    #[serde(default)]
    pub certificates: u64,
    pub cluster: ClusterId,
    pub cluster_name: String,
    pub node: NodeId,
    pub node_name: String,
    pub engine: EngineAssignment,
    pub timers: Timers,
    pub mode: ReplicationMode,
    /// Every member accepts writes; `Group::primary` is the one that endpoints prefer.
    #[serde(default)]
    pub multi_primary: bool,
    pub group: Group,
    /// Promise, durably, to take no part in a term below this; cut replication from earlier
    /// primaries.
    pub promise: Term,
    pub target: Target,
    /// A replica's data shall have been copied under this order. Without one, former data that was
    /// set aside goes.
    #[serde(default)]
    pub copy: Option<CopyOrder>,
    /// The worker of that term's primary kills its engine, once for each token.
    #[serde(default)]
    pub drill: Option<DrillOrder>,
    /// A backup shall be taken here, once for each token.
    #[serde(default)]
    pub backup: Option<BackupAssignment>,
    /// The log is kept: the primary stores it, and everybody holds what is not stored yet.
    #[serde(default)]
    pub log: Option<LogAssignment>,
    /// A primary without data gets a backup's instead of a new database.
    #[serde(default)]
    pub restore: Option<RestoreAssignment>,
    /// Other data takes the place of a primary's. What is aside stays there meanwhile.
    #[serde(default)]
    pub replace: Option<ReplaceAssignment>,
    /// The primary of a scratch node looks through its data, once for each token.
    #[serde(default)]
    pub check: Option<CheckOrder>,
    /// A planned switchover comes: the worker of the primary makes the engine's stop quick
    /// (`Driver::prepare_handover`) and says so in `WorkerReport::prepared`.
    #[serde(default)]
    pub prepare: bool,
    /// A planned switchover is under way: endpoints hold new connections, and the primary lets no
    /// new ones in. It lapses by itself after `timers.hold_ms` counted from when the agent first
    /// saw it.
    pub hold: bool,
    /// In maintenance: its endpoint takes no clients.
    #[serde(default)]
    pub drained: bool,
    /// How far a replica may lag, in the unit of the engine's log, and still serve reads.
    #[serde(alias = "read_lag_bytes_max")]
    pub read_lag_max: u64,
    /// Who may reach the ports of clients, beside the members.
    #[serde(default)]
    pub admission: Admission,
    /// Its group is one shard of several.
    #[serde(default)]
    pub sharding: Option<Sharding>,
    /// Databases and users beside those that are made with the cluster.
    #[serde(default)]
    pub databases: WantedDatabases,
    pub secrets: Secrets,
}

/// A group's place among the others of a sharded cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sharding {
    /// The keys that its primary has.
    pub slots: Vec<SlotRange>,
    /// The nodes of the other shards.
    pub others: Vec<Member>,
    /// Some of its keys are to be handed to another shard. It is of the same moment as `slots`.
    #[serde(default)]
    pub leaving: Option<SlotMove>,
    /// Whoever leads that shard may bring keys here.
    #[serde(default)]
    pub coming: Option<SlotMove>,
}

/// A backup to take, and where it is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BackupAssignment {
    pub order: BackupOrder,
    pub access: Access,
    /// What the cluster was asked to be, for whoever restores it.
    pub spec: ClusterSpec,
}

/// The log to keep.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogAssignment {
    /// Names the stretch: a gap begins another.
    pub stretch: String,
    /// It is stored to there, as far as the server knows; none: it is held from now on.
    pub from: Option<Position>,
    /// This node is who stores it, while it is primary.
    pub store: Option<LogStore>,
}

/// Where the log is stored, and how often.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogStore {
    pub access: Access,
    pub every_seconds: u32,
    /// Kilobytes a second at most; 0 for no limit.
    pub rate_kib: u64,
}

/// A backup to restore, and where it is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RestoreAssignment {
    pub facts: BackupFacts,
    pub access: Access,
    /// To a moment after it.
    #[serde(default)]
    pub log: Option<RestoredLog>,
}

/// Other data for a primary.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReplaceAssignment {
    /// What is brought under it bears it.
    pub token: String,
    pub stage: ReplaceStage,
    /// The backup to bring; none: what is aside already.
    #[serde(default)]
    pub restore: Option<RestoreAssignment>,
}

/// The log that leads from a backup to a moment, in the backup's repository.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RestoredLog {
    /// Nothing is restored that was committed later.
    pub at: Timestamp,
    /// The first one first; there is one at least.
    pub pieces: Vec<LogPiece>,
}

/// Who may reach the ports of clients. The node keeps to it by its own clock, so that what ends
/// ends without a server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Admission {
    /// Of the cluster's spec; reports name the one that is in force.
    pub generation: u64,
    /// None: everybody.
    pub allowed: Option<Vec<Allowed>>,
    /// What is in force again from a moment on, unless it is confirmed before.
    pub reversal: Option<Reversal>,
}

/// A range that is let in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allowed {
    pub range: Cidr,
    pub expires_at: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reversal {
    pub at: Timestamp,
    /// None: everybody.
    pub allowed: Option<Vec<Allowed>>,
}

impl Admission {
    /// The ranges that are let in at that moment; none: everybody.
    #[must_use]
    pub fn at(&self, now: Timestamp) -> Option<Vec<Cidr>> {
        let reversed = self.reversal.as_ref().filter(|reversal| reversal.at <= now);
        let allowed = reversed.map_or(&self.allowed, |reversal| &reversal.allowed).as_ref()?;
        let counts = |one: &&Allowed| one.expires_at.is_none_or(|end| end > now);
        Some(allowed.iter().filter(counts).map(|one| one.range).collect())
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EngineAssignment {
    pub name: String,
    pub version: String,
    pub ports: EnginePorts,
    pub size: NodeSize,
    /// Settings chosen by the user, beside those the driver owns.
    #[serde(default)]
    pub parameters: Parameters,
    /// Counts changes of them; reports name the one they speak of.
    #[serde(default)]
    pub parameters_version: u64,
    /// A replica restarts its engine for settings that need it.
    #[serde(default)]
    pub restart: bool,
}

/// The replication group as the server knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// The term in force.
    pub term: Term,
    /// The primary of that term, once it is confirmed; none while the primary changes.
    pub primary: Option<NodeId>,
    pub config: JointConfig,
    /// Every node, this one included.
    pub members: Vec<Member>,
}

impl Assignment {
    /// Every node of the cluster, those of other shards included.
    pub fn every_member(&self) -> impl Iterator<Item = &Member> {
        let others = self.sharding.iter().flat_map(|sharding| &sharding.others);
        self.group.members.iter().chain(others)
    }
}

impl Group {
    /// The member with this id.
    #[must_use]
    pub fn member(&self, node: &NodeId) -> Option<&Member> {
        self.members.iter().find(|member| member.node == *node)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    pub node: NodeId,
    pub name: String,
    /// Counts nodes within the cluster; the name of its replication slot comes from it.
    pub ordinal: u32,
    pub address: String,
    pub address6: String,
    /// Seeded and admitted: its read port may be tried.
    pub admitted: bool,
}

/// The cluster's secrets. Never logged: `Debug` shows none of them.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secrets {
    /// The application's user, made at bootstrap: (name, password, database).
    pub user: String,
    pub user_password: String,
    pub database: String,
    pub replication_password: String,
    pub rewind_password: String,
    /// Of the user whose writes measure how long writes wait; empty: it is not measured.
    #[serde(default)]
    pub probe_password: String,
    /// Keys the digest of the sentries' messages; hexadecimal, 32 bytes.
    pub peer_key: String,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets(..)")
    }
}
