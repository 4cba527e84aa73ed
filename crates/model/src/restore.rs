//! A restore: a backup becomes a cluster's data again.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::id::BackupId;
use crate::time::Timestamp;

/// Where a new cluster's data comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The backup's id.
    pub backup: BackupId,
    /// The moment to restore: what was committed until then is there, and nothing later. It lies
    /// after the backup, and the log is kept from there on. What the backup holds, when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}

/// The order to look through restored data, for the agent of a scratch node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckOrder {
    pub token: String,
}

/// What an agent found in restored data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckReport {
    pub token: String,
    /// None while it goes on.
    #[serde(default)]
    pub end: Option<Checked>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checked {
    /// Parts of the data that were compared with what they were when the backup was taken.
    pub compared: u64,
    /// What these parts are, in a word: `tables`.
    #[serde(default)]
    pub of: String,
    /// Bytes of data.
    pub bytes: u64,
    /// What is wrong; none when all is well.
    pub wrong: Vec<String>,
}
