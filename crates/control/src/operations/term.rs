//! The beginning of a new term: the one point of no return, the same in every operation that moves
//! the primary.

use bellwether_model::cluster::Handover;
use bellwether_model::node::NodePhase;
use bellwether_model::{NodeId, Target, Term};
use bellwether_planner::voters::config_for_new_term;

use crate::pass::Pass;

/// Asks for promises of the next term: durable before any agent hears of it. From here on the
/// server acknowledges no lease of the term in force.
pub fn call_election(pass: &mut Pass) -> Term {
    let status = &mut pass.cluster.object.status;
    status.promised = status.promised.max(status.term) + 1;
    status.promised
}

/// Begins the term with that candidate: everybody else follows it, the former primary too.
pub fn begin(pass: &mut Pass, term: Term, candidate: &NodeId, lost: Option<&NodeId>) {
    let config = config_for_new_term(&pass.view, candidate, lost);
    let status = &mut pass.cluster.object.status;
    assert!(term > status.term, "a term is never reused: {term} after {}", status.term);
    status.term = term;
    status.promised = status.promised.max(term);
    status.primary = None;
    status.candidate = Some(candidate.clone());
    status.config = config;
    // Nobody can begin anything with an earlier primary any more; who waits may try the candidate,
    // whose gate opens as soon as it serves.
    status.handover = Handover::None;
    let others: Vec<NodeId> = pass
        .nodes
        .iter()
        .filter(|node| {
            use NodePhase::{Active, Maintenance, Rejoining, Seeding};
            matches!(node.object.phase, Active | Maintenance | Rejoining | Seeding)
        })
        .map(|node| node.object.id.clone())
        .filter(|id| id != candidate)
        .collect();
    for node in others {
        pass.assign(&node, Target::Replica { upstream: candidate.clone(), term });
    }
    pass.assign(candidate, Target::Primary { term, create: false });
}

/// Confirms the candidate as the primary of the term.
pub fn confirm(pass: &mut Pass) {
    let status = &mut pass.cluster.object.status;
    status.primary = status.candidate.take().or(status.primary.take());
    status.handover = Handover::None;
}

/// Whether the candidate serves as primary of the term in force.
#[must_use]
pub fn candidate_serves(pass: &Pass) -> bool {
    let status = &pass.cluster.object.status;
    let node = status.candidate.as_ref().or(status.primary.as_ref());
    node.and_then(|id| pass.view.node(id)).is_some_and(|facts| {
        facts.is_fresh(pass.view.timers().suspect_ms) && facts.serves(status.term)
    })
}

/// Whether the candidate is certainly not going to serve.
#[must_use]
pub fn candidate_is_lost(pass: &Pass) -> bool {
    let status = &pass.cluster.object.status;
    let Some(facts) = status.candidate.as_ref().and_then(|id| pass.view.node(id)) else {
        return true;
    };
    let timers = pass.view.timers();
    facts.machine_stopped
        || facts.surrender(status.term).is_some()
        || facts.age_ms() > timers.lease_ms
}
