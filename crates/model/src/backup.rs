//! A backup: what a cluster was at one moment, kept in a repository. It outlives its cluster.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::cluster::{ClusterSpec, default_project};
use crate::id::{BackupId, ClusterId, NodeId, OperationId, RepositoryId};
use crate::log::LogStanding;
use crate::replication::Position;
use crate::time::Timestamp;

/// What is known of a backup wherever it is found: kept with it in the repository, so that a server
/// that never heard of it can restore it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BackupFacts {
    pub id: BackupId,
    pub cluster: ClusterId,
    pub cluster_name: String,
    /// What the cluster was to be when it was taken.
    pub spec: ClusterSpec,
    pub node_name: String,
    /// It was taken from the primary, for there was no replica.
    #[serde(default)]
    pub from_primary: bool,
    pub started_at: Timestamp,
    /// The moment that it holds: what was acknowledged before is in it.
    pub taken_at: Timestamp,
    /// Where the engine's log ends in it; where the engine cannot tell, a place that is in it for
    /// certain.
    pub position: Position,
    /// The engine's own word, for example `17.11`.
    pub engine_version: String,
    /// Bytes of data.
    pub size: u64,
}

/// The header that tells about how many bytes a download has.
pub const DOWNLOAD_SIZE: &str = "bellwether-size";

/// How a backup is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BackupStatus {
    /// It is being taken.
    Running,
    Complete,
    Failed,
    /// It is being removed from its repository.
    Deleting,
}

/// The stored backup, and the backup as the API shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Backup {
    pub id: BackupId,
    pub cluster: ClusterId,
    pub cluster_name: String,
    /// The project of the cluster, whose people it is for.
    #[serde(default = "default_project")]
    pub project: String,
    pub repository: RepositoryId,
    pub repository_name: String,
    pub status: BackupStatus,
    /// A user's name, or `bellwether` for automation.
    pub started_by: String,
    pub created_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// When it was due; none when a person asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<OperationId>,
    /// What it holds, once it is complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub facts: Option<BackupFacts>,
    /// Bytes that it added to the repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored: Option<u64>,
    /// Milliseconds that taking it took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took_ms: Option<u64>,
    /// The tool's names of its parts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub archives: Vec<String>,
    /// What is being done, or why it failed, in words.
    #[serde(default)]
    pub message: String,
    /// What came of the last restore that was made to see whether it works.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<Proof>,
    /// With the log that is kept, any moment from the one that it holds to this one can be
    /// restored; none where there is no log that goes on from it. Found out when it is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recoverable_to: Option<Timestamp>,
}

/// What came of restoring a backup in a scratch node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Proof {
    pub proven: bool,
    pub at: Timestamp,
    /// Milliseconds from the first byte to an engine that serves.
    pub restore_ms: Option<u64>,
    /// Bytes of data restored.
    pub bytes: u64,
    /// Parts of the data, tables for example, that were compared with what they were when the
    /// backup was taken.
    pub compared: u64,
    /// What was found, in words.
    pub message: String,
}

/// The order to take a backup, for a node's agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupOrder {
    /// Names the attempt. An agent that has ended it does not begin it again.
    pub token: String,
    pub backup: BackupId,
    pub repository: RepositoryId,
    /// Kilobytes a second at most; 0 for no limit.
    #[serde(default)]
    pub rate_kib: u64,
}

/// How far an agent has come with a backup, and how it ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BackupReport {
    pub token: String,
    pub done: u64,
    pub all: u64,
    #[serde(default)]
    pub end: Option<BackupEnd>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum BackupEnd {
    Complete(Box<BackupResult>),
    /// `may_help`: trying again may help.
    Failed {
        why: String,
        may_help: bool,
    },
}

/// What an agent says of a backup that it has taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BackupResult {
    pub facts: BackupFacts,
    pub stored: u64,
    pub took_ms: u64,
    pub archives: Vec<String>,
}

/// What the operation that takes a backup was asked for and has learned.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct BackupRun {
    pub backup: Option<BackupId>,
    pub repository: Option<RepositoryId>,
    pub repository_name: String,
    pub rate_kib: u64,
    pub due_at: Option<Timestamp>,
    /// The node it is taken from.
    pub node: Option<NodeId>,
    pub attempts: u32,
    /// When the present attempt was ordered.
    pub ordered_at: Option<Timestamp>,
}

/// What is known of a cluster's backups, in short.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct BackupStanding {
    /// The schedule that is followed, and what was due until when has been handled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handled: Option<Timestamp>,
    /// Since when it is followed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// The moment that the newest complete backup holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recoverable_to: Option<Timestamp>,
    /// Its log, where that is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(ignore)]
    pub log: Option<LogStanding>,
    /// The moment that the newest proven backup holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proven_to: Option<Timestamp>,
    /// When a backup was last complete.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub succeeded_at: Option<Timestamp>,
    /// Bytes a second of the last restore that was tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restore_bytes_per_second: Option<u64>,
    /// Why the last attempt failed; none when it did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// Why the last proof failed; none when it did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unproven: Option<String>,
}

/// A cluster's backups, in short, for people.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BackupSummary {
    /// The last moment that can be restored: it moves on where the log is kept.
    pub recoverable_to: Option<Timestamp>,
    pub proven_to: Option<Timestamp>,
    /// When the next one is due.
    pub next_at: Option<Timestamp>,
    /// Milliseconds that restoring now would take, about.
    pub restore_ms: Option<u64>,
    /// What is wrong: the last one failed, or one is overdue. Empty when all is well.
    #[serde(default)]
    pub problem: String,
}
