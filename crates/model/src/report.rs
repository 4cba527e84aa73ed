//! The report of a change of primary: what was seen, what was decided and why, what was done and
//! when, how long writes waited, and what was lost.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::engine::LogUnit;
use crate::id::{ClusterId, NodeId, OperationId};
use crate::operation::{OperationKind, OperationStatus};
use crate::replication::{Position, Term};
use crate::time::Timestamp;

/// How long writes waited at one node's endpoint until the primary of a term took them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriteGap {
    pub term: Term,
    /// From the last moment at which writes were known to be taken.
    pub ms: u64,
    /// Of these, so many may have passed before writes began to wait.
    pub slack_ms: u64,
}

/// The same, with who measured it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MeasuredGap {
    pub node: NodeId,
    pub node_name: String,
    /// Milliseconds that a client at this node's endpoint could not write.
    pub ms: u64,
    /// Of these, so many may have passed before writes began to wait.
    pub slack_ms: u64,
}

/// What was known of a primary at one moment: three kinds of evidence that fail independently.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Evidence {
    pub node_name: String,
    pub seen_at: Timestamp,
    /// Milliseconds since its agent last reported; none when it never did.
    pub report_age_ms: Option<u64>,
    /// Evidence of each kind that is older counts as silence.
    pub suspect_after_ms: u64,
    /// Its agent says that its engine has died.
    pub engine_died: bool,
    /// The provider says that its machine does not run.
    pub machine_stopped: bool,
    pub witnesses: Vec<Witness>,
}

/// What one of the others knows of the primary.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Witness {
    pub node_name: String,
    /// Its vote counts for the primary's lease.
    pub votes: bool,
    /// Milliseconds since it last reported; none when it never did.
    pub report_age_ms: Option<u64>,
    /// Milliseconds since the primary last asked it for its lease, as far as is known.
    pub lease_request_age_ms: Option<u64>,
    /// Milliseconds since the primary's engine last said something to it, as far as is known.
    pub engine_message_age_ms: Option<u64>,
}

/// A primary of which less is heard than should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Suspicion {
    pub node: NodeId,
    pub node_name: String,
    /// What is thought of it, and what follows.
    pub sentence: String,
    /// A replica may be promoted in its place by itself.
    pub will_fail_over: bool,
    pub evidence: Evidence,
}

/// What a failover has learned, as it is kept with the operation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Failover {
    /// What was judged of the primary.
    pub evidence: String,
    /// In what places of the log, and `missing_bytes` and `rescued_bytes`, are counted.
    pub unit: LogUnit,
    /// The numbers behind it.
    pub seen: Option<Evidence>,
    /// The primary that was lost.
    pub former: Option<NodeId>,
    pub former_name: Option<String>,
    /// Where the former primary's log was last known to end.
    pub former_position: Option<Position>,
    /// The new term.
    pub term: Term,
    pub probed_at: Option<Timestamp>,
    /// Who promised the new term.
    pub promised: BTreeSet<NodeId>,
    pub promised_names: Vec<String>,
    /// Why the former primary could no longer accept writes.
    pub fence: String,
    pub candidate: Option<NodeId>,
    pub candidate_name: Option<String>,
    pub candidate_position: Option<Position>,
    /// So much the candidate took from the former primary's files.
    pub rescued_bytes: Option<u64>,
    /// So much the former primary had reported and the new one lacks.
    pub missing_bytes: Option<u64>,
    /// Milliseconds in which the former primary may have acknowledged more than it had reported.
    /// None: not known.
    pub unseen_ms: Option<u64>,
    /// A person has said that more may be lost than automation may lose.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub allows_loss: bool,
    /// What turned out to be lost when the former primary came back: transactions and bytes of log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found_transactions: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found_bytes: Option<u64>,
    /// Milliseconds from the beginning of the failover to each end.
    pub confirmed_ms: Option<u64>,
    pub promised_ms: Option<u64>,
    pub fenced_ms: Option<u64>,
    pub chosen_ms: Option<u64>,
    pub rescued_ms: Option<u64>,
    pub serving_ms: Option<u64>,
    /// How long writes waited, by each node that stayed.
    pub gaps: Vec<MeasuredGap>,
}

/// What a switchover has learned, as it is kept with the operation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Switchover {
    pub former: Option<NodeId>,
    pub former_name: Option<String>,
    pub candidate_name: Option<String>,
    /// Where the former primary's log ended.
    pub final_position: Option<Position>,
    pub term: Term,
    /// Transactions that are still open are ended, as was asked for.
    pub end_transactions: bool,
    pub prepared_at: Option<Timestamp>,
    pub held_at: Option<Timestamp>,
    /// Milliseconds from the hold to each end.
    pub drained_ms: Option<u64>,
    pub surrendered_ms: Option<u64>,
    pub serving_ms: Option<u64>,
    /// How long writes waited, by each node.
    pub gaps: Vec<MeasuredGap>,
}

/// The longest of them: what the client that was worst off has seen.
#[must_use]
pub fn longest(gaps: &[MeasuredGap]) -> Option<&MeasuredGap> {
    gaps.iter().max_by_key(|gap| gap.ms)
}

/// What became of writes that were acknowledged before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// Nothing is lost.
    Nothing,
    /// Something is lost, in the bounds that are told.
    Range,
    /// Something may be lost; how much is not known.
    NotKnown,
}

/// A change of primary as the API shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Report {
    /// The id of the operation that it is of.
    pub id: OperationId,
    pub cluster: ClusterId,
    pub cluster_name: String,
    /// `failover` or `switchover`.
    pub kind: OperationKind,
    pub status: OperationStatus,
    pub started_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    /// The former primary's name, where there was one.
    pub from: Option<String>,
    /// The new primary's name, once it is chosen.
    pub to: Option<String>,
    /// The new term; 0 while it is not known.
    pub term: Term,
    /// What was seen.
    pub seen: Seen,
    pub decision: Decision,
    /// What was done, in order, each with when it had ended.
    pub timeline: Vec<Phase>,
    /// Milliseconds that writes waited at the endpoint that was worst off; none when nobody has
    /// measured it, or they wait still.
    pub write_gap_ms: Option<u64>,
    /// Each endpoint that has measured it.
    pub measured_by: Vec<MeasuredGap>,
    pub loss: Loss,
    /// What is lost, in words.
    pub loss_sentence: String,
    /// What `lost` and `rescued` count.
    #[serde(default)]
    pub unit: LogUnit,
    /// So much of the log is known to be lost.
    pub lost: Option<u64>,
    /// Of what was acknowledged in the former primary's last so many milliseconds, whatever it had
    /// not yet sent may be lost.
    pub unseen_ms: Option<u64>,
    /// Transactions that turned out to be only with the former primary when it came back.
    pub found_transactions: Option<u64>,
    /// So much of the log was saved from the former primary's disk.
    pub rescued: Option<u64>,
    /// How it ended, in words.
    pub message: String,
}

/// What was seen before it was decided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Seen {
    /// In words.
    pub sentence: String,
    /// In numbers; none where nothing was in doubt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
}

/// What was decided, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Decision {
    /// The number of the rule that decided; 0 when a person asked.
    pub rule: u32,
    /// Its sentence.
    pub reason: String,
    /// Who decided: a user's name, or `bellwether`.
    pub by: String,
    /// Why the former primary could no longer accept writes.
    pub fence: String,
    /// Who promised the new term, by name.
    pub promised: Vec<String>,
}

/// One part of a change of primary.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Phase {
    /// The stored name, for example `fenced`.
    pub name: String,
    /// For people.
    pub title: String,
    /// Milliseconds from the beginning to the end of this part.
    pub ended_ms: u64,
}
