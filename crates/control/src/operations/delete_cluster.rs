//! Delete a cluster: a last backup where one was asked for, then machines, disks, network, secrets,
//! and at last the cluster itself.

use std::sync::Arc;

use bellwether_contracts::Failure;
use bellwether_contracts::provider::Owned;
use bellwether_model::backup::{BackupRun, BackupStatus};
use bellwether_model::node::NodePhase;
use bellwether_model::{ClusterId, NodeId, Operation, OperationStatus};
use bellwether_store::backups as stored;
use bellwether_store::clusters::NameClaim;
use bellwether_store::secrets::Secret;

use super::{backup, nodes, read_state, shards, unknown_step};
use crate::pass::{Outcome, Pass};
use crate::world::World;

pub fn step(world: &Arc<World>, pass: &mut Pass, op: &mut Operation, name: &str) -> Outcome {
    match name {
        "back_up" => back_up(world, pass, op),
        "withdraw" => withdraw(world, pass),
        "release_machines" => match shards::delete(world, pass) {
            Outcome::Next => release_machines(world, pass),
            other => other,
        },
        "release_network" => release_network(world, pass),
        "verify_empty" => verify_empty(world, pass),
        "forget" => forget(world, pass),
        _ => unknown_step(name),
    }
}

/// Nothing goes before the last backup is stored.
fn back_up(world: &Arc<World>, pass: &mut Pass, op: &mut Operation) -> Outcome {
    let run: BackupRun = read_state(op);
    if run.backup.is_none() {
        return Outcome::Next;
    }
    let part = if run.node.is_none() { "choose_source" } else { "take" };
    match backup::step(world, pass, op, part) {
        Outcome::Next if part == "choose_source" => Outcome::wait("the node for it is chosen"),
        Outcome::Fail(why) => {
            Outcome::Fail(format!("nothing is deleted, for the last backup failed: {why}"))
        }
        other => other,
    }
}

fn node_ids(pass: &Pass) -> Vec<NodeId> {
    pass.nodes.iter().map(|node| node.object.id.clone()).collect()
}

fn withdraw(world: &World, pass: &mut Pass) -> Outcome {
    if shards::are_keys_missed(world, &pass.cluster.object) {
        return Outcome::fail("it still has slots, and the cluster that it is part of goes on");
    }
    for id in node_ids(pass) {
        pass.set_phase(&id, NodePhase::Removing);
    }
    Outcome::Next
}

pub(super) fn release_machines(world: &Arc<World>, pass: &mut Pass) -> Outcome {
    let ids = node_ids(pass);
    let total = ids.len();
    let mut waits = Vec::new();
    for id in ids {
        match nodes::release(world, pass, &id) {
            Outcome::Wait(words) => waits.push(words),
            _ => nodes::forget(pass, &id),
        }
    }
    match waits.first() {
        None => Outcome::Next,
        Some(words) => Outcome::wait(format!("{words} ({} of {total} left)", waits.len())),
    }
}

/// Deletes the cluster's network at the provider.
pub(super) fn release_network(world: &Arc<World>, pass: &Pass) -> Outcome {
    let cluster = &pass.cluster.object;
    if cluster.shard.is_some() {
        // It is that of the whole.
        return Outcome::Next;
    }
    let provider = match world.provider(&cluster.spec.provider) {
        Ok(provider) => provider,
        Err(failure) => return nodes::failed(&failure, "the provider"),
    };
    let id = cluster.id.clone();
    let work = || async move { provider.delete_network(&id).await.map(|()| String::new()) };
    match world.in_background(&cluster.id, "release-network", work) {
        None => Outcome::wait("deleting the network"),
        Some(Ok(_)) => Outcome::Next,
        Some(Err(failure)) => Outcome::wait(format!("{failure}; trying again")),
    }
}

fn is_of(owned: &Owned, id: &ClusterId) -> bool {
    match owned {
        Owned::Machine { cluster, .. } | Owned::Disk { cluster, .. } => cluster == id,
        Owned::Network { cluster } => cluster == id,
    }
}

pub(super) fn verify_empty(world: &Arc<World>, pass: &Pass) -> Outcome {
    let cluster = &pass.cluster.object;
    let provider = match world.provider(&cluster.spec.provider) {
        Ok(provider) => provider,
        Err(failure) => return nodes::failed(&failure, "the provider"),
    };
    let id = cluster.id.clone();
    let work = || async move {
        // What a crash left without a node that refers to it is nobody else's to delete.
        for owned in provider.list_owned().await?.iter().filter(|owned| is_of(owned, &id)) {
            match owned {
                Owned::Machine { node, .. } | Owned::Disk { node, .. } => {
                    provider.delete_machine(node).await?;
                }
                Owned::Network { cluster } => provider.delete_network(cluster).await?,
            }
        }
        let left = provider.list_owned().await?.iter().filter(|owned| is_of(owned, &id)).count();
        if left == 0 {
            return Ok(String::new());
        }
        Err(Failure::transient(format!("the provider still has {left} things of the cluster")))
    };
    match world.in_background(&cluster.id, "verify-empty", work) {
        None => Outcome::wait("looking what is left at the provider"),
        Some(Ok(_)) => Outcome::Next,
        Some(Err(failure)) => Outcome::wait(format!("{failure}; looking again")),
    }
}

pub(super) fn forget(world: &Arc<World>, pass: &mut Pass) -> Outcome {
    let cluster = pass.cluster.object.clone();
    let secrets: Vec<String> = Secret::keys_of_cluster(&world.store, &cluster.id);
    pass.extra.push(Box::new(move |mut txn| {
        for key in &secrets {
            txn = txn.delete::<Secret>(key, None);
        }
        txn.delete::<NameClaim>(&cluster.spec.name, None)
    }));
    // What it was taking is none: its nodes are gone.
    let of_it = stored::newest(&world.store, Some(&pass.cluster.object.id));
    for mut backup in of_it.into_iter().filter(|b| b.object.status == BackupStatus::Running) {
        (backup.object.status, backup.object.ended_at) = (BackupStatus::Failed, Some(pass.now));
        "the cluster was deleted meanwhile".clone_into(&mut backup.object.message);
        pass.extra.push(Box::new(move |txn| txn.update(&backup)));
    }
    for operation in pass.view.scheduled.clone() {
        let Some(mut stored) = world.store.find::<Operation>(operation.id.as_str()) else {
            continue;
        };
        (stored.object.status, stored.object.ended_at) =
            (OperationStatus::Cancelled, Some(pass.now));
        "the cluster was deleted".clone_into(&mut stored.object.message);
        pass.extra.push(Box::new(move |txn| txn.update(&stored)));
    }
    pass.forget_cluster = true;
    Outcome::Next
}
