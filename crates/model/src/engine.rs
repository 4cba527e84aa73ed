//! An engine as data: what the API, the CLI and the wizard need to know of it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::parameter::{OwnedParameter, Parameter};

/// An engine's facts. Adding an engine adds one of these and no code above the engines.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EngineProfile {
    /// The stored name, for example `postgresql`.
    pub name: String,
    /// The name for people, for example `PostgreSQL`.
    pub title: String,
    /// One sentence on what it is.
    pub summary: String,
    /// The versions that can be created, the default first.
    pub versions: Vec<String>,
    pub topologies: Vec<TopologyFact>,
    /// The replication modes the engine can keep.
    pub replication_modes: Vec<ReplicationFact>,
    /// The least memory a node needs, in bytes.
    pub memory_min: u64,
    /// The least disk a node needs, in bytes.
    pub disk_min: u64,
    pub ports: EnginePorts,
    pub capabilities: Capabilities,
    /// The settings that people may choose.
    #[serde(default)]
    pub parameters: Vec<Parameter>,
    /// Settings that are not theirs to choose, with the reason.
    #[serde(default)]
    pub owned_parameters: Vec<OwnedParameter>,
    #[serde(default)]
    pub log: LogFacts,
    /// The application's user.
    pub user: String,
    /// The application's database; empty where the engine has none by name.
    pub database: String,
    /// How clients connect, as texts with places to be filled in.
    pub examples: Vec<ExampleTemplate>,
    /// Weaknesses of the engine that nobody can mend from outside, a sentence each.
    pub warnings: Vec<String>,
}

impl EngineProfile {
    /// The settings that this version has.
    pub fn parameters_of<'a>(&'a self, version: &'a str) -> impl Iterator<Item = &'a Parameter> {
        self.parameters.iter().filter(move |parameter| parameter.is_in(version))
    }
}

/// A topology an engine supports, explained.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TopologyFact {
    pub name: String,
    pub title: String,
    pub summary: String,
    pub picture: TopologyPicture,
    pub nodes_min: u32,
    pub nodes_max: u32,
    /// Of how many groups such a cluster is, each with so many nodes; 0: it is no matter of
    /// groups.
    #[serde(default)]
    pub shards_min: u32,
    #[serde(default)]
    pub shards_max: u32,
}

/// What a topology looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TopologyPicture {
    Single,
    Replicas,
    MultiPrimary,
    Shards,
}

/// A replication mode an engine can keep, explained.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReplicationFact {
    /// `async`, `prefer`, `strict` or `quorum`.
    pub name: String,
    pub title: String,
    pub summary: String,
}

/// The ports of a node. Clients use the first three.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EnginePorts {
    /// The primary's own port, behind the gate: open on the primary only.
    pub gate: u16,
    /// On every node: leads to the current primary.
    pub read_write: u16,
    /// On every node: spreads over healthy replicas, falls back to the primary.
    pub read_only: u16,
    /// Where the engine listens; members of the cluster only, for replication.
    pub private: u16,
    /// A replica's port for reads that came through an endpoint; members of the cluster only.
    pub read_gate: u16,
    /// Where sentries ask each other for the lease (UDP); members of the cluster only.
    pub peer: u16,
    /// Where engines talk to each other of what concerns all of them: who has which keys, or who
    /// is a member of their group; the two ports after it are theirs as well. Members of the
    /// cluster only. 0: there is none.
    #[serde(default)]
    pub bus: u16,
}

/// What an engine can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Capabilities {
    /// Keeps acknowledged writes through a failover when asked to.
    pub synchronous: bool,
    pub point_in_time: bool,
    pub multi_primary: bool,
    pub sharded: bool,
    /// Backups can be taken and restored.
    #[serde(default)]
    pub backups: bool,
    /// A backup can take the place of a cluster's data.
    #[serde(default)]
    pub restores_in_place: bool,
}

/// What places in the engine's log (`Position::offset`) count, and what can be had from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogFacts {
    pub unit: LogUnit,
    /// Where nobody has to confirm writes: a loss of more than this is a person's decision.
    pub loss_max: u64,
    /// A replica that is further behind neither takes over as planned nor serves reads.
    pub lag_max: u64,
    /// What an engine that died had not sent yet can be read from its disk.
    pub keeps_tail: bool,
}

/// What places in a log count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogUnit {
    #[default]
    Bytes,
    Transactions,
}

impl LogUnit {
    /// So many of them, in words.
    #[must_use]
    pub fn words(self, count: u64) -> String {
        match (self, count) {
            (Self::Bytes, 1) => "1 byte of log".to_owned(),
            (Self::Bytes, _) => format!("{count} bytes of log"),
            (Self::Transactions, 1) => "1 transaction".to_owned(),
            (Self::Transactions, _) => format!("{count} transactions"),
        }
    }
}

impl LogFacts {
    /// A log whose places are bytes, and which can be read while its engine is down.
    pub const BYTES: Self =
        Self { unit: LogUnit::Bytes, loss_max: 16 << 20, lag_max: 16 << 20, keeps_tail: true };
}

impl Default for LogFacts {
    fn default() -> Self {
        Self::BYTES
    }
}

/// A ready-made command or connection string with places to be filled in: `{user}`, `{password}`,
/// `{database}`, `{port}`, of the first node `{host}`, of every node `{hosts}` (addresses),
/// `{ports}` and `{addresses}` (with ports), each divided by commas. `ca.pem` is the file of the
/// certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ExampleTemplate {
    /// What it is asked for by, for example `psql`.
    pub name: String,
    pub title: String,
    pub text: String,
    /// For a cluster with shards, whose clients know its protocol; the others are for those
    /// without.
    #[serde(default)]
    pub sharded: bool,
}
