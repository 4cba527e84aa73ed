//! What creating and deleting a cluster of several shards takes: each shard is created and deleted
//! by an operation of its own, and the whole waits for all of them.

use std::sync::Arc;

use bellwether_model::cluster::ClusterStatus;
use bellwether_model::reconfigure::Reconfigure;
use bellwether_model::shard::{Shard, SlotRange, divide, shard_name};
use bellwether_model::{
    Cluster, ClusterId, ClusterPhase, ClusterSpec, Operation, OperationKind, OperationStatus,
    StepState,
};
use bellwether_planner::View;
use bellwether_store::clusters::{self, NameClaim};
use bellwether_store::{Stored, operations};

use super::{create_cluster, read_state, unknown_step, write_state};
use crate::pass::{Outcome, Pass};
use crate::world::World;

/// One step of the creation.
pub(super) fn create(
    world: &Arc<World>,
    pass: &mut Pass,
    op: &mut Operation,
    name: &str,
) -> Outcome {
    let outcome = match name {
        "reserve_network" => create_cluster::reserve_network(world, pass),
        "reserve_nodes" => reserve(world, pass, op),
        _ => await_shards(world, pass, name),
    };
    match outcome {
        Outcome::Fail(why) => create_cluster::fail(op, why),
        other => other,
    }
}

/// Writes the shards down, each with its part of the keys and its own creation.
fn reserve(world: &World, pass: &mut Pass, op: &Operation) -> Outcome {
    create_cluster::make_secrets(world, pass);
    let whole = pass.cluster.object.clone();
    let known = clusters::shards(&world.store, &whole.id);
    for (index, slots) in (0u32..).zip(divide(whole.spec.shards)) {
        let is_there = |shard: &Stored<Cluster>| {
            shard.object.shard.as_ref().is_some_and(|shard| shard.index == index)
        };
        if known.iter().any(is_there) {
            continue;
        }
        if let Err(why) = write_down(world, pass, op, index, vec![slots]) {
            return Outcome::Fail(why);
        }
    }
    Outcome::Next
}

/// Writes a new shard down, which begins to be created.
pub(super) fn write_down(
    world: &World,
    pass: &mut Pass,
    op: &Operation,
    index: u32,
    slots: Vec<SlotRange>,
) -> Result<(), String> {
    let whole = pass.cluster.object.clone();
    let name = shard_name(&whole.spec.name, index);
    if world.store.find::<NameClaim>(&name).is_some() {
        return Err(format!("there is a cluster `{name}` already"));
    }
    let shard = Cluster {
        id: ClusterId::generate(),
        generation: 1,
        created_at: pass.now,
        spec: ClusterSpec { name: name.clone(), shards: 0, ..whole.spec.clone() },
        status: ClusterStatus::default(),
        network: None,
        next_ordinal: 1,
        proof_of: None,
        pending_allowlist: None,
        databases: bellwether_model::database::Databases::default(),
        size_may_wait: false,
        disks_grow_in_use: whole.disks_grow_in_use,
        shard: Some(Shard { of: whole.id.clone(), index, slots, leaving: None, coming: None }),
    };
    let claim = NameClaim { name, cluster: shard.id.clone() };
    let kind = OperationKind::CreateCluster;
    let creation = Operation::queued(&shard, kind, &op.started_by, pass.now);
    pass.extra.push(Box::new(move |txn| txn.insert(&shard).insert(&claim).insert(&creation)));
    Ok(())
}

/// Waits until every shard has come past the step of that name.
fn await_shards(world: &World, pass: &mut Pass, name: &str) -> Outcome {
    let total = pass.cluster.object.spec.shards as usize;
    let mut past = 0;
    let mut words = "beginning".to_owned();
    for shard in &pass.view.shards {
        let shown = &shard.cluster.spec.name;
        let Some(creation) = creation(world, &shard.cluster.id) else { continue };
        if creation.status == OperationStatus::Failed {
            return Outcome::fail(format!("{shown}: {}", creation.message));
        }
        let step = creation.steps.iter().find(|step| step.name == name);
        let is_past = creation.status == OperationStatus::Succeeded
            || step.is_some_and(|step| step.state == StepState::Done);
        past += usize::from(is_past);
        if !is_past && let Some(step) = creation.steps.iter().find(|step| !step.message.is_empty())
        {
            words = format!("{shown}: {}", step.message);
        }
    }
    if past == total && name == "open_endpoints" {
        // Engines refuse clients until they have heard of each other.
        let (phase, sentence) = bellwether_planner::shards::whole_phase(&pass.view);
        if !matches!(phase, ClusterPhase::Healthy | ClusterPhase::Degraded) {
            return Outcome::wait(sentence);
        }
        pass.cluster.object.status.phase = ClusterPhase::Healthy;
    }
    if past == total {
        return Outcome::Next;
    }
    Outcome::wait(format!("{past} of {total} shards are so far; {words}"))
}

pub(super) fn creation(world: &World, shard: &ClusterId) -> Option<Operation> {
    let all = operations::newest(&world.store, Some(shard));
    let creation = all.into_iter().find(|one| one.object.kind == OperationKind::CreateCluster);
    creation.map(|creation| creation.object)
}

/// Lets every shard be deleted; `Next` once there is none.
pub(super) fn delete(_world: &World, pass: &mut Pass) -> Outcome {
    let is_asked = |shard: &&View| shard.is_being_deleted();
    let left = pass.view.shards.len();
    let unasked: Vec<Cluster> =
        pass.view.shards.iter().filter(|s| !is_asked(s)).map(|s| s.cluster.clone()).collect();
    for shard in unasked {
        let kind = OperationKind::DeleteCluster;
        let deletion = Operation::queued(&shard, kind, "bellwether", pass.now);
        pass.extra.push(Box::new(move |txn| txn.insert(&deletion)));
    }
    if left == 0 { Outcome::Next } else { Outcome::wait(format!("{left} shards are left")) }
}

/// One step of a change of settings: one shard after the other changes them, by an operation of its
/// own, and all have the former ones again where one does not take them.
pub(super) fn reconfigure(
    world: &World,
    pass: &mut Pass,
    op: &mut Operation,
    name: &str,
) -> Outcome {
    let mut state: Reconfigure = read_state(op);
    let outcome = match name {
        "check" => {
            let mut view = pass.view.clone();
            (view.operation, view.queued) = (None, Vec::new());
            bellwether_planner::reconfigure::refuse(&view).map_or(Outcome::Next, Outcome::Fail)
        }
        "replicas" => settle_shards(world, pass, op, &mut state),
        "primary" | "rest" | "verify" => Outcome::Next,
        _ => unknown_step(name),
    };
    if let Outcome::Fail(_) = outcome {
        pass.cluster.object.spec.parameters.clone_from(&state.before);
        pass.cluster.object.generation += 1;
    }
    write_state(op, &state);
    outcome
}

/// Does the next thing towards every shard having the settings.
fn settle_shards(
    world: &World,
    pass: &mut Pass,
    op: &mut Operation,
    state: &mut Reconfigure,
) -> Outcome {
    let wanted = if state.undo.is_some() { &state.before } else { &state.after };
    let mut done = Vec::new();
    for shard in &pass.view.shards {
        let spec = &shard.cluster.spec;
        let last = operations::newest(&world.store, Some(&shard.cluster.id))
            .into_iter()
            .map(|asked| asked.object)
            .find(|asked| asked.kind == OperationKind::Reconfigure)
            .filter(|asked| Some(asked.created_at) >= op.started_at);
        match last {
            Some(asked) if !asked.status.is_ended() => {
                let now = asked.steps.iter().rfind(|step| !step.message.is_empty());
                let now = now.map_or("beginning", |step| step.message.as_str());
                return Outcome::wait(format!("{}: {now}", spec.name));
            }
            Some(asked)
                if asked.status != OperationStatus::Succeeded
                    && read_state::<Reconfigure>(&asked).after == *wanted =>
            {
                let why = format!("{}: {}", spec.name, asked.message);
                if let Some(first) = &state.undo {
                    return Outcome::Fail(format!("{first}; going back failed, too: {why}"));
                }
                state.undo = Some(why);
                return Outcome::wait("putting the former settings back");
            }
            _ if spec.parameters == *wanted => done.push(spec.name.clone()),
            _ => {
                let Some(engine) = world.engine(&spec.engine) else {
                    return Outcome::fail("this server does not know the engine");
                };
                let before = spec.parameters.clone();
                let (kind, after) = (OperationKind::Reconfigure, wanted.clone());
                let mut asked = Operation::queued(&shard.cluster, kind, &op.started_by, pass.now);
                let changes =
                    bellwether_planner::reconfigure::changes(engine, spec, &before, &after);
                let order = Reconfigure { before, after, changes, ..Reconfigure::default() };
                write_state(&mut asked, &order);
                pass.extra.push(Box::new(move |txn| txn.insert(&asked)));
                return Outcome::wait(format!("{}: beginning", spec.name));
            }
        }
    }
    if let Some(why) = &state.undo {
        return Outcome::Fail(format!("{why}; the former settings are in force again"));
    }
    op.message = format!("in force in {}", done.join(", "));
    Outcome::Next
}

/// Whether a shard that has keys would be missed, for the whole is not on its way out.
pub(super) fn are_keys_missed(world: &World, shard: &Cluster) -> bool {
    let Some(part) = shard.shard.as_ref().filter(|part| !part.slots.is_empty()) else {
        return false;
    };
    let whole = world.store.find::<Cluster>(part.of.as_str());
    let running = whole.and_then(|whole| whole.object.status.operation);
    let running = running.and_then(|id| world.store.find::<Operation>(id.as_str()));
    running.is_none_or(|running| running.object.kind == OperationKind::Reshard)
}
