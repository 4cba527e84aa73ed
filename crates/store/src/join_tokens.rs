//! Join tokens: each lets one agent become one node, once.

use bellwether_model::{ClusterId, JoinTokenId, NodeId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::Object;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct JoinToken {
    pub id: JoinTokenId,
    pub secret_hash: String,
    pub cluster: ClusterId,
    pub node: NodeId,
    pub expires_at: Timestamp,
    pub used_at: Option<Timestamp>,
}

impl Object for JoinToken {
    const KIND: &'static str = "join-token";

    fn key(&self) -> String {
        self.secret_hash.clone()
    }
}
