//! Answers to requests that were sent with an idempotency key: the same request again gets them
//! again.

use bellwether_model::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Object;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Idempotency {
    /// The user's id, a slash, and the key the user chose.
    pub key: String,
    /// Of method, path and body: another request with the same key is refused.
    pub request_hash: String,
    /// The id of what was made.
    pub made: String,
    pub created_at: Timestamp,
}

impl Object for Idempotency {
    const KIND: &'static str = "idempotency";

    fn key(&self) -> String {
        self.key.clone()
    }
}
