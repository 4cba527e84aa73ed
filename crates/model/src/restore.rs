//! A restore: a backup becomes a cluster's data again.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::backup::BackupRun;
use crate::id::{BackupId, NodeId};
use crate::replication::Term;
use crate::time::Timestamp;

/// Where a new cluster's data comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The backup's id.
    pub backup: BackupId,
    /// The moment to restore: what was committed until then is there, and nothing later. It lies
    /// after the backup, and the log is kept from there on. What the backup holds, when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}

/// The order to look through restored data, for the agent of a scratch node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckOrder {
    pub token: String,
}

/// What an agent found in restored data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckReport {
    pub token: String,
    /// None while it goes on.
    #[serde(default)]
    pub end: Option<Checked>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checked {
    /// Parts of the data that were compared with what they were when the backup was taken.
    pub compared: u64,
    /// What these parts are, in a word: `tables`.
    #[serde(default)]
    pub of: String,
    /// Bytes of data.
    pub bytes: u64,
    /// What is wrong; none when all is well.
    pub wrong: Vec<String>,
}

/// The order to put other data in the place of a primary's, for its agent. What is aside stays
/// there while the order stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplaceOrder {
    /// Names the operation. The data that is brought under it bears it.
    pub token: String,
    /// The backup that comes; none: what is aside comes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    pub stage: ReplaceStage,
}

/// How far an order to replace data has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplaceStage {
    /// It is brought and set aside, while the engine goes on.
    Bring,
    /// It takes the place of the engine's data, under this term.
    Exchange { term: Term },
    /// It has; what was there before is kept aside.
    Keep,
}

/// What an agent says of the data that it was ordered to bring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BringReport {
    pub token: String,
    /// Bytes of it that have come, and in all.
    #[serde(default)]
    pub done: u64,
    #[serde(default)]
    pub all: u64,
    /// It is complete and set aside.
    #[serde(default)]
    pub is_there: bool,
    /// Why the last attempt failed; none when it did not.
    #[serde(default)]
    pub failure: Option<String>,
    /// Trying again cannot help.
    #[serde(default)]
    pub is_hopeless: bool,
}

/// A cluster's data was replaced, and what was there before is kept until that is confirmed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Replaced {
    /// When the data of today took its place.
    pub at: Timestamp,
    /// The backup that it was; none: the former data came back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// Where the data that it replaced lies: the way back is there as long as this node is.
    pub node: NodeId,
    pub node_name: String,
    /// The backup that was taken just before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub safety: Option<BackupId>,
}

/// What an operation that replaces a cluster's data was asked for, and how far it has come: its
/// state.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReplaceRun {
    /// The backup that comes; none: what is aside comes back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// Go on also where writes wait until a replica is copied anew.
    pub allow_waiting: bool,
    /// The backup that is taken first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub safety: Option<BackupRun>,
    /// Whose data is replaced: the primary, from when it was ordered on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<NodeId>,
    /// Why what was brought is taken out again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub back: Option<String>,
    /// The term that the primary gives up, and the one that begins.
    pub former_term: Term,
    pub term: Term,
    /// When the primary was asked to give its role up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped_at: Option<Timestamp>,
    /// Milliseconds from then until the primary served again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pause_ms: Option<u64>,
}
