//! Add a replica to a running cluster.

use std::sync::Arc;

use bellwether_model::{NodeId, Operation};
use serde::{Deserialize, Serialize};

use super::{nodes, read_state, unknown_step, write_state};
use crate::pass::{Outcome, Pass};
use crate::world::World;

/// Milliseconds the agent may take to join.
const JOIN_MS_MAX: u64 = 5 * 60_000;

#[derive(Default, Serialize, Deserialize)]
struct State {
    /// Why it failed; from then on every step cleans up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failure: Option<String>,
}

pub fn step(world: &Arc<World>, pass: &mut Pass, op: &mut Operation, name: &str) -> Outcome {
    if let Some(why) = read_state::<State>(op).failure {
        return clean_up(world, pass, op, why);
    }
    if name == "reserve_node" {
        return reserve_node(world, pass, op);
    }
    let Some(id) = op.node.clone().filter(|id| pass.view.node(id).is_some()) else {
        return Outcome::fail("the node is gone");
    };
    let outcome = match name {
        "acquire_machine" => nodes::acquire(world, pass, &id),
        "await_agent" => await_agent(pass, &id),
        "seed" => nodes::seed(pass, &id),
        "await_catch_up" => nodes::await_catch_up(pass, &id),
        "admit" => nodes::admit(pass, &id),
        _ => unknown_step(name),
    };
    if let Outcome::Fail(why) = outcome {
        let words = format!("{why}; cleaning up");
        write_state(op, &State { failure: Some(why) });
        return Outcome::Wait(words);
    }
    outcome
}

/// Writes the node first, so that a crash leaves something to find.
fn reserve_node(world: &Arc<World>, pass: &mut Pass, op: &mut Operation) -> Outcome {
    match nodes::reserve(pass) {
        Ok(node) => {
            (op.node, op.node_name) = (Some(node.id.clone()), Some(node.name.clone()));
            nodes::issue_join_token(world, pass, &node);
            pass.insert_node(node);
            Outcome::Next
        }
        Err(why) => Outcome::Fail(why),
    }
}

pub(super) fn await_agent(pass: &Pass, id: &NodeId) -> Outcome {
    if pass.view.node(id).is_some_and(nodes::has_agent) {
        return Outcome::Next;
    }
    if pass.step_age_ms > JOIN_MS_MAX {
        return Outcome::fail("its agent did not join within 5 minutes");
    }
    Outcome::wait("waiting for its agent to join")
}

fn clean_up(world: &Arc<World>, pass: &mut Pass, op: &Operation, why: String) -> Outcome {
    if let Some(id) = op.node.clone().filter(|id| pass.view.node(id).is_some()) {
        if let Outcome::Wait(words) = nodes::release(world, pass, &id) {
            return Outcome::Wait(format!("{why}; cleaning up: {words}"));
        }
        nodes::forget(pass, &id);
    }
    Outcome::Fail(why)
}
