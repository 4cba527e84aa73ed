//! Restore a backup in a scratch node and look through it. The node is a cluster of its own, listed
//! nowhere, with a network of its own: it votes for nobody and nobody is led to it. Whatever comes
//! of it, it goes.

use std::sync::Arc;

use bellwether_model::backup::Proof;
use bellwether_model::restore::{CheckOrder, Checked};
use bellwether_model::{Actual, Backup, Cluster, Operation, Timestamp};
use bellwether_planner::NodeFacts;
use bellwether_store::Stored;
use serde::{Deserialize, Serialize};

use super::{create_cluster, delete_cluster, read_state, unknown_step, write_state};
use crate::pass::{Outcome, Pass};
use crate::world::World;

/// Milliseconds the machine and its agent may take.
const MACHINE_MS_MAX: u64 = 10 * 60_000;

/// Milliseconds without any news after which it is given up.
const STUCK_MS_MAX: u64 = 30 * 60_000;

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct State {
    restore_began: Option<Timestamp>,
    restore_ms: Option<u64>,
    bytes: u64,
    found: Option<Checked>,
    /// Why it could not be looked through; from then on it is only cleaned up.
    failure: Option<String>,
}

pub fn step(world: &Arc<World>, pass: &mut Pass, op: &mut Operation, name: &str) -> Outcome {
    let mut state: State = read_state(op);
    let is_cleaning = state.failure.is_some();
    let outcome = match name {
        "release_machines" => delete_cluster::release_machines(world, pass),
        "release_network" => delete_cluster::release_network(world, pass),
        "verify_empty" => delete_cluster::verify_empty(world, pass),
        "forget" => return finish(world, pass, op, &state),
        "write_result" => write_result(world, pass, op, &state),
        _ if is_cleaning => Outcome::Next,
        "reserve_network" => create_cluster::reserve_network(world, pass),
        "reserve_nodes" => create_cluster::reserve_nodes(world, pass),
        "acquire_machines" => create_cluster::acquire_machines(world, pass),
        "await_agents" => create_cluster::await_agents(pass),
        "restore" => restore(world, pass, &mut state),
        "await_primary" => await_primary(world, pass, op, &mut state),
        "look_through" => look_through(world, pass, op, &mut state),
        _ => unknown_step(name),
    };
    let is_machine = matches!(name, "reserve_network" | "acquire_machines" | "await_agents");
    let outcome = match outcome {
        Outcome::Wait(words) if is_machine && pass.step_age_ms > MACHINE_MS_MAX => {
            Outcome::Fail(format!("it took too long: {words}"))
        }
        other => other,
    };
    let outcome = match outcome {
        Outcome::Fail(why) => {
            state.failure = Some(why);
            Outcome::Next
        }
        other => other,
    };
    write_state(op, &state);
    outcome
}

fn restore(world: &Arc<World>, pass: &mut Pass, state: &mut State) -> Outcome {
    state.restore_began.get_or_insert(pass.now);
    create_cluster::bootstrap_primary(world, pass)
}

/// The words of the scratch node's agent, as long as they change.
fn waiting(world: &World, pass: &Pass, op: &Operation, what: &str) -> Outcome {
    let facts = pass.view.nodes.first();
    let worker = facts.and_then(NodeFacts::worker);
    let done = worker.and_then(|worker| worker.progress).map_or(0, |(done, _)| done);
    let words = match facts.map(NodeFacts::actual) {
        Some(Actual::Failed { reason }) => format!("{reason}; trying again"),
        _ => create_cluster::restoring_words(pass).unwrap_or_else(|| what.to_owned()),
    };
    let stuck_ms = world.stopwatch.age_ms(&op.id, &format!("{what}/{}", done >> 26));
    if stuck_ms > STUCK_MS_MAX { Outcome::Fail(words) } else { Outcome::Wait(words) }
}

fn await_primary(
    world: &Arc<World>,
    pass: &mut Pass,
    op: &Operation,
    state: &mut State,
) -> Outcome {
    if let Some(why) = create_cluster::restore_is_hopeless(pass) {
        return Outcome::Fail(why);
    }
    match create_cluster::await_primary(pass) {
        Outcome::Next => {
            state.restore_ms = state.restore_began.map(|began| pass.now.millis_since(began));
            Outcome::Next
        }
        Outcome::Wait(_) => waiting(world, pass, op, "restoring the backup"),
        other => other,
    }
}

fn look_through(world: &World, pass: &mut Pass, op: &Operation, state: &mut State) -> Outcome {
    let token = op.id.to_string();
    let Some(first) = pass.view.nodes.first().cloned() else {
        return Outcome::fail("the scratch node is gone");
    };
    let report = first.worker().and_then(|worker| worker.check.clone());
    if let Some(found) = report.filter(|report| report.token == token).and_then(|r| r.end) {
        state.bytes = found.bytes;
        state.found = Some(found);
        return Outcome::Next;
    }
    if let Some(node) = pass.node_mut(&first.node.id) {
        node.check = Some(CheckOrder { token });
    }
    waiting(world, pass, op, "looking through the data")
}

fn result(pass: &Pass, state: &State) -> Proof {
    let bytes = state.bytes;
    let (proven, compared, message) = match (&state.failure, &state.found) {
        (Some(why), _) => (false, 0, why.clone()),
        (None, None) => (false, 0, "it was not looked through".to_owned()),
        (None, Some(found)) if found.wrong.is_empty() => {
            let words = format!(
                "restored and looked through; {} {} hold what they held",
                found.compared, found.of
            );
            (true, found.compared, words)
        }
        (None, Some(found)) => (false, found.compared, found.wrong.join("; ")),
    };
    Proof { proven, at: pass.now, restore_ms: state.restore_ms, bytes, compared, message }
}

/// Notes it with the backup and with the cluster that it was taken of, where there still is one.
fn write_result(world: &World, pass: &mut Pass, op: &mut Operation, state: &State) -> Outcome {
    let proof = result(pass, state);
    op.message.clone_from(&proof.message);
    let id = pass.cluster.object.proof_of.clone();
    let found: Option<Stored<Backup>> = id.and_then(|id| world.store.find(id.as_str()));
    let Some(mut backup) = found else { return Outcome::Next };
    let source: Option<Stored<Cluster>> = world.store.find(backup.object.cluster.as_str());
    if let Some(mut source) = source {
        let standing = &mut source.object.status.backup;
        let taken_at = backup.object.facts.as_ref().map(|facts| facts.taken_at);
        if proof.proven {
            standing.proven_to = standing.proven_to.max(taken_at);
            standing.unproven = None;
            let speed = |ms: u64| proof.bytes.saturating_mul(1_000) / ms.max(1);
            standing.restore_bytes_per_second = proof.restore_ms.map(speed);
        } else {
            standing.unproven = Some(proof.message.clone());
        }
        pass.extra.push(Box::new(move |txn| txn.update(&source)));
    }
    backup.object.proof = Some(proof);
    pass.extra.push(Box::new(move |txn| txn.update(&backup)));
    Outcome::Next
}

fn finish(world: &Arc<World>, pass: &mut Pass, op: &mut Operation, state: &State) -> Outcome {
    let outcome = delete_cluster::forget(world, pass);
    let failed = state.failure.clone().or_else(|| {
        let found = state.found.as_ref()?;
        (!found.wrong.is_empty()).then(|| found.wrong.join("; "))
    });
    match failed {
        Some(why) => {
            op.message.clone_from(&why);
            Outcome::Fail(why)
        }
        None => outcome,
    }
}
