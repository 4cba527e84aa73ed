//! How a client reaches a cluster.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Everything a client needs. The password is there only when it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Connection {
    pub user: String,
    pub database: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// Every node's address and port that leads to the primary.
    pub read_write: Vec<String>,
    /// Every node's address and port that leads to a replica.
    pub read_only: Vec<String>,
    /// Every authority whose certificates are trusted, PEM.
    pub ca_certificate: String,
    /// What to know of it now: another authority takes the place of the one that signs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_note: Option<String>,
    /// Ready-made commands and connection strings.
    pub examples: Vec<ConnectionExample>,
}

/// A ready-made command or connection string.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConnectionExample {
    /// What it is asked for by, for example `psql` or `uri`; engines differ.
    pub name: String,
    pub title: String,
    /// Which endpoint it uses: `read_write` or `read_only`.
    pub endpoint: String,
    pub text: String,
}
