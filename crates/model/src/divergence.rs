//! What only a former primary held, found when it came back.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::replication::{Position, Term};
use crate::time::Timestamp;

/// The end of a node's log that is no part of the cluster's history. It is kept on the node's disk,
/// outside the data, before the data is rewound or copied anew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Divergence {
    /// The term in force when it was found.
    pub term: Term,
    pub found_at: Timestamp,
    /// Where the histories part.
    pub from: Position,
    /// Where the node's own log ended.
    pub to: Position,
    /// Bytes of log in between.
    pub bytes: u64,
    /// Transactions that were committed only there, the engine's own upkeep included; none when
    /// they could not be counted to the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transactions: Option<u64>,
    /// When the first and the last of them were committed, by the node's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_commit: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_commit: Option<String>,
    /// How many records of each kind, for example `Heap INSERT`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub records: BTreeMap<String, u64>,
    /// Where it is kept on the node.
    pub directory: String,
    /// Files of the log that are kept there; the oldest findings keep only their summary.
    pub segments: u32,
    /// More was found than is kept.
    #[serde(default)]
    pub is_cut: bool,
}

impl Divergence {
    /// What was found, in words: "7 transactions (1.2 KiB of log)".
    #[must_use]
    pub fn words(&self) -> String {
        let bytes = match self.bytes {
            0 => String::new(),
            bytes => format!(" ({} of log)", crate::Bytes(bytes)),
        };
        match self.transactions {
            Some(1) => format!("1 transaction{bytes}"),
            Some(count) => format!("{count} transactions{bytes}"),
            None => format!("an unknown number of transactions{bytes}"),
        }
    }
}
