//! Taking a node out of service and back: what its operation has to remember.

use serde::{Deserialize, Serialize};

use crate::cluster::NodeSize;
use crate::id::OperationId;
use crate::time::Timestamp;

/// The state of a drain, a reboot or a change of size.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
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
    /// What the machine shall have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<NodeSize>,
    /// What it had, until the machine has that size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub former: Option<NodeSize>,
    /// Only the disk grows, for which nothing has to be stopped.
    pub in_place: bool,
    /// Why it has not got that size. The machine is started again first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}
