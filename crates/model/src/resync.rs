//! A resync: replicas get the primary's data anew, one after the other.

use serde::{Deserialize, Serialize};

use crate::id::NodeId;

/// What a resync was asked for, and how far it has come: the state of its operation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Resync {
    /// The replicas, in their order: what was confirmed is what is done.
    pub nodes: Vec<ResyncedNode>,
    /// Copy all data anew, also where a replica follows or could be made fit to.
    pub copy: bool,
    /// Go on also where writes wait meanwhile.
    pub allow_waiting: bool,
    /// Copies beside the primary at the lowest point, as it was planned.
    pub redundancy_min: u32,
}

/// One replica of a resync.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResyncedNode {
    pub id: NodeId,
    pub name: String,
    /// How it ended, once it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<ResyncEnd>,
}

/// How a resync ended for one replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResyncEnd {
    /// All data was copied anew.
    Copied,
    /// It was made fit to follow by the least that is right.
    Aligned,
    /// It followed already.
    Followed,
    /// It has become the primary, or was lost as one, meanwhile.
    Skipped,
}
