//! Let a former primary follow the new one: its machine is awaited, which the loop starts where it
//! is off, its data is made fit (the agent catches up, rewinds or copies, whichever is the least
//! that is right), and it gets its vote back. Every other operation goes first; this one goes on
//! afterwards where it was.

use bellwether_model::node::NodePhase;
use bellwether_model::{NodeId, Operation};
use bellwether_planner::NodeFacts;

use super::{age_ms, nodes, unknown_step};
use crate::pass::{Outcome, Pass};

/// Milliseconds a step may take before it fails and, after a while, another attempt begins: of two
/// nodes that are awaited, the one that is back is taken first then.
const STEP_MS_MAX: u64 = 15 * 60_000;

pub fn step(pass: &mut Pass, op: &mut Operation, name: &str) -> Outcome {
    let Some(id) = op.node.clone().filter(|id| pass.view.node(id).is_some()) else {
        return Outcome::Cancel("the node is gone".to_owned());
    };
    if pass.cluster.object.status.primary.as_ref() == Some(&id) {
        pass.set_phase(&id, NodePhase::Active);
        return Outcome::Cancel("it is the primary again".to_owned());
    }
    let outcome = match name {
        "start_machine" => await_machine(pass, &id),
        "await_agent" => await_agent(pass, &id),
        "align" => nodes::follow(pass, &id),
        "await_catch_up" => nodes::await_catch_up(pass, &id),
        "admit" => admit(pass, op, &id),
        _ => unknown_step(name),
    };
    match outcome {
        Outcome::Wait(_) if let Some(other) = who_is_back_already(pass, &id) => {
            Outcome::Cancel(format!("{other} is back already and goes first"))
        }
        Outcome::Wait(words) if pass.step_age_ms > STEP_MS_MAX => {
            Outcome::Fail(format!("{words}; given up after {} minutes", STEP_MS_MAX / 60_000))
        }
        other => other,
    }
}

/// Another that only waits to get its vote back, while this one does not even stream yet: without
/// voters writes may wait, or be confirmed by nobody.
fn who_is_back_already(pass: &Pass, id: &NodeId) -> Option<String> {
    let primary = pass.cluster.object.status.primary.as_ref()?;
    let streams = |facts: &NodeFacts| facts.streams_from(primary);
    if pass.view.node(id).is_some_and(streams) {
        return None;
    }
    let mut others = pass.view.nodes.iter().filter(|facts| facts.node.id != *id);
    let other = others.find(|facts| facts.node.phase == NodePhase::Rejoining && streams(facts))?;
    Some(other.node.name.to_string())
}

fn await_machine(pass: &Pass, id: &NodeId) -> Outcome {
    if pass.view.node(id).is_some_and(|facts| facts.machine_stopped) {
        return Outcome::wait("starting its machine");
    }
    Outcome::Next
}

fn await_agent(pass: &Pass, id: &NodeId) -> Outcome {
    let limit = pass.view.timers().suspect_ms;
    if pass.view.node(id).is_some_and(|facts| facts.is_fresh(limit)) {
        return Outcome::Next;
    }
    Outcome::wait("it is not heard from")
}

fn admit(pass: &mut Pass, op: &mut Operation, id: &NodeId) -> Outcome {
    let outcome = nodes::admit(pass, id);
    if outcome == Outcome::Next {
        let name = op.node_name.as_deref().unwrap_or("the node");
        let primary = pass.view.primary().map_or("the primary", |p| p.node.name.as_str());
        op.message = format!("{name} follows {primary} after {} ms", age_ms(pass, op));
    }
    outcome
}
