//! What sentries say to each other: the primary asks the voters to renew its lease, without a
//! server.
//!
//! One UDP datagram: the JSON of `PeerMessage`, then a space, then the hexadecimal HMAC-SHA256 of
//! that JSON under the cluster's peer key. An answer is worth something only for the nonce it
//! repeats, so an old datagram sent again does nothing.

use bellwether_model::{ClusterId, NodeId, Term};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerMessage {
    pub cluster: ClusterId,
    pub from: NodeId,
    /// Whom it is for.
    pub to: NodeId,
    pub body: PeerBody,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum PeerBody {
    /// The primary of this term asks for the lease.
    LeaseRequest { term: Term, nonce: u64 },
    /// Granted: worth the lease time from the sending of the request with this nonce.
    LeaseAck { term: Term, nonce: u64 },
    /// Refused: the voter has promised a later term.
    LeaseRefused { promised: Term, nonce: u64 },
}
