//! Taking a node out of service and back: what its operation has to remember.

use serde::{Deserialize, Serialize};

use crate::id::OperationId;
use crate::time::Timestamp;

/// The state of a drain or a reboot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Maintenance {
    /// Go on where writes wait meanwhile.
    pub allow_waiting: bool,
    /// It was in maintenance before, and stays there.
    pub was_drained: bool,
    /// The switchover that moves the primary away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change: Option<OperationId>,
    /// When its machine certainly did not run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped_at: Option<Timestamp>,
}
