//! Clusters in which every node accepts writes. No lease, vote or election of ours is needed: the
//! engines' own majority decides who may write, and an engine without it refuses. What is left to
//! decide: to which node clients are led (`leader`), and who begins a group anew that has lost its
//! majority (`founder`).

pub mod allowed;
mod founder;
mod leader;
mod shown;
mod words;

use bellwether_model::member::MemberReport;
use bellwether_model::node::NodePhase;
use bellwether_model::{NodeId, Target};

use crate::view::{NodeFacts, View};

pub use founder::regroup;
pub use leader::lead;
pub(crate) use shown::{activity, health, phase};
pub(crate) use words::summary;

/// What a node's worker says of the group, where it is heard.
fn heard<'a>(view: &View, facts: &'a NodeFacts) -> Option<&'a MemberReport> {
    let is_heard = facts.is_fresh(view.timers().suspect_ms.max(2_000));
    facts.worker().filter(|_| is_heard)?.member.as_ref()
}

fn in_quorum(view: &View, facts: &NodeFacts) -> bool {
    heard(view, facts).is_some_and(|report| report.standing.in_quorum)
}

/// Whether it is heard to accept writes.
#[must_use]
pub fn serves(view: &View, facts: &NodeFacts) -> bool {
    let is_serving = facts.worker().is_some_and(|worker| worker.serving.is_some());
    is_serving && in_quorum(view, facts) && facts.report().is_some_and(|report| report.gate.open)
}

/// Whether its engine may hold data of the group.
fn counts(facts: &NodeFacts) -> bool {
    matches!(facts.node.target, Target::Member { .. }) || facts.node.phase == NodePhase::Removing
}

/// Members other than this one that accept writes and are in service.
pub fn others<'a>(view: &'a View, id: &NodeId) -> impl Iterator<Item = &'a NodeFacts> {
    view.active().filter(|facts| facts.node.id != *id && serves(view, facts))
}

/// What a member shall be under the term in force: it copies from another where it has no data.
#[must_use]
pub fn target(view: &View, id: &NodeId) -> Target {
    let status = &view.cluster.status;
    let others = view.active().map(|facts| &facts.node.id);
    let all = status.primary.iter().chain(others);
    let from = all.into_iter().find(|other| *other != id).unwrap_or(id);
    Target::Member { term: status.term, begun: status.begun, from: Some(from.clone()) }
}
