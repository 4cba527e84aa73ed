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
    pub nodes_min: u32,
    pub nodes_max: u32,
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
}

/// What an engine can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Capabilities {
    /// Keeps acknowledged writes through a failover when asked to.
    pub synchronous: bool,
    pub point_in_time: bool,
    pub multi_primary: bool,
    pub sharded: bool,
}
