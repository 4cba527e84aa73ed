//! Let a new node take the place of one. The new one is made, copied to and given its vote first;
//! only then does the other lose its own, and go. So at no moment are there fewer copies than
//! before, unless something else is lost meanwhile: then the former node is taken back in.

use std::sync::Arc;

use bellwether_model::cluster::SizeRefused;
use bellwether_model::node::NodePhase;
use bellwether_model::{NodeId, Operation, OperationId};
use bellwether_planner::election::{self, Verdict};
use bellwether_planner::{members, replace, resize};
use serde::{Deserialize, Serialize};

use super::{add_node, nodes, read_state, remove_node, switchover, unknown_step, write_state};
use crate::pass::{Outcome, Pass};
use crate::world::World;

/// Milliseconds in which the new node has to get its vote, and may replace the other.
const STEP_MS_MAX: u64 = 15 * 60_000;

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct State {
    /// The new node.
    #[serde(skip_serializing_if = "Option::is_none")]
    replacement: Option<NodeId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replacement_name: Option<String>,
    /// The switchover that moves the primary away.
    #[serde(skip_serializing_if = "Option::is_none")]
    change: Option<OperationId>,
    /// What the former node was before it was withdrawn.
    #[serde(skip_serializing_if = "Option::is_none")]
    former_phase: Option<NodePhase>,
    /// Why it failed; from then on every step cleans up.
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<String>,
}

pub fn step(world: &Arc<World>, pass: &mut Pass, op: &mut Operation, name: &str) -> Outcome {
    let mut state: State = read_state(op);
    if let Some(why) = state.failure.clone() {
        return clean_up(world, pass, op, &state, why);
    }
    let former = op.node.clone().filter(|id| pass.view.node(id).is_some());
    let outcome = match &former {
        Some(former) => take(world, pass, op, &mut state, former, name),
        None => Outcome::fail("the node is gone"),
    };
    let outcome = match outcome {
        Outcome::Wait(words) if pass.step_age_ms > STEP_MS_MAX && has_deadline(name) => {
            Outcome::Fail(format!("{words}; given up after {} minutes", STEP_MS_MAX / 60_000))
        }
        other => other,
    };
    if let Outcome::Fail(why) = &outcome {
        give_back(pass, former.as_ref(), &state);
        if state.replacement.is_some() {
            state.failure = Some(why.clone());
            write_state(op, &state);
            return Outcome::Wait(format!("{why}; cleaning up"));
        }
    }
    write_state(op, &state);
    outcome
}

/// A copy takes as long as it takes, and what is being deleted is deleted.
fn has_deadline(step: &str) -> bool {
    matches!(step, "admit" | "move_role" | "withdraw")
}

fn take(
    world: &Arc<World>,
    pass: &mut Pass,
    op: &mut Operation,
    state: &mut State,
    former: &NodeId,
    name: &str,
) -> Outcome {
    match name {
        "check" => return check(pass, former),
        "hand_over" if pass.view.nodes.len() == 1 => return Outcome::Next,
        // Clients are led past it when it is withdrawn.
        "hand_over" | "move_role" if pass.view.is_multi_primary() => return Outcome::Next,
        "hand_over" | "move_role" => return hand_over(world, pass, op, state, former),
        "reserve_node" => return reserve(world, pass, state),
        _ => {}
    }
    let new = state.replacement.clone().filter(|id| pass.view.node(id).is_some());
    let Some(new) = new else { return Outcome::fail("the new node is gone") };
    match name {
        "acquire_machine" => nodes::acquire(world, pass, &new),
        "await_agent" => add_node::await_agent(pass, &new),
        "seed" => nodes::seed(pass, &new),
        "await_catch_up" => nodes::await_catch_up(pass, &new),
        "admit" => nodes::admit(pass, &new),
        "withdraw" if pass.view.is_multi_primary() => withdraw_member(pass, state, (former, &new)),
        "withdraw" => withdraw(world, pass, op, state, (former, &new)),
        // It has no vote any more, and nobody follows it: from here on there is only forward.
        "release_machine" => match nodes::release(world, pass, former) {
            Outcome::Fail(why) => Outcome::Wait(format!("{why}; trying again")),
            other => other,
        },
        "forget" => {
            nodes::forget(pass, former);
            let name = |text: &Option<String>| text.clone().unwrap_or_default();
            let (new, old) = (name(&state.replacement_name), name(&op.node_name));
            op.message = format!("{new} has taken the place of {old}");
            Outcome::Next
        }
        _ => unknown_step(name),
    }
}

/// What was allowed when it was asked for may not be any more.
fn check(pass: &Pass, former: &NodeId) -> Outcome {
    let Some(facts) = pass.view.node(former) else { return Outcome::fail("the node is gone") };
    replace::refuse_now(&pass.view, facts).map_or(Outcome::Next, Outcome::Fail)
}

fn hand_over(
    world: &World,
    pass: &mut Pass,
    op: &Operation,
    state: &mut State,
    former: &NodeId,
) -> Outcome {
    let outcome = switchover::away_from(world, pass, op, former, &mut state.change);
    if outcome == Outcome::Next {
        // Should it become the primary again, it is asked for again.
        state.change = None;
    }
    outcome
}

/// Writes the node first, so that a crash leaves something to find.
fn reserve(world: &World, pass: &mut Pass, state: &mut State) -> Outcome {
    match nodes::reserve(pass) {
        Ok(node) => {
            state.replacement = Some(node.id.clone());
            state.replacement_name = Some(node.name.clone());
            nodes::issue_join_token(world, pass, &node);
            pass.insert_node(node);
            Outcome::Next
        }
        Err(why) => Outcome::Fail(why),
    }
}

/// `Next` once the former node has no vote and the new one still has everything.
fn withdraw(
    world: &World,
    pass: &mut Pass,
    op: &Operation,
    state: &mut State,
    (former, new): (&NodeId, &NodeId),
) -> Outcome {
    let status = &pass.cluster.object.status;
    if status.candidate.as_ref() == Some(former) {
        return Outcome::wait("it is about to become the primary");
    }
    if status.primary.as_ref() == Some(former) {
        give_back(pass, Some(former), state);
        return match hand_over(world, pass, op, state, former) {
            Outcome::Next => Outcome::wait("the primary has moved"),
            other => other,
        };
    }
    let has_vote = status.config.voters().contains(former);
    if let Some(words) = not_replaced(pass, new) {
        give_back(pass, Some(former), state);
        return Outcome::Wait(words);
    }
    let phase = pass.view.node(former).map(|facts| facts.node.phase);
    if phase != Some(NodePhase::Removing) {
        state.former_phase = phase;
        pass.set_phase(former, NodePhase::Removing);
        return Outcome::wait("withdrawing it");
    }
    match has_vote {
        true => Outcome::wait("waiting until its vote is not needed any more"),
        false => Outcome::Next,
    }
}

/// `Next` once the former node's engine has left the group, and the new one is of it.
fn withdraw_member(
    pass: &mut Pass,
    state: &mut State,
    (former, new): (&NodeId, &NodeId),
) -> Outcome {
    let view = &pass.view;
    let (Some(facts), Some(other)) = (view.node(former), view.node(new)) else {
        return Outcome::fail("the new node is gone");
    };
    let phase = Some(facts.node.phase);
    let waits = (!members::serves(view, other))
        .then(|| format!("waiting until {} accepts writes", other.node.name));
    let waits = waits.or_else(|| members::allowed::refuse_leaving(view, facts));
    if let Some(words) = waits {
        give_back(pass, Some(former), state);
        return Outcome::Wait(words);
    }
    if phase != Some(NodePhase::Removing) {
        state.former_phase = phase;
        pass.set_phase(former, NodePhase::Removing);
        return Outcome::wait("withdrawing it");
    }
    remove_node::leave(pass, former)
}

/// Why the former node cannot go yet: the new one is not in its place.
fn not_replaced(pass: &Pass, new: &NodeId) -> Option<String> {
    let (status, view) = (&pass.cluster.object.status, &pass.view);
    if election::judge(view) != Verdict::Healthy {
        return Some("waiting until the primary is healthy".to_owned());
    }
    let (primary, facts) = (status.primary.as_ref()?, view.node(new)?);
    let votes = status.config.iter().all(|config| config.voters.contains(new));
    let follows = facts.is_fresh(view.timers().suspect_ms) && facts.streams_from(primary) && votes;
    (primary != new && !follows).then(|| format!("waiting until {} follows", facts.node.name))
}

/// A node that was withdrawn for nothing is what it was.
fn give_back(pass: &mut Pass, former: Option<&NodeId>, state: &State) {
    let Some(former) = former else { return };
    let is_out = pass.view.node(former).is_some_and(|f| f.node.phase == NodePhase::Removing);
    if let Some(phase) = state.former_phase.filter(|_| is_out) {
        pass.set_phase(former, phase);
    }
}

/// The new node goes again. One that is a member already may be needed by now: the loop looks
/// whether there is one too many, and whether that may go.
fn clean_up(
    world: &Arc<World>,
    pass: &mut Pass,
    op: &Operation,
    state: &State,
    why: String,
) -> Outcome {
    let new = state.replacement.as_ref().and_then(|id| pass.view.node(id)).cloned();
    if let Some(facts) = new.filter(|facts| facts.node.phase != NodePhase::Active) {
        let id = &facts.node.id;
        if let Outcome::Wait(words) = nodes::release(world, pass, id) {
            return Outcome::Wait(format!("{why}; cleaning up: {words}"));
        }
        nodes::forget(pass, id);
    }
    // What failed for a smaller disk is begun again when a person asks for it again.
    let asked = pass.cluster.object.spec.size;
    let former = op.node.as_ref().and_then(|id| pass.view.node(id));
    if op.rule != 0 && former.is_some_and(|facts| resize::shrinks(&facts.node.size, &asked)) {
        let generation = pass.cluster.object.generation;
        let refused = SizeRefused { generation, reason: why.clone() };
        pass.cluster.object.status.size_refused = Some(refused);
    }
    Outcome::Fail(why)
}
