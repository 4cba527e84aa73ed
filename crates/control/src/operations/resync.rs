//! Give replicas the primary's data anew, one after the other.
//!
//! Each is out of the votes before its data is touched, and the next begins only when it has its
//! vote back. Its former data stays aside until then. Whatever ends this early leaves every node a
//! member: one in the middle follows with what it has, or is copied to by its agent.

use std::sync::Arc;

use bellwether_model::node::{CopyOrder, NodePhase};
use bellwether_model::resync::{Resync, ResyncEnd};
use bellwether_model::{Actual, NodeId, Operation};
use bellwether_planner::election::{self, Verdict};
use bellwether_planner::{NodeFacts, resync};

use super::{age_ms, nodes, read_state, unknown_step, write_state};
use crate::pass::{Outcome, Pass};
use crate::world::World;

/// Milliseconds in which the rest has to be able to do without a node.
const WITHDRAW_MS_MAX: u64 = 60_000;

/// Milliseconds without progress after which it is given up.
const STUCK_MS_MAX: u64 = 15 * 60_000;

/// A copy has made progress by so many bytes.
const PROGRESS_BYTES: u64 = 256 << 20;

pub fn step(world: &Arc<World>, pass: &mut Pass, op: &mut Operation, name: &str) -> Outcome {
    let mut state: Resync = read_state(op);
    let outcome = match name.split_once('/') {
        None if name == "check" => check(pass, &mut state),
        Some((part, node)) => match state.nodes.iter().position(|one| one.name == node) {
            Some(at) => on_node(world, pass, op, &mut state, at, part),
            None => unknown_step(name),
        },
        None => unknown_step(name),
    };
    write_state(op, &state);
    match outcome {
        Outcome::Fail(why) => {
            for node in &state.nodes {
                release(pass, &node.id);
            }
            Outcome::Fail(format!("{why}; {}", words(&state)))
        }
        Outcome::Next if op.step_at() == op.steps.len().checked_sub(1) => {
            let primary = pass.view.primary().map_or("the primary", |p| p.node.name.as_str());
            let seconds = age_ms(pass, op) / 1_000;
            op.message = format!("{} from {primary} within {seconds} s", words(&state));
            Outcome::Next
        }
        other => other,
    }
}

/// What was allowed when it was asked for may not be any more.
fn check(pass: &Pass, state: &mut Resync) -> Outcome {
    let mut view = pass.view.clone();
    (view.operation, view.queued) = (None, Vec::new());
    resync::refuse(&view, state).map_or(Outcome::Next, Outcome::Fail)
}

fn on_node(
    world: &Arc<World>,
    pass: &mut Pass,
    op: &Operation,
    state: &mut Resync,
    at: usize,
    part: &str,
) -> Outcome {
    let id = state.nodes[at].id.clone();
    let facts = pass.view.node(&id).cloned();
    let is_primary = pass.cluster.object.status.primary.as_ref() == Some(&id);
    let is_other = facts.as_ref().is_none_or(|f| f.node.phase == NodePhase::Rejoining);
    if is_primary || is_other {
        // The others follow it, or it comes back by an operation of its own.
        release(pass, &id);
        state.nodes[at].end.get_or_insert(ResyncEnd::Skipped);
    }
    let (Some(facts), None) = (facts, state.nodes[at].end) else { return Outcome::Next };
    let (outcome, end) = match part {
        "withdraw" => withdraw(pass, state, &facts),
        "copy" => (copy(world, pass, op, state, &facts), None),
        "await_catch_up" => (await_catch_up(pass, &facts), None),
        "admit" => match admit(pass, &id) {
            Outcome::Next if !state.copy => (Outcome::Next, Some(ResyncEnd::Aligned)),
            outcome => (outcome, None),
        },
        "drop_former" => (drop_former(pass, &facts), Some(ResyncEnd::Copied)),
        _ => (unknown_step(part), None),
    };
    if outcome == Outcome::Next {
        state.nodes[at].end = end;
    }
    outcome
}

/// Ends what this operation wants of a node: it is a member like any other.
fn release(pass: &mut Pass, id: &NodeId) {
    let Some(node) = pass.node_mut(id) else { return };
    node.copy = None;
    if node.phase == NodePhase::Seeding {
        node.phase = NodePhase::Active;
    }
}

fn withdraw(pass: &mut Pass, state: &Resync, facts: &NodeFacts) -> (Outcome, Option<ResyncEnd>) {
    let name = &facts.node.name;
    let Some(primary) = pass.cluster.object.status.primary.clone() else {
        return (Outcome::wait("there is no primary to copy from just now"), None);
    };
    if facts.node.phase == NodePhase::Active {
        if !state.copy && facts.streams_from(&primary) {
            return (Outcome::Next, Some(ResyncEnd::Followed));
        }
        let outcome = match refuse_withdrawal(pass, state, facts) {
            Some(why) if pass.step_age_ms > WITHDRAW_MS_MAX => Outcome::Fail(why),
            Some(why) => Outcome::Wait(why),
            None => {
                pass.set_phase(&facts.node.id, NodePhase::Seeding);
                Outcome::wait(format!("withdrawing the vote of {name}"))
            }
        };
        return (outcome, None);
    }
    if pass.cluster.object.status.config.voters().contains(&facts.node.id) {
        return (Outcome::wait("waiting until its vote is not needed any more"), None);
    }
    if facts.worker().is_none_or(|worker| worker.keeps_former) {
        return (Outcome::wait("data of an earlier copy is being removed"), None);
    }
    (Outcome::Next, None)
}

/// Why the others cannot do without this node now.
fn refuse_withdrawal(pass: &Pass, state: &Resync, facts: &NodeFacts) -> Option<String> {
    let (view, name) = (&pass.view, &facts.node.name);
    let primary = view.primary()?;
    if election::judge(view) != Verdict::Healthy {
        return Some(format!("{} is not healthy; nothing is copied from it", primary.node.name));
    }
    let others = view
        .replicas()
        .filter(|other| other.node.id != facts.node.id && other.streams_from(&primary.node.id))
        .count();
    let needed = state.redundancy_min as usize;
    if others < needed {
        return Some(format!(
            "{name} is not touched: beside it {others} replicas follow, and {needed} have to"
        ));
    }
    if state.copy && !state.allow_waiting {
        let waits = resync::refuse_waiting(view, facts);
        return waits.map(|why| format!("{name} is not touched: {why}"));
    }
    None
}

fn copy(
    world: &Arc<World>,
    pass: &mut Pass,
    op: &Operation,
    state: &Resync,
    facts: &NodeFacts,
) -> Outcome {
    let id = &facts.node.id;
    if !state.copy {
        return nodes::follow(pass, id);
    }
    let (token, worker) = (format!("{}/{id}", op.id), facts.worker());
    let order = facts.node.copy.as_ref().filter(|order| order.token == token);
    if order.is_some() && worker.is_some_and(|worker| worker.copied.as_ref() == Some(&token)) {
        return Outcome::Next;
    }
    if order.is_none() && is_gone(facts) {
        // A copy is on its way; an order that comes meanwhile would have it thrown away.
        let is_stuck = facts.actual() == &Actual::Absent && pass.step_age_ms > STUCK_MS_MAX;
        let _ = nodes::follow(pass, id);
        return give_up_when(is_stuck, nodes::waiting_words(facts, None));
    }
    let erase_first =
        order.map_or_else(|| resync::erases_first(&pass.view, facts), |order| order.erase_first);
    let may_erase = is_gone(facts) || resync::may_erase_first(&pass.view, facts);
    if erase_first && !may_erase {
        // What was right when it was ordered may not be any more.
        if let Some(node) = pass.node_mut(id) {
            node.copy = None;
        }
        let words = format!(
            "the disk of {} has no room for its data and the copy at once, and too few other \
             copies are there to delete its data first",
            facts.node.name
        );
        let is_over = pass.step_age_ms > WITHDRAW_MS_MAX;
        return if is_over { Outcome::Fail(words) } else { Outcome::Wait(words) };
    }
    if order.is_none() {
        if nodes::follow(pass, id) != Outcome::Next {
            return Outcome::wait("there is no primary to copy from just now");
        }
        if let Some(node) = pass.node_mut(id) {
            node.copy = Some(CopyOrder { token, erase_first });
        }
        return Outcome::wait("ordering the copy");
    }
    // The primary may have changed: what was copied from the former one is begun anew.
    let status = pass.cluster.object.status.clone();
    if status.primary.is_some_and(|p| !facts.is_assigned_to_follow(&p, status.term)) {
        return match nodes::follow(pass, id) {
            Outcome::Next => Outcome::wait("the primary has changed; copying from the new one"),
            outcome => outcome,
        };
    }
    let limit = pass.view.timers().suspect_ms.max(2_000);
    let done = worker.and_then(|worker| worker.progress).map_or(0, |(done, _)| done);
    let part = format!("{id}/{}", done / PROGRESS_BYTES);
    let stuck_ms = world.stopwatch.age_ms(&op.id, &part);
    let is_copying = facts.is_fresh(limit) && matches!(facts.actual(), Actual::Seeding { .. });
    let words = if facts.is_fresh(limit) {
        nodes::waiting_words(facts, None)
    } else {
        format!("{} is not heard from", facts.node.name)
    };
    give_up_when(!is_copying && stuck_ms > STUCK_MS_MAX, words)
}

/// Whether the node has no data of its own now.
fn is_gone(facts: &NodeFacts) -> bool {
    matches!(facts.actual(), Actual::Absent | Actual::Seeding { .. })
}

fn await_catch_up(pass: &mut Pass, facts: &NodeFacts) -> Outcome {
    let primary = pass.cluster.object.status.primary.clone();
    let streams = primary.is_some_and(|primary| facts.streams_from(&primary));
    let is_copying = matches!(facts.actual(), Actual::Seeding { .. });
    let is_stuck = !streams && !is_copying && pass.step_age_ms > STUCK_MS_MAX;
    match nodes::await_catch_up(pass, &facts.node.id) {
        Outcome::Wait(words) => give_up_when(is_stuck, words),
        outcome => outcome,
    }
}

fn admit(pass: &mut Pass, id: &NodeId) -> Outcome {
    let is_stuck = pass.step_age_ms > STUCK_MS_MAX;
    match nodes::admit(pass, id) {
        Outcome::Wait(words) => give_up_when(is_stuck, words),
        outcome => outcome,
    }
}

/// Without the order the agent removes what the copy replaced.
fn drop_former(pass: &mut Pass, facts: &NodeFacts) -> Outcome {
    if facts.node.copy.is_some() {
        release(pass, &facts.node.id);
        return Outcome::wait("removing its former data");
    }
    if facts.worker().is_some_and(|worker| !worker.keeps_former) {
        return Outcome::Next;
    }
    let words = format!("the former data of {} is still there", facts.node.name);
    give_up_when(pass.step_age_ms > STUCK_MS_MAX, words)
}

fn give_up_when(is_stuck: bool, words: String) -> Outcome {
    if is_stuck {
        let minutes = STUCK_MS_MAX / 60_000;
        return Outcome::Fail(format!("{words}; given up after {minutes} minutes"));
    }
    Outcome::Wait(words)
}

/// What became of each replica.
fn words(state: &Resync) -> String {
    let names = |end: Option<ResyncEnd>| {
        let all = state.nodes.iter().filter(|node| node.end == end);
        all.map(|node| node.name.as_str()).collect::<Vec<_>>().join(", ")
    };
    let parts = [
        (Some(ResyncEnd::Copied), "copied anew"),
        (Some(ResyncEnd::Aligned), "aligned"),
        (Some(ResyncEnd::Followed), "followed already"),
        (Some(ResyncEnd::Skipped), "left out, for the primary changed"),
        (None, "not done"),
    ];
    let said: Vec<String> = parts
        .into_iter()
        .map(|(end, words)| (names(end), words))
        .filter(|(names, _)| !names.is_empty())
        .map(|(names, words)| format!("{words}: {names}"))
        .collect();
    said.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use bellwether_model::resync::ResyncedNode;

    #[test]
    fn what_became_of_each_is_said() {
        let node = |name: &str, end| ResyncedNode { id: name.into(), name: name.into(), end };
        let state = Resync {
            nodes: vec![
                node("a-2", Some(ResyncEnd::Copied)),
                node("a-3", Some(ResyncEnd::Copied)),
                node("a-4", None),
            ],
            ..Resync::default()
        };
        assert_eq!(words(&state), "copied anew: a-2, a-3; not done: a-4");
    }
}
