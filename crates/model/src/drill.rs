//! Drills: the change of primary that is to work when it must, tried while it need not.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::id::OperationId;
use crate::operation::{Operation, OperationStatus};
use crate::replication::Term;
use crate::report::Loss;
use crate::time::Timestamp;

/// What is tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DrillKind {
    /// The primary hands over as planned; clients wait.
    #[default]
    Switchover,
    /// The primary's engine is killed; whatever replaces a lost primary replaces it.
    Failover,
}

impl DrillKind {
    /// The stored name.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Switchover => "switchover",
            Self::Failover => "failover",
        }
    }
}

/// Drills that begin by themselves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DrillSchedule {
    /// When, in UTC, as cron has it: minute, hour, day of the month, month, day of the week. For
    /// example `0 4 * * 0`: every Sunday at four.
    #[schema(example = "0 4 * * 0")]
    pub schedule: String,
    #[serde(default)]
    pub kind: DrillKind,
    /// For the kind `failover`: also in asynchronous replication, where it may lose what was
    /// acknowledged last.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allow_loss: bool,
}

/// How far a schedule was followed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DrillProgress {
    /// The schedule that is followed.
    pub schedule: String,
    /// Whatever was due until then has been run, or skipped for a reason that was written down.
    pub handled: Timestamp,
}

/// The order to kill the primary's engine, once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DrillOrder {
    /// Names the drill. An agent that has carried it out never does again.
    pub token: String,
    /// It is meant for the primary of this term and for nobody else.
    pub term: Term,
}

/// What a drill was asked for and has learned, as it is kept with its operation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Drill {
    pub kind: DrillKind,
    pub allow_loss: bool,
    /// When it was due; none when a person asked for it now.
    pub due_at: Option<Timestamp>,
    /// The term before.
    pub term: Term,
    pub former_name: Option<String>,
    pub candidate_name: Option<String>,
    /// When the primary was told to hand over, or to kill its engine.
    pub struck_at: Option<Timestamp>,
    /// The change of primary that followed.
    pub change: Option<OperationId>,
    pub write_gap_ms: Option<u64>,
    pub loss: Option<Loss>,
    /// Milliseconds until every node followed again and had its vote.
    pub whole_ms: Option<u64>,
    /// The write gap of the drill of this kind before.
    pub gap_before_ms: Option<u64>,
}

/// A drill as the API shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DrillView {
    /// The id of its operation.
    pub id: OperationId,
    pub kind: DrillKind,
    pub status: OperationStatus,
    pub started_by: String,
    pub created_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    /// When it was due; none when a person asked for it.
    pub due_at: Option<Timestamp>,
    /// The report of the change of primary.
    pub report: Option<OperationId>,
    /// Milliseconds that writes waited.
    pub write_gap_ms: Option<u64>,
    pub loss: Option<Loss>,
    /// Milliseconds until every node followed again and had its vote.
    pub whole_ms: Option<u64>,
    /// How it ended, or why it was not run, in words.
    pub message: String,
}

impl DrillView {
    /// The drill of an operation of that kind.
    #[must_use]
    pub fn of(operation: &Operation) -> Self {
        let drill: Drill = serde_json::from_value(operation.state.clone()).unwrap_or_default();
        Self {
            id: operation.id.clone(),
            kind: drill.kind,
            status: operation.status,
            started_by: operation.started_by.clone(),
            created_at: operation.created_at,
            ended_at: operation.ended_at,
            due_at: drill.due_at,
            report: drill.change,
            write_gap_ms: drill.write_gap_ms,
            loss: drill.loss,
            whole_ms: drill.whole_ms,
            message: operation.message.clone(),
        }
    }
}
