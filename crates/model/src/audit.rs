//! The audit log: every change and every secret shown, who asked for it and what came of it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::time::Timestamp;

/// One entry. Each is chained to the one before by its hash, so that none can be changed or taken
/// out of the middle unnoticed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditEntry {
    /// Given by the store; counts upwards.
    #[serde(default)]
    pub id: i64,
    pub at: Timestamp,
    /// A user's name, or `bellwether` for automation.
    pub user: String,
    /// The address the request came from.
    pub source: String,
    /// For example `cluster.create`, `connection.reveal`.
    pub action: String,
    /// What it was done to.
    pub object: String,
    /// What was changed, in words.
    #[serde(default)]
    pub detail: String,
    /// `ok`, or the code of the refusal.
    pub result: String,
    /// SHA-256, in hexadecimal digits, of the JSON list of the hash before and of `id`, `at`,
    /// `user`, `source`, `action`, `object`, `detail` and `result`. Given by the store.
    #[serde(default)]
    pub hash: String,
}

/// What came of looking through the whole log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditVerification {
    /// Every entry is as it was written, as far as the chain can tell.
    pub whole: bool,
    pub entries: u64,
    /// The last entry's id and hash: kept elsewhere, they show later that nothing was cut off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_id: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_hash: Option<String>,
    /// The first entry that does not follow from the one before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken_at: Option<i64>,
}
