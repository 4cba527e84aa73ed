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
    /// For how long writes would wait, in milliseconds; 0 when they do not. Of a change of primary:
    /// what is usual in this cluster, or elsewhere while nothing is known here.
    pub write_pause_ms: u64,
    /// Where the pause is that of a change of primary: how long it was in the last ones here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pauses: Option<PastPauses>,
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

/// How long writes waited in this cluster's last changes of primary, as clients at its endpoints
/// measured it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PastPauses {
    /// How many were measured, of the last ten; 0: it is not known yet.
    pub count: u32,
    /// Half of them were shorter, or as long.
    pub median_ms: u64,
    pub max_ms: u64,
}

impl PastPauses {
    /// Of pauses in milliseconds.
    #[must_use]
    pub fn of(pauses: &[u64]) -> Self {
        let mut sorted = pauses.to_vec();
        sorted.sort_unstable();
        let median = sorted.len().saturating_sub(1) / 2;
        Self {
            count: sorted.len() as u32,
            median_ms: sorted.get(median).copied().unwrap_or(0),
            max_ms: sorted.last().copied().unwrap_or(0),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PlannedStep {
    pub name: String,
    pub title: String,
}
