//! An operation: durable work with a list of named steps. Whatever changes a cluster leaves one.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::cluster::Cluster;
use crate::drill::DrillKind;
use crate::id::{ClusterId, NodeId, OperationId};
use crate::restore::Source;
use crate::time::Timestamp;

/// What an operation does. The names are stored: add, never rename.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum OperationKind {
    CreateCluster,
    AddNode,
    RemoveNode,
    /// A new node takes the place of one, which goes.
    ReplaceNode,
    Switchover,
    Failover,
    /// A former primary follows again.
    Rejoin,
    /// Replicas get the primary's data anew, one after the other.
    Resync,
    /// Settings of the engine are changed, node after node.
    Reconfigure,
    /// The change of primary is tried.
    Drill,
    /// The data is stored in a repository, as it is at one moment.
    Backup,
    /// A backup is restored in a scratch node and looked through.
    Prove,
    /// A node is taken out of service, its data kept current.
    Drain,
    /// A drained node serves again.
    Undrain,
    /// A node's machine is stopped and started again.
    Reboot,
    /// A node gets the size that the cluster asks for.
    Resize,
    /// Shards are added or removed, and slots move between them.
    Reshard,
    /// A backup takes the place of the cluster's data.
    Restore,
    /// The data that a restore replaced comes back.
    UndoRestore,
    /// The data that a restore replaced is let go of.
    KeepRestored,
    DeleteCluster,
}

impl OperationKind {
    pub const ALL: [Self; 21] = [
        Self::CreateCluster,
        Self::AddNode,
        Self::RemoveNode,
        Self::ReplaceNode,
        Self::Switchover,
        Self::Failover,
        Self::Rejoin,
        Self::Resync,
        Self::Reconfigure,
        Self::Drill,
        Self::Backup,
        Self::Prove,
        Self::Drain,
        Self::Undrain,
        Self::Reboot,
        Self::Resize,
        Self::Reshard,
        Self::Restore,
        Self::UndoRestore,
        Self::KeepRestored,
        Self::DeleteCluster,
    ];

    /// The stored name.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::CreateCluster => "create_cluster",
            Self::AddNode => "add_node",
            Self::RemoveNode => "remove_node",
            Self::ReplaceNode => "replace_node",
            Self::Switchover => "switchover",
            Self::Failover => "failover",
            Self::Rejoin => "rejoin",
            Self::Resync => "resync",
            Self::Reconfigure => "reconfigure",
            Self::Drill => "drill",
            Self::Backup => "backup",
            Self::Prove => "prove",
            Self::Drain => "drain",
            Self::Undrain => "undrain",
            Self::Reboot => "reboot",
            Self::Resize => "resize",
            Self::Reshard => "reshard",
            Self::Restore => "restore",
            Self::UndoRestore => "undo_restore",
            Self::KeepRestored => "keep_restored",
            Self::DeleteCluster => "delete_cluster",
        }
    }

    /// Whether it may have the primary moved as a part of it, by a switchover of its own.
    #[must_use]
    pub fn may_hand_over(self) -> bool {
        matches!(self, Self::Drill | Self::Drain | Self::Reboot | Self::Resize | Self::ReplaceNode)
    }

    /// The name for people.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::CreateCluster => "Create cluster",
            Self::AddNode => "Add node",
            Self::RemoveNode => "Remove node",
            Self::ReplaceNode => "Replace node",
            Self::Switchover => "Promote",
            Self::Failover => "Failover",
            Self::Rejoin => "Rejoin",
            Self::Resync => "Resync",
            Self::Reconfigure => "Change settings",
            Self::Drill => "Drill",
            Self::Backup => "Backup",
            Self::Prove => "Verify backup",
            Self::Drain => "Drain",
            Self::Undrain => "Return to service",
            Self::Reboot => "Reboot",
            Self::Resize => "Change size",
            Self::Reshard => "Move slots",
            Self::Restore => "Restore",
            Self::UndoRestore => "Undo restore",
            Self::KeepRestored => "Keep restored data",
            Self::DeleteCluster => "Delete cluster",
        }
    }
}

impl std::fmt::Display for OperationKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OperationStatus {
    /// Written down for a time that has not come.
    Scheduled,
    /// Written down, waiting for the operation before it.
    Queued,
    Running,
    Succeeded,
    Failed,
    /// Given up for something more urgent, or undone.
    Cancelled,
}

impl OperationStatus {
    #[must_use]
    pub fn is_ended(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    Pending,
    Running,
    Done,
    Failed,
    Skipped,
}

/// One step of an operation, as people see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Step {
    /// The stored name, for example `await_agents`.
    pub name: String,
    /// For people: "Wait for the agents".
    pub title: String,
    pub state: StepState,
    /// What it does or waits for just now, or why it failed.
    #[serde(default)]
    pub message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
}

/// The stored operation, and the operation as the API shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Operation {
    pub id: OperationId,
    pub cluster: ClusterId,
    /// The cluster's name when the operation began: still readable after a deletion.
    pub cluster_name: String,
    /// The cluster's project then.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub project: String,
    pub kind: OperationKind,
    /// The node it is about, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<NodeId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_name: Option<String>,
    pub status: OperationStatus,
    /// A user's name, or `bellwether` for automation.
    pub started_by: String,
    /// Why it was started: "asked for", or the sentence of the rule that fired.
    pub reason: String,
    /// The rule's number, 0 when a person asked.
    #[serde(default)]
    pub rule: u32,
    pub created_at: Timestamp,
    /// It was asked for at this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    /// What has not begun until then does not begin any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_until: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    pub steps: Vec<Step>,
    /// How it ended, or what it does now, in words.
    #[serde(default)]
    pub message: String,
    /// What the steps have learned; each kind has its own fields. For a failover and a switchover
    /// it is the report: evidence, candidate, milliseconds of each phase.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub state: serde_json::Value,
}

impl Operation {
    /// A new one that waits for its turn, asked for by that user.
    #[must_use]
    pub fn queued(
        cluster: &Cluster,
        kind: OperationKind,
        started_by: &str,
        created_at: Timestamp,
    ) -> Self {
        Self {
            id: OperationId::generate(),
            cluster: cluster.id.clone(),
            cluster_name: cluster.spec.name.clone(),
            project: cluster.spec.project.clone(),
            kind,
            node: None,
            node_name: None,
            status: OperationStatus::Queued,
            started_by: started_by.to_owned(),
            reason: "asked for".to_owned(),
            rule: 0,
            created_at,
            due_at: None,
            due_until: None,
            started_at: None,
            ended_at: None,
            steps: Vec::new(),
            message: String::new(),
            state: serde_json::Value::Null,
        }
    }

    /// The step that runs or comes next.
    #[must_use]
    pub fn step_at(&self) -> Option<usize> {
        self.steps.iter().position(|s| matches!(s.state, StepState::Pending | StepState::Running))
    }
}

/// A request for an operation on a cluster: `POST /v1/clusters/{id}/operations`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewOperation {
    pub kind: OperationKind,
    /// The node it is about (id or name): to remove, or to promote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// For `delete_cluster`, `restore`, `undo_restore` and `keep_restored`: the cluster's name,
    /// typed again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirm: Option<String>,
    /// For `resync`: the replicas (ids or names); empty for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<String>,
    /// For `resync`: copy all data anew, also to a replica that follows or could be made fit to.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub copy: bool,
    /// For `resync`, `restore`, `undo_restore`, `drain` and `reboot`: go on also where writes wait
    /// meanwhile, because fewer replicas are left than have to confirm them, or because the only
    /// node is started again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allow_waiting: bool,
    /// For `switchover`: end transactions that are still open instead of leaving the primary as it
    /// is.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub end_transactions: bool,
    /// For `drill`: what is tried; a switchover when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drill: Option<DrillKind>,
    /// For `drill` of a failover: also in asynchronous replication, where it may lose what was
    /// acknowledged last. For `failover`: needed, for a person is asked only where more would be
    /// lost than automation may lose.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allow_loss: bool,
    /// For `backup`: the repository (id or name); the schedule's, or the only one, when left out.
    /// For `delete_cluster`: where a last backup is stored first; none when left out. For
    /// `restore`: where what is there now is stored first, found as for `backup`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// For `backup`: kilobytes a second that are sent at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_kib: Option<u64>,
    /// For `reboot`: not now, but at this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// For `reboot`: not now, but when a window begins the next time, in UTC, as cron has it:
    /// `0 3 * * 0` for Sundays at 3:00.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<String>,
    /// With `at` or `window`: minutes in which it has to begin, or it does not; 15, or 60 of a
    /// window, when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within_minutes: Option<u32>,
    /// For `restore`: the backup, and the moment after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// For `restore`: take no backup of what is there now.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub without_backup: bool,
}

impl NewOperation {
    /// A request that says no more than what, and of which node.
    #[must_use]
    pub fn of(kind: OperationKind, node: Option<String>) -> Self {
        Self {
            kind,
            node,
            confirm: None,
            nodes: Vec::new(),
            copy: false,
            allow_waiting: false,
            end_transactions: false,
            drill: None,
            allow_loss: false,
            repository: None,
            rate_kib: None,
            at: None,
            window: None,
            within_minutes: None,
            source: None,
            without_backup: false,
        }
    }
}

/// Whether an operation may be asked for now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Allowed {
    pub kind: OperationKind,
    pub allowed: bool,
    /// Why not, and what to do about it; empty when allowed.
    #[serde(default)]
    pub reason: String,
}
