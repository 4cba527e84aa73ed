//! Remove a replica: first from votes and endpoints, then its machine, then its memory.

use std::sync::Arc;

use bellwether_model::node::NodePhase;
use bellwether_model::operation::NewOperation;
use bellwether_model::{Actual, NodeId, Operation, Target};
use bellwether_planner::members;

use super::{nodes, unknown_step};
use crate::pass::{Outcome, Pass};
use crate::world::World;

pub fn step(world: &Arc<World>, pass: &mut Pass, op: &mut Operation, name: &str) -> Outcome {
    let Some(id) = op.node.clone().filter(|id| pass.view.node(id).is_some()) else {
        return Outcome::Cancel("the node is gone already".to_owned());
    };
    match name {
        "check_quorum" => check_quorum(pass, op, &id),
        "withdraw" => withdraw(pass, &id),
        "release_machine" => nodes::release(world, pass, &id),
        "forget" => {
            nodes::forget(pass, &id);
            Outcome::Next
        }
        _ => unknown_step(name),
    }
}

/// What was allowed when it was asked for may not be any more.
fn check_quorum(pass: &mut Pass, op: &Operation, id: &NodeId) -> Outcome {
    let request = NewOperation::of(op.kind, Some(id.to_string()));
    let mut view = pass.view.clone();
    (view.operation, view.queued) = (None, Vec::new());
    match bellwether_planner::check_operation(&view, &request) {
        Ok(()) => {
            pass.set_phase(id, NodePhase::Removing);
            Outcome::Next
        }
        Err(why) => Outcome::Fail(why),
    }
}

fn withdraw(pass: &mut Pass, id: &NodeId) -> Outcome {
    if pass.view.is_multi_primary() {
        return leave(pass, id);
    }
    let status = &pass.cluster.object.status;
    if status.primary.as_ref() == Some(id) {
        pass.set_phase(id, NodePhase::Active);
        return Outcome::fail("it has become the primary meanwhile; promote another node first");
    }
    if status.config.voters().contains(id) {
        return Outcome::wait("waiting until its vote is not needed any more");
    }
    Outcome::Next
}

/// Clients are led elsewhere first; then its engine tells the others that it leaves, where it can:
/// they count without it.
pub(super) fn leave(pass: &mut Pass, id: &NodeId) -> Outcome {
    let Some(facts) = pass.view.node(id) else { return Outcome::Next };
    let is_heard = facts.is_fresh(pass.view.timers().suspect_ms.max(2_000));
    let has_stopped = !matches!(facts.actual(), Actual::Primary { .. } | Actual::Unknown);
    let is_primary = pass.cluster.object.status.primary.as_ref() == Some(id);
    if is_primary && members::others(&pass.view, id).next().is_some() {
        return Outcome::wait("clients are being led to another node");
    }
    if is_primary {
        // Nobody serves: who is led to is said by whoever begins the group anew.
        let any = pass.view.nodes.iter().find(|other| other.node.id != *id);
        pass.cluster.object.status.primary = any.map(|other| other.node.id.clone());
        return Outcome::wait("it is forgotten as the node that clients are led to");
    }
    if is_heard && !has_stopped {
        pass.assign(id, Target::Stopped);
        return Outcome::wait("its engine leaves the group");
    }
    Outcome::Next
}
