//! Remove a replica: first from votes and endpoints, then its machine, then its memory.

use std::sync::Arc;

use bellwether_model::node::NodePhase;
use bellwether_model::operation::NewOperation;
use bellwether_model::{NodeId, Operation};

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
