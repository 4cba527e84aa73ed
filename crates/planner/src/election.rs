//! The judgement of a replication group: is the primary lost, may another be elected, and which.
//!
//! Evidence is of three kinds that fail independently: the primary's own reports, the age of its
//! lease requests at the voters, and the age of its engine's messages at the replicas. A primary is
//! called lost only when all that can be heard agree.

use std::collections::BTreeSet;

use bellwether_model::mutation::{Mutation, mutated};
use bellwether_model::node::NodePhase;
use bellwether_model::replication::Position;
use bellwether_model::report::{Evidence, Witness};
use bellwether_model::{Actual, NodeId, Term, Timestamp};

use crate::view::{NodeFacts, View};

/// What is known of the primary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// There is none to judge.
    NoPrimary,
    Healthy,
    /// Its agent is heard and says that the engine has died; it has surrendered its term.
    EngineDead,
    /// The provider says that its machine does not run.
    MachineStopped,
    /// Nobody hears it.
    NodeLost,
    /// Its agent is silent, its engine still speaks to replicas.
    AgentLost,
    /// Voters hear it, the server does not: it keeps its authority.
    LinkLost,
    /// It is silent and no voter can be heard: the server itself may be cut off.
    Blind,
}

/// Judges the primary.
#[must_use]
pub fn judge(view: &View) -> Verdict {
    let status = &view.cluster.status;
    let Some(primary) = view.primary() else { return Verdict::NoPrimary };
    let suspect = view.timers().suspect_ms;
    if primary.machine_stopped {
        return Verdict::MachineStopped;
    }
    if primary.surrender(status.term).is_some() {
        return Verdict::EngineDead;
    }
    if primary.age_ms() <= suspect {
        return Verdict::Healthy;
    }
    let voters = status.config.voters();
    let heard: Vec<&NodeFacts> = view
        .nodes
        .iter()
        .filter(|facts| voters.contains(&facts.node.id) && facts.is_fresh(suspect))
        .collect();
    if heard.is_empty() {
        return Verdict::Blind;
    }
    let asked: BTreeSet<NodeId> = heard
        .iter()
        .filter(|facts| hears_lease_requests(facts, suspect))
        .map(|facts| facts.node.id.clone())
        .collect();
    if status.config.authorises(&asked) && !mutated(Mutation::SilenceElects) {
        return Verdict::LinkLost;
    }
    let engine_speaks = heard.iter().any(|facts| hears_engine(facts, &primary.node.id, suspect));
    if engine_speaks { Verdict::AgentLost } else { Verdict::NodeLost }
}

/// Milliseconds that writes wait for confirmations before another is made primary who gets them.
const UNCONFIRMED_MS: u64 = 8_000;

/// Whether nobody who has to confirm the writes of a primary that is well follows it, although
/// those who should are well and heard: it is cut off from them, and they hold everything it
/// acknowledged.
#[must_use]
pub fn is_unconfirmed(view: &View) -> bool {
    let status = &view.cluster.status;
    let config = &status.config.current;
    let Some(primary) = view.primary().filter(|facts| facts.serves(status.term)) else {
        return false;
    };
    let voters = || view.nodes.iter().filter(|facts| config.voters.contains(&facts.node.id));
    let has_streamed = |facts: &&NodeFacts| {
        let age = facts.seen.as_ref().and_then(|seen| seen.streamed_age_ms);
        facts.streams_from(&primary.node.id) || age.is_none_or(|age| age <= UNCONFIRMED_MS)
    };
    let is_well = |facts: &&NodeFacts| {
        let session_age_ms = facts.seen.as_ref().map_or(0, |seen| seen.session_age_ms);
        facts.is_fresh(view.timers().suspect_ms)
            && session_age_ms > UNCONFIRMED_MS
            && matches!(facts.actual(), Actual::Replica { .. })
    };
    let well: BTreeSet<NodeId> = voters().filter(is_well).map(|f| f.node.id.clone()).collect();
    config.strict
        && config.acks > 0
        && !config.voters.is_empty()
        && voters().filter(has_streamed).count() < config.acks as usize
        && status.config.elects(&well)
}

/// What is known of the primary, in numbers.
#[must_use]
pub fn evidence(view: &View, seen_at: Timestamp) -> Option<Evidence> {
    let primary = view.primary()?;
    let known = |facts: &NodeFacts| facts.report().map(|_| facts.age_ms());
    let voters = view.cluster.status.config.voters();
    let witness = |facts: &NodeFacts| {
        // What was said then is older by now.
        let now = |age: u64| age.saturating_add(facts.age_ms());
        Witness {
            node_name: facts.node.name.clone(),
            votes: voters.contains(&facts.node.id),
            report_age_ms: known(facts),
            lease_request_age_ms: facts.report().and_then(|r| r.lease_request_age_ms).map(now),
            engine_message_age_ms: facts.worker().and_then(|w| w.upstream_age_ms).map(now),
        }
    };
    let others = view.nodes.iter().filter(|facts| facts.node.id != primary.node.id);
    Some(Evidence {
        node_name: primary.node.name.clone(),
        seen_at,
        report_age_ms: known(primary),
        suspect_after_ms: view.timers().suspect_ms,
        engine_died: primary.surrender(view.cluster.status.term).is_some(),
        machine_stopped: primary.machine_stopped,
        witnesses: others.map(witness).collect(),
    })
}

fn hears_lease_requests(facts: &NodeFacts, suspect_ms: u64) -> bool {
    let age = facts.report().and_then(|report| report.lease_request_age_ms);
    age.is_some_and(|age| age.saturating_add(facts.age_ms()) <= suspect_ms)
}

fn hears_engine(facts: &NodeFacts, primary: &NodeId, suspect_ms: u64) -> bool {
    let age = facts.worker().and_then(|worker| worker.upstream_age_ms);
    facts.streams_from(primary)
        && age.is_some_and(|age| age.saturating_add(facts.age_ms()) <= suspect_ms)
}

/// Whether an election can be tried now: enough voters are heard to promise.
#[must_use]
pub fn can_elect(view: &View) -> bool {
    let reachable: BTreeSet<NodeId> = view
        .nodes
        .iter()
        .filter(|facts| facts.is_fresh(view.timers().suspect_ms))
        .map(|facts| facts.node.id.clone())
        .collect();
    view.cluster.status.config.elects(&reachable)
}

/// The nodes whose promise of this term is durable and whose position no longer moves.
#[must_use]
pub fn promised(view: &View, term: Term) -> BTreeSet<NodeId> {
    view.nodes
        .iter()
        .filter(|facts| facts.is_fresh(view.timers().suspect_ms) && has_promised(facts, term))
        .map(|facts| facts.node.id.clone())
        .collect()
}

/// Whether this node's promise of this term is durable, replication is cut and the position stands.
#[must_use]
pub fn has_promised(facts: &NodeFacts, term: Term) -> bool {
    let is_cut = facts.worker().is_some_and(|worker| {
        worker.cut_for >= term
            && worker.position.is_some()
            && matches!(worker.actual, Actual::Replica { .. })
    });
    facts.promised() >= term && is_cut
}

/// The node to promote: the most advanced of those that promised; the lower ordinal among equals.
/// Never a node that is not a member in full; one that is being removed, or is to be copied anew,
/// is while it has its vote.
#[must_use]
pub fn choose_candidate(view: &View, promised: &BTreeSet<NodeId>) -> Option<(NodeId, Position)> {
    let voters = view.cluster.status.config.voters();
    let is_member = |facts: &&NodeFacts| match facts.node.phase {
        NodePhase::Active => true,
        NodePhase::Removing | NodePhase::Seeding | NodePhase::Maintenance => {
            voters.contains(&facts.node.id)
        }
        _ => false,
    };
    // One whose library differs is no voter: no acknowledged write is with it alone.
    let primary = view.primary_or_candidate();
    let fits = |facts: &&NodeFacts| {
        voters.contains(&facts.node.id)
            || primary.is_none_or(|primary| facts.other_library(primary).is_none())
    };
    view.nodes
        .iter()
        .filter(is_member)
        .filter(fits)
        .filter(|facts| promised.contains(&facts.node.id))
        .filter_map(|facts| facts.position().map(|position| (facts, position)))
        .max_by(|(a, at_a), (b, at_b)| {
            let by_position = if mutated(Mutation::CandidateNotMostAdvanced) {
                at_b.cmp(at_a)
            } else {
                at_a.cmp(at_b)
            };
            by_position.then(b.node.ordinal.cmp(&a.node.ordinal))
        })
        .map(|(facts, position)| (facts.node.id.clone(), position))
}

/// How much of the former primary's log the candidate lacks, as far as it had reported it: in
/// asynchronous replication at least so much is lost, and what it wrote since may be, too.
#[must_use]
pub fn loss(former: Option<Position>, candidate: Position) -> u64 {
    match former {
        Some(former) if former > candidate => former.offset.saturating_sub(candidate.offset),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::tests::{Sketch, sketch};

    #[test]
    fn a_primary_that_reports_is_healthy() {
        assert_eq!(judge(&sketch(3).view()), Verdict::Healthy);
    }

    #[test]
    fn every_row_of_the_table_of_evidence() {
        type Row = (&'static str, fn(&mut Sketch), Verdict);
        let table: &[Row] = &[
            ("everybody old", |s| s.silence(1, 2_000), Verdict::NodeLost),
            (
                "voters are still asked",
                |s| {
                    s.silence(1, 2_000);
                    s.lease_request_age(2, 100);
                },
                Verdict::LinkLost,
            ),
            (
                "only the engine speaks",
                |s| {
                    s.silence(1, 2_000);
                    s.upstream_age(2, 100);
                },
                Verdict::AgentLost,
            ),
            (
                "nobody is heard",
                |s| {
                    for ordinal in 1..=3 {
                        s.silence(ordinal, 2_000);
                    }
                },
                Verdict::Blind,
            ),
            ("it surrendered", |s| s.surrender(1, 1), Verdict::EngineDead),
            ("its machine is off", |s| s.machine_stopped(1), Verdict::MachineStopped),
        ];
        for (words, change, verdict) in table {
            let mut sketch = sketch(3);
            sketch.age_evidence(5_000);
            change(&mut sketch);
            assert_eq!(judge(&sketch.view()), *verdict, "{words}");
        }
    }

    #[test]
    fn a_replica_on_its_way_out_is_promoted_while_it_has_its_vote() {
        let mut sketch = sketch(2);
        sketch.node(2).phase = NodePhase::Removing;
        let promised: BTreeSet<_> = [sketch.id(2)].into();
        let chosen = choose_candidate(&sketch.view(), &promised);
        assert_eq!(chosen.map(|(id, _)| id), Some(sketch.id(2)));
        sketch.cluster.status.config.current.voters.clear();
        assert_eq!(choose_candidate(&sketch.view(), &promised), None);
    }

    #[test]
    fn the_most_advanced_is_promoted_and_a_lower_ordinal_among_equals() {
        let mut sketch = sketch(3);
        sketch.position(2, 1, 100);
        sketch.position(3, 1, 200);
        let everybody: BTreeSet<_> = [2, 3].map(|n| sketch.id(n)).into();
        let chosen = choose_candidate(&sketch.view(), &everybody);
        assert_eq!(chosen.map(|(id, _)| id), Some(sketch.id(3)));

        sketch.position(2, 2, 50);
        let chosen = choose_candidate(&sketch.view(), &everybody);
        assert_eq!(chosen.map(|(id, _)| id), Some(sketch.id(2)), "a later timeline wins");

        sketch.position(3, 2, 50);
        let chosen = choose_candidate(&sketch.view(), &everybody);
        assert_eq!(chosen.map(|(id, _)| id), Some(sketch.id(2)));
    }

    #[test]
    fn a_node_without_a_promise_is_never_chosen() {
        let mut sketch = sketch(3);
        sketch.position(2, 1, 100);
        sketch.position(3, 1, 200);
        let only: BTreeSet<_> = [sketch.id(2)].into();
        assert_eq!(choose_candidate(&sketch.view(), &only).map(|(id, _)| id), Some(sketch.id(2)));
        assert_eq!(choose_candidate(&sketch.view(), &BTreeSet::new()), None);
    }

    #[test]
    fn a_promise_counts_only_once_replication_is_cut() {
        let mut sketch = sketch(3);
        sketch.promise(2, 2, 1);
        assert!(promised(&sketch.view(), 2).is_empty());
        sketch.promise(2, 2, 2);
        assert_eq!(promised(&sketch.view(), 2), [sketch.id(2)].into());
    }
}
