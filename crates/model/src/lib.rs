//! The nouns of Bellwether: ids, specs, status, roles, positions, terms.
//!
//! No I/O and nothing async lives here: every other crate may depend on this one.

pub mod access;
pub mod allowlist;
pub mod audit;
pub mod authority;
pub mod backup;
pub mod bytes;
pub mod cluster;
pub mod connection;
pub mod database;
pub mod divergence;
pub mod drill;
pub mod engine;
pub mod event;
pub mod failure;
pub mod group;
pub mod id;
pub mod identity;
pub mod log;
pub mod maintenance;
pub mod member;
pub mod mutation;
pub mod name;
pub mod node;
pub mod operation;
pub mod parameter;
pub mod plan;
pub mod problem;
pub mod provider;
pub mod reconfigure;
pub mod replication;
pub mod report;
pub mod repository;
pub mod restore;
pub mod resync;
pub mod schedule;
pub mod settings;
pub mod shard;
pub mod time;
pub mod transaction;
pub mod user;

pub use backup::Backup;
pub use bytes::Bytes;
pub use cluster::{Cluster, ClusterPhase, ClusterSpec, ClusterStatus, ClusterView, NodeSize};
pub use group::{GroupConfig, JointConfig, Timers};
pub use id::{
    BackupId, ClusterId, DatabaseId, JoinTokenId, NodeId, OperationId, RepositoryId, TokenId,
    UserId,
};
pub use node::{Node, NodePhase, NodeView};
pub use operation::{Operation, OperationKind, OperationStatus, Step, StepState};
pub use parameter::{Parameter, Parameters};
pub use replication::{Actual, Position, ReplicationMode, Target, Term};
pub use time::Timestamp;
