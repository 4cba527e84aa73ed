//! The audit log: every change and every secret shown, who asked for it and what came of it.

use bellwether_model::Timestamp;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Given by the store; counts upwards.
    #[serde(default)]
    pub id: i64,
    pub at: Timestamp,
    pub user: String,
    /// The address the request came from.
    pub source: String,
    /// For example `cluster.create`, `connection.reveal`.
    pub action: String,
    /// What it was done to.
    pub object: String,
    /// `ok`, or the code of the refusal.
    pub result: String,
}
