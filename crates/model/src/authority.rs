//! The server's certificate authority, and how another takes its place.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `GET /v1/authority`: who is trusted, and who signs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuthorityView {
    pub state: AuthorityState,
    /// The state in a sentence, with what to do.
    pub message: String,
    /// Every authority that is trusted, PEM: what clients verify by, `ca.pem`.
    pub ca_certificate: String,
    /// The same ones, the one that signs first.
    pub authorities: Vec<AuthorityCertificate>,
    /// The nodes that do not have certificates of this state yet.
    pub waiting: Vec<WaitingNode>,
}

/// How far the rotation of the authority is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AuthorityState {
    /// One authority signs, and no other is trusted.
    Settled,
    /// Another one was made; nodes are being told of it.
    Introducing,
    /// Every node trusts both. Clients are given the new `ca.pem` now; then the rotation is ended.
    Introduced,
    /// The new one signs; nodes are being given its certificates.
    Replacing,
}

/// One authority.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuthorityCertificate {
    pub role: AuthorityRole,
    /// SHA-256 of the certificate, as `openssl x509 -fingerprint -sha256` prints it.
    pub fingerprint: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AuthorityRole {
    /// Certificates are signed by it.
    Signs,
    /// It will sign, once the rotation is ended.
    Next,
    /// It has signed; it is trusted until no node has a certificate of it.
    Former,
}

/// A node that a rotation waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WaitingNode {
    pub cluster: String,
    pub node: String,
    pub reason: String,
}
