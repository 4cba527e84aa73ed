//! A change of an engine's settings: what was asked for, and how far it has come.

use serde::{Deserialize, Serialize};

use crate::id::NodeId;
use crate::parameter::Parameters;
use crate::settings::ParameterChange;

/// The state of the operation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Reconfigure {
    /// All chosen settings of before, and those that were asked for.
    pub before: Parameters,
    pub after: Parameters,
    /// What differs, as it was confirmed.
    pub changes: Vec<ParameterChange>,
    /// Why what was before is put back; none while it goes forward.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undo: Option<String>,
    /// The primary moves, or is started again: how far that is, to whom, and its report.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handover: Option<ReconfigureHandover>,
    /// How often the primary was to move, and what ended the last attempt that failed.
    pub attempts: u64,
    pub last_attempt: String,
    /// Milliseconds writes waited, for each change of primary.
    pub waited_ms: Vec<u64>,
}

/// A change of primary within a change of settings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReconfigureHandover {
    /// The step of a switchover that comes next.
    pub part: usize,
    /// The next primary; the present one where it is only started again.
    pub candidate: Option<NodeId>,
    /// The report of the switchover.
    pub report: serde_json::Value,
}
