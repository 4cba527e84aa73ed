//! Sessions of browsers and bearer tokens of programs: random, and kept only as a hash.

use bellwether_model::access::Scope;
use bellwether_model::{Timestamp, TokenId, UserId};
use serde::{Deserialize, Serialize};

use crate::Object;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenKind {
    Session,
    Api,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Token {
    pub id: TokenId,
    pub secret_hash: String,
    pub kind: TokenKind,
    pub name: String,
    pub user: UserId,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub last_used_at: Option<Timestamp>,
    /// What it may at most.
    #[serde(default)]
    pub scope: Scope,
    /// Of a session: where it was begun from, and with what.
    #[serde(default)]
    pub source: String,
    #[serde(default)]
    pub program: String,
}

impl Object for Token {
    const KIND: &'static str = "token";

    fn key(&self) -> String {
        self.secret_hash.clone()
    }
}

/// SHA-256 of a secret, hexadecimal: what is stored of it, and what it is found by.
#[must_use]
pub fn hash(secret: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, secret.as_bytes());
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
