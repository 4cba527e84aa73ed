//! Who votes and how many must confirm a write: the configuration that the group should have, and
//! the small steps from the one it has.
//!
//! A change is joint: while `next` is there, elections and leases must satisfy both. It takes
//! effect when the primary has said that its settings are active and every voter of it has passed
//! the position that the primary had then. Should that have become impossible, another `next`
//! takes its place.

use std::collections::BTreeSet;

use bellwether_model::mutation::{Mutation, mutated};
use bellwether_model::node::NodePhase;
use bellwether_model::{Actual, GroupConfig, JointConfig, NodeId, OperationKind, ReplicationMode};

use crate::allowed::lag;
use crate::view::{NodeFacts, View};

/// The next step of the configuration, none when it is as it should be.
#[must_use]
pub fn next_config(view: &View) -> Option<JointConfig> {
    let status = &view.cluster.status;
    let joint = &status.config;
    // Under a candidate too, once it is a primary: without voters it may never come to serve.
    let own = Actual::Primary { term: status.term };
    let primary = view.primary_or_candidate()?;
    if status.primary.is_none() && *primary.actual() != own {
        return None;
    }
    if status.promised != status.term {
        return None;
    }
    let active_version = primary
        .worker()
        .filter(|_| primary.is_fresh(view.timers().suspect_ms))
        .map(|worker| worker.config_version)?;
    if joint.next.is_none() && !joint.past.is_empty() && active_version >= joint.current.version {
        return Some(JointConfig { current: joint.current.clone(), next: None, past: Vec::new() });
    }
    if let Some(next) = joint.next.as_ref().filter(|next| active_version >= next.version) {
        return Some(JointConfig { current: next.clone(), next: None, past: Vec::new() });
    }
    let wanted = wanted_config(view, primary);
    let newest = joint.next.as_ref().unwrap_or(&joint.current);
    if wanted.is_like(newest) {
        return None;
    }
    let wanted = GroupConfig { version: joint.version() + 1, ..wanted };
    if mutated(Mutation::ConfigNotJoint) {
        return Some(JointConfig { current: wanted, next: None, past: Vec::new() });
    }
    // A step that can no longer be made, for a voter of it is gone as well, is given up for
    // another. The primary may have acted upon it: it counts in elections until the other one is
    // made.
    let mut past = joint.past.clone();
    if let Some(given_up) = &joint.next {
        past.retain(|config| !config.is_like(given_up) || config.version < joint.current.version);
        past.push(given_up.clone());
    }
    Some(JointConfig { current: joint.current.clone(), next: Some(wanted), past })
}

/// The configuration for who can be seen now.
fn wanted_config(view: &View, primary: &NodeFacts) -> GroupConfig {
    let mut voters: BTreeSet<NodeId> = view
        .nodes
        .iter()
        .filter(|facts| facts.node.id != primary.node.id && votes(view, facts, &primary.node.id))
        .map(|facts| facts.node.id.clone())
        .collect();
    // A primary whose engine is in doubt counts nobody: no vote is lost by that.
    if *primary.actual() != (Actual::Primary { term: view.cluster.status.term }) {
        voters.extend(view.cluster.status.config.current.voters.iter().cloned());
    }
    let mode = view.cluster.spec.replication;
    // Where writes wait for confirmations, nothing is gained by a vote less than they need: nothing
    // is acknowledged either way, and those who hold everything could not be elected any more.
    if mode.is_strict() && voters.len() < mode.acks() as usize {
        let status = &view.cluster.status;
        let known = view
            .active()
            .map(|facts| &facts.node.id)
            .filter(|id| status.config.current.voters.contains(*id) && **id != primary.node.id);
        voters.extend(known.cloned());
    }
    config_for(mode, voters)
}

/// The configuration of a mode with these voters; the version is the caller's.
#[must_use]
pub fn config_for(mode: ReplicationMode, voters: BTreeSet<NodeId>) -> GroupConfig {
    let acks = match mode {
        ReplicationMode::Prefer if voters.is_empty() => 0,
        mode => mode.acks(),
    };
    GroupConfig { version: 0, voters, acks, strict: mode.is_strict() }
}

/// Whether it is near enough to be counted: where nobody confirms writes, a vote is all that keeps
/// one that lags from being elected, and it gets none before it has caught up as far as automation
/// may let writes be lost.
fn is_near(view: &View, facts: &NodeFacts, primary: &NodeId) -> bool {
    if view.cluster.spec.replication.acks() > 0 {
        return true;
    }
    let lag = view.node(primary).and_then(|primary| lag(primary, facts));
    lag.is_some_and(|lag| lag <= view.log.loss_max)
}

/// A node gets its vote when it streams, and keeps it while it was seen to within the grace.
fn votes(view: &View, facts: &NodeFacts, primary: &NodeId) -> bool {
    let differs = view.node(primary).is_some_and(|its| facts.other_library(its).is_some());
    let is_member = facts.node.phase == NodePhase::Active && !differs;
    let has_vote = view.cluster.status.config.current.voters.contains(&facts.node.id);
    let timers = view.timers();
    let streams = facts.is_fresh(timers.suspect_ms)
        && facts.streams_from(primary)
        && (has_vote || is_near(view, facts, primary));
    let is_in_grace = has_vote && facts.age_ms() <= timers.voter_grace_ms;
    // A voter that is heard but does not stream keeps its vote while the primary still counts it
    // in, and for a moment longer: both stop at once when the primary dies.
    let primary_sees_it = has_vote
        && view.node(primary).and_then(NodeFacts::worker).is_some_and(|worker| {
            worker.followers.iter().any(|follower| follower.node == facts.node.id)
        });
    let has_just_streamed = facts
        .seen
        .as_ref()
        .and_then(|seen| seen.streamed_age_ms)
        .is_some_and(|age| age <= timers.suspect_ms);
    // One that has just handed its role over comes back as a replica.
    let hands_over = view
        .operation
        .as_ref()
        .is_some_and(|operation| operation.kind == OperationKind::Switchover && has_vote)
        && facts.is_fresh(timers.suspect_ms)
        && facts.is_assigned_to_follow(primary, view.cluster.status.term);
    let has_a_moment = is_in_grace && (primary_sees_it || has_just_streamed);
    is_member && (streams || has_a_moment || hands_over)
}

/// The configuration of a new term: the voters of before without the new primary, under the quorums
/// of before until the new primary says that they hold everything.
#[must_use]
pub fn config_for_new_term(view: &View, candidate: &NodeId, lost: Option<&NodeId>) -> JointConfig {
    let joint = &view.cluster.status.config;
    let timers = view.timers();
    // Where the primary was alone, nobody else is known to hold anything: the others get their
    // votes when they have caught up with the one that does.
    let is_alone = joint.may_be_solo() && !mutated(Mutation::PastForgotten);
    // Where nobody confirms writes, the quorums of before are soon forgotten: one that had no vote
    // may lack anything, and gets one when it has caught up.
    let mode = view.cluster.spec.replication;
    let counts = |id: &NodeId| mode.acks() > 0 || joint.iter().any(|c| c.voters.contains(id));
    let voters: BTreeSet<NodeId> = view
        .active()
        .filter(|facts| !is_alone && counts(&facts.node.id))
        .filter(|facts| facts.node.id != *candidate && Some(&facts.node.id) != lost)
        .filter(|facts| facts.is_fresh(timers.voter_grace_ms))
        .map(|facts| facts.node.id.clone())
        .collect();
    let version = joint.version() + 1;
    let past = joint.iter().chain(&joint.past).filter(|c| !is_alone && !c.voters.is_empty());
    let past = past.cloned().collect();
    // Confirmations are given up later, if they must be, by a change of its own.
    let current = GroupConfig { version, acks: mode.acks(), ..config_for(mode, voters) };
    let past = if mutated(Mutation::PastForgotten) { Vec::new() } else { past };
    JointConfig { current, next: None, past }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::tests::{Sketch, node_id, sketch};

    #[test]
    fn a_configuration_that_fits_stays() {
        assert_eq!(next_config(&sketch(3).view()), None);
    }

    #[test]
    fn a_silent_voter_loses_its_vote_after_the_grace_in_two_steps() {
        let mut sketch = sketch(3);
        sketch.silence(3, 2_000);
        assert_eq!(next_config(&sketch.view()), None, "still in its grace");
        sketch.silence(3, 3_000);
        let joint = next_config(&sketch.view()).expect("a step");
        let next = joint.next.clone().expect("joint first");
        assert_eq!(next.voters, [sketch.id(2)].into());
        assert_eq!(joint.current.voters.len(), 2);

        sketch.cluster.status.config = joint;
        assert_eq!(next_config(&sketch.view()), None, "waits for the primary");
        sketch.config_version(1, next.version);
        let done = next_config(&sketch.view()).expect("a step");
        assert_eq!((done.current, done.next), (next, None));
    }

    #[test]
    fn a_step_that_cannot_be_made_is_given_up_and_still_counts_in_elections() {
        let mut sketch = sketch(3);
        sketch.cluster.spec.replication = ReplicationMode::Prefer;
        sketch.cluster.status.config.current.acks = 1;
        sketch.silence(3, 3_000);
        let first = next_config(&sketch.view()).expect("a step");
        let given_up = first.next.clone().expect("joint");
        sketch.cluster.status.config = first;
        sketch.silence(2, 3_000);
        let second = next_config(&sketch.view()).expect("another step");
        let next = second.next.clone().expect("joint");
        assert!(next.voters.is_empty() && next.acks == 0, "writes go on");
        assert_eq!(next.version, given_up.version + 1);
        assert_eq!(second.past, std::slice::from_ref(&given_up));

        sketch.cluster.status.config = second;
        assert_eq!(next_config(&sketch.view()), None, "waits for the primary");
        sketch.config_version(1, given_up.version);
        assert_eq!(next_config(&sketch.view()), None, "what was given up is not taken up again");
        sketch.config_version(1, next.version);
        let done = next_config(&sketch.view()).expect("a step");
        assert_eq!((done.current, done.next, done.past), (next, None, Vec::new()));
    }

    #[test]
    fn a_stalled_voter_loses_its_vote_after_a_moment_unless_the_primary_is_in_doubt() {
        let mut sketch = sketch(3);
        let suspect = sketch.view().timers().suspect_ms;
        sketch.stall(3, suspect);
        assert_eq!(next_config(&sketch.view()), None, "a moment ago it streamed");
        sketch.stall(3, suspect + 1);
        let lost = |sketch: &Sketch| next_config(&sketch.view()).and_then(|joint| joint.next);
        assert_eq!(lost(&sketch).expect("a step").voters, [sketch.id(2)].into());
        sketch.not_serving(1);
        let next = lost(&sketch).expect("it may wait for that voter to confirm");
        assert_eq!(next.voters, [sketch.id(2)].into());
        sketch.in_doubt(1);
        assert_eq!(lost(&sketch), None, "its engine is in doubt");
    }

    #[test]
    fn where_writes_wait_the_last_votes_are_kept() {
        let mut sketch = sketch(3);
        sketch.strict();
        sketch.silence(2, 9_000);
        sketch.silence(3, 9_000);
        assert_eq!(next_config(&sketch.view()), None, "either may hold what was acknowledged");
        sketch.node(3).phase = NodePhase::Removing;
        let next = next_config(&sketch.view()).and_then(|joint| joint.next).expect("a step");
        assert_eq!(next.voters, [sketch.id(2)].into());
    }

    #[test]
    fn who_hands_its_role_over_keeps_a_vote() {
        let mut sketch = sketch(3);
        sketch.stall(3, 9_000);
        let mut view = sketch.view();
        assert!(next_config(&view).is_some());
        view.operation = Some(sketch.operation(OperationKind::Switchover));
        assert_eq!(next_config(&view), None);
    }

    #[test]
    fn prefer_goes_on_without_voters_and_strict_does_not() {
        let none = BTreeSet::new();
        assert_eq!(config_for(ReplicationMode::Prefer, none.clone()).acks, 0);
        let strict = config_for(ReplicationMode::Strict, none);
        assert_eq!((strict.acks, strict.strict), (1, true));
    }

    #[test]
    fn a_new_term_keeps_the_quorums_of_before() {
        let mut sketch = sketch(3);
        sketch.silence(1, 9_000);
        let joint = config_for_new_term(&sketch.view(), &sketch.id(2), Some(&sketch.id(1)));
        assert_eq!(joint.current.voters, [sketch.id(3)].into());
        assert_eq!(joint.past.len(), 1);
        assert!(!joint.elects(&[sketch.id(3)].into()), "the former quorum counts until armed");
    }

    #[test]
    fn without_confirmations_a_vote_is_for_those_that_have_caught_up() {
        let mut sketch = sketch(3);
        sketch.cluster.status.config.current.voters.remove(&node_id(3));
        let gains = |sketch: &Sketch| next_config(&sketch.view()).is_some();
        assert!(gains(&sketch), "it streams and holds everything");
        let loss_max = sketch.view().log.loss_max;
        sketch.position(1, 1, loss_max + 1_001);
        assert!(!gains(&sketch), "it lacks more than may be lost");
        sketch.cluster.status.config.current.voters.insert(node_id(3));
        assert!(!gains(&sketch), "who has a vote keeps it while it streams");
        sketch.cluster.status.config.current.voters.remove(&node_id(3));
        sketch.silence(1, 9_000);
        let joint = config_for_new_term(&sketch.view(), &node_id(2), Some(&node_id(1)));
        assert!(joint.current.voters.is_empty(), "nor does a change of primary give it one");
    }

    #[test]
    fn a_primary_that_was_alone_begins_a_new_term_alone() {
        let mut sketch = sketch(3);
        let next = sketch.cluster.status.config.current.clone();
        let joint = &mut sketch.cluster.status.config;
        (joint.current.voters, joint.next) = (BTreeSet::new(), Some(next));
        let joint = config_for_new_term(&sketch.view(), &sketch.id(1), None);
        assert!(joint.is_solo(), "{joint:?}");
        assert!(!joint.elects(&[2, 3].map(|n| sketch.id(n)).into()), "they may lack what it holds");
    }
}
