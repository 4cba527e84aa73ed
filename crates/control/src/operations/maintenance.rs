//! Take a node out of service and back: drain, undrain, reboot, and a reboot with another size. A
//! primary hands over first; the node has no vote before it is touched, and gets it back when it
//! has caught up.
//!
//! Whatever ends a reboot early leaves the node a member, whose machine is started like any other.

use std::sync::Arc;

use bellwether_model::cluster::{NodeSize, SizeRefused};
use bellwether_model::maintenance::Maintenance;
use bellwether_model::node::NodePhase;
use bellwether_model::{NodeId, Operation, OperationKind};
use bellwether_planner::{NodeFacts, maintenance, resize};

use super::{age_ms, nodes, read_state, switchover, unknown_step, write_state};
use crate::machines::start_machine;
use crate::pass::{Outcome, Pass};
use crate::world::World;

/// Milliseconds in which the rest has to be able to do without a node.
const WITHDRAW_MS_MAX: u64 = 60_000;

/// Milliseconds in which an agent hears of its node's new size; one that does not, after its start.
const TELL_MS_MAX: u64 = 10_000;

/// Milliseconds a step may take at all.
const STEP_MS_MAX: u64 = 15 * 60_000;

pub fn step(world: &Arc<World>, pass: &mut Pass, op: &mut Operation, name: &str) -> Outcome {
    let Some(id) = op.node.clone().filter(|id| pass.view.node(id).is_some()) else {
        return Outcome::Cancel("the node is gone".to_owned());
    };
    let mut state: Maintenance = read_state(op);
    let is_skipped = state.in_place && !matches!(name, "check" | "resize_machine");
    let outcome = match name {
        _ if is_skipped => Outcome::Next,
        "check" => check(pass, op, &id, &mut state),
        "hand_over" => hand_over(world, pass, op, &id, &mut state),
        "withdraw" => withdraw(pass, &id),
        "stop_machine" => stop(world, pass, &id, &mut state),
        "resize_machine" => resize(world, pass, &id, &mut state),
        "start_machine" => start(world, pass, op, &id),
        "await_agent" => await_agent(pass, &id),
        "await_catch_up" => await_catch_up(pass, &id),
        "admit" => admit(pass, &id, &state),
        _ => unknown_step(name),
    };
    write_state(op, &state);
    let outcome = match outcome {
        Outcome::Wait(words) if pass.step_age_ms > STEP_MS_MAX => {
            Outcome::Fail(format!("{words}; given up after {} minutes", STEP_MS_MAX / 60_000))
        }
        other => other,
    };
    match outcome {
        Outcome::Fail(_) | Outcome::Cancel(_) => give_back(pass, op, &id, &state),
        Outcome::Next if op.step_at() == op.steps.len().checked_sub(1) => {
            if let Some(reason) = state.refused.clone() {
                return Outcome::Fail(reason);
            }
            tell(pass, op, &state);
        }
        _ => {}
    }
    outcome
}

/// What was allowed when it was asked for may not be any more.
fn check(pass: &Pass, op: &Operation, id: &NodeId, state: &mut Maintenance) -> Outcome {
    let Some(facts) = pass.view.node(id) else { return Outcome::fail("the node is gone") };
    state.was_drained = facts.node.phase == NodePhase::Maintenance;
    if op.kind == OperationKind::Resize {
        let cluster = &pass.cluster.object;
        let (has, asked) = (&facts.node.size, &cluster.spec.size);
        if has == asked {
            return Outcome::Cancel("it has the size asked for".to_owned());
        }
        if resize::shrinks(has, asked) {
            return Outcome::Cancel("for a smaller disk it is replaced".to_owned());
        }
        state.size = Some(*asked);
        state.allow_waiting = cluster.size_may_wait;
        state.in_place = !resize::restarts(cluster, has, asked);
        if state.in_place {
            return Outcome::Next;
        }
    }
    maintenance::refuse_now(&pass.view, facts, op.kind, state.allow_waiting)
        .map_or(Outcome::Next, Outcome::Fail)
}

/// A switchover like any other, which goes before this operation.
fn hand_over(
    world: &World,
    pass: &mut Pass,
    op: &Operation,
    id: &NodeId,
    state: &mut Maintenance,
) -> Outcome {
    if pass.view.is_multi_primary() {
        // Clients are led to another as soon as it is out of service.
        return Outcome::Next;
    }
    match pass.view.nodes.len() {
        1 => Outcome::Next,
        _ => switchover::away_from(world, pass, op, id, &mut state.change),
    }
}

fn withdraw(pass: &mut Pass, id: &NodeId) -> Outcome {
    if pass.view.is_multi_primary() {
        return withdraw_member(pass, id);
    }
    let status = &pass.cluster.object.status;
    if status.primary.as_ref() == Some(id) {
        return match pass.view.nodes.len() {
            1 => Outcome::Next,
            _ => Outcome::fail("it has become the primary meanwhile"),
        };
    }
    if status.candidate.as_ref() == Some(id) {
        return Outcome::wait("it is about to become the primary");
    }
    let has_vote = status.config.voters().contains(id);
    let phase = pass.view.node(id).map(|facts| facts.node.phase);
    if phase != Some(NodePhase::Maintenance) {
        pass.set_phase(id, NodePhase::Maintenance);
        return Outcome::wait("withdrawing it");
    }
    match has_vote {
        false => Outcome::Next,
        true if pass.step_age_ms > WITHDRAW_MS_MAX => {
            Outcome::fail("the others cannot do without its vote")
        }
        true => Outcome::wait("waiting until its vote is not needed any more"),
    }
}

fn withdraw_member(pass: &mut Pass, id: &NodeId) -> Outcome {
    let phase = pass.view.node(id).map(|facts| facts.node.phase);
    if phase != Some(NodePhase::Maintenance) {
        pass.set_phase(id, NodePhase::Maintenance);
        return Outcome::wait("withdrawing it");
    }
    match pass.cluster.object.status.primary.as_ref() == Some(id) {
        false => Outcome::Next,
        true if pass.step_age_ms > WITHDRAW_MS_MAX => Outcome::fail("no other node is well enough"),
        true => Outcome::wait("clients are being led to another node"),
    }
}

fn stop(world: &Arc<World>, pass: &mut Pass, id: &NodeId, state: &mut Maintenance) -> Outcome {
    if let Some(words) = announce_size(pass, id, state) {
        return Outcome::wait(words);
    }
    let cluster = &pass.cluster.object;
    let provider = match world.provider(&cluster.spec.provider) {
        Ok(provider) => provider,
        Err(failure) => return nodes::failed(&failure, "stopping the machine"),
    };
    let node = id.clone();
    let work = || async move { provider.stop_machine(&node).await.map(|()| String::new()) };
    match world.in_background(&cluster.id, &format!("stop/{id}"), work) {
        None => Outcome::wait("stopping the machine"),
        Some(Ok(_)) => {
            state.stopped_at = Some(pass.now);
            Outcome::Next
        }
        Some(Err(failure)) => nodes::failed(&failure, "stopping the machine"),
    }
}

/// Its agent hears of the new size before the machine stops: the engine starts with what that makes
/// of its settings. What is waited for.
fn announce_size(pass: &mut Pass, id: &NodeId, state: &mut Maintenance) -> Option<&'static str> {
    let size = state.size?;
    if state.former.is_none() {
        state.former = pass.view.node(id).map(|facts| facts.node.size);
        give_size(pass, id, size);
        return Some("telling its agent");
    }
    let facts = pass.view.node(id)?;
    let settings = facts.worker().and_then(|worker| worker.settings.as_ref());
    let is_told = settings.is_none_or(|known| known.version == facts.node.settings.version);
    (!is_told && pass.step_age_ms < TELL_MS_MAX).then_some("waiting until its agent knows its size")
}

fn give_size(pass: &mut Pass, id: &NodeId, size: NodeSize) {
    if let Some(node) = pass.node_mut(id) {
        node.size = size;
        // What the settings are by default depends on it.
        node.settings.version += 1;
    }
}

/// A provider that refuses has changed nothing: the machine is started again with what it had, and
/// nobody asks again before a person does.
fn resize(world: &Arc<World>, pass: &mut Pass, id: &NodeId, state: &mut Maintenance) -> Outcome {
    let Some(size) = state.size else { return Outcome::fail("there is no size to give it") };
    let cluster = &pass.cluster.object;
    let provider = match world.provider(&cluster.spec.provider) {
        Ok(provider) => provider,
        Err(failure) => return nodes::failed(&failure, "changing the machine"),
    };
    let (node, in_place) = (id.clone(), state.in_place);
    let work = || async move {
        // Somebody else may have started it meanwhile.
        if !in_place {
            provider.stop_machine(&node).await?;
        }
        provider.resize_machine(&node, &size).await.map(|()| String::new())
    };
    match world.in_background(&cluster.id, &format!("resize/{id}"), work) {
        None => Outcome::wait("changing the machine"),
        Some(Ok(_)) => {
            if state.former.take().is_none() {
                give_size(pass, id, size);
            }
            Outcome::Next
        }
        Some(Err(failure)) => match nodes::failed(&failure, "changing the machine") {
            Outcome::Fail(reason) => {
                if let Some(former) = state.former.take() {
                    give_size(pass, id, former);
                }
                let generation = pass.cluster.object.generation;
                let refused = SizeRefused { generation, reason: reason.clone() };
                pass.cluster.object.status.size_refused = Some(refused);
                state.refused = Some(reason);
                Outcome::Next
            }
            other => other,
        },
    }
}

/// After a reboot it is started; when it returns to service only if it is off.
fn start(world: &Arc<World>, pass: &Pass, op: &Operation, id: &NodeId) -> Outcome {
    let cluster = &pass.cluster.object;
    if op.kind == OperationKind::Undrain {
        if pass.view.node(id).is_some_and(|facts| facts.machine_stopped) {
            start_machine(world, cluster, id);
            return Outcome::wait("starting the machine");
        }
        return Outcome::Next;
    }
    let provider = match world.provider(&cluster.spec.provider) {
        Ok(provider) => provider,
        Err(failure) => return nodes::failed(&failure, "starting the machine"),
    };
    let node = id.clone();
    let work = || async move { provider.start_machine(&node).await.map(|()| String::new()) };
    match world.in_background(&cluster.id, &format!("boot/{id}"), work) {
        None => Outcome::wait("starting the machine"),
        Some(Ok(_)) => Outcome::Next,
        // One that is off is tried again: giving up would leave it so.
        Some(Err(failure)) => Outcome::wait(format!("{failure}; trying again")),
    }
}

/// What it said before its machine stopped does not count.
fn await_agent(pass: &Pass, id: &NodeId) -> Outcome {
    let is_back = |facts: &NodeFacts| {
        facts.is_fresh(pass.view.timers().suspect_ms) && facts.age_ms() < pass.step_age_ms
    };
    match pass.view.node(id).is_some_and(is_back) {
        true => Outcome::Next,
        false => Outcome::wait("it is not heard from"),
    }
}

fn await_catch_up(pass: &mut Pass, id: &NodeId) -> Outcome {
    let status = &pass.cluster.object.status;
    if status.primary.as_ref() != Some(id) || pass.view.is_multi_primary() {
        return nodes::await_catch_up(pass, id);
    }
    match pass.view.node(id).is_some_and(|facts| facts.serves(status.term)) {
        true => Outcome::Next,
        false => Outcome::wait("waiting until it serves"),
    }
}

fn admit(pass: &mut Pass, id: &NodeId, state: &Maintenance) -> Outcome {
    if state.was_drained || pass.cluster.object.status.primary.as_ref() == Some(id) {
        return Outcome::Next;
    }
    nodes::admit(pass, id)
}

/// A node that was withdrawn for nothing is a member again.
fn give_back(pass: &mut Pass, op: &Operation, id: &NodeId, state: &Maintenance) {
    if let Some(former) = state.former {
        give_size(pass, id, former);
    }
    let is_out = pass.view.node(id).is_some_and(|f| f.node.phase == NodePhase::Maintenance);
    if is_out && !state.was_drained && op.kind != OperationKind::Undrain {
        pass.set_phase(id, NodePhase::Active);
    }
}

fn tell(pass: &Pass, op: &mut Operation, state: &Maintenance) {
    let name = op.node_name.as_deref().unwrap_or("the node");
    op.message = match (op.kind, state.stopped_at) {
        (OperationKind::Drain, _) => format!("{name} is in maintenance"),
        (OperationKind::Reboot | OperationKind::Resize, Some(at)) => {
            let seconds = pass.now.millis_since(at) / 1_000;
            let still = if state.was_drained { "; it is still in maintenance" } else { "" };
            format!("{name} was back {seconds} s after its machine had stopped{still}")
        }
        (OperationKind::Resize, None) => {
            let disk = state.size.map_or_else(String::new, |size| size.disk.to_string());
            format!("{name} has a disk of {disk} now; nothing was stopped for it")
        }
        _ => format!("{name} is in service again after {} s", age_ms(pass, op) / 1_000),
    };
}
