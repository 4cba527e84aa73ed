//! What an operation would do, before it is asked to.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::operation::OperationKind;
use crate::settings::ParameterChange;

/// The plan of an operation: its steps, its cost, and what would refuse it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Plan {
    pub kind: OperationKind,
    /// What it would do, in one sentence.
    pub summary: String,
    pub steps: Vec<PlannedStep>,
    /// For how long writes would wait, in milliseconds; 0 when they do not.
    pub write_pause_ms: u64,
    /// Bytes that would be copied between nodes.
    pub bytes_copied: u64,
    /// Copies of the data beside the primary at the lowest point of the operation.
    pub redundancy_min: u32,
    /// What would be erased, on which node.
    pub erases: Vec<String>,
    /// Settings that would change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<ParameterChange>,
    /// Nodes whose engine would be started again, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub restarts: Vec<String>,
    /// Why it would be refused now; empty when it would not.
    pub refusals: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PlannedStep {
    pub name: String,
    pub title: String,
}
