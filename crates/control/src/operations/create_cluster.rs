//! Create a cluster: machines, the first primary, its replicas.
//!
//! Whatever fails for good is cleaned up before the operation ends as failed: the cluster then has
//! no machine, no disk and no network, and can only be deleted.

use std::sync::Arc;

use bellwether_contracts::{Class, Failure};
use bellwether_model::node::NodePhase;
use bellwether_model::{
    Actual, Backup, Bytes, Cluster, ClusterPhase, NodeId, Operation, Target, Timestamp,
};
use bellwether_planner::NodeFacts;
use bellwether_store::secrets::{self, Secret};
use bellwether_store::{Stored, logs};
use serde::{Deserialize, Serialize};

use super::nodes::{self, random_hex};
use super::{read_state, shards, term, unknown_step, write_state};
use crate::pass::{Outcome, Pass};
use crate::world::World;

/// Milliseconds a step that waits for the machines or the engine may take.
const STEP_MS_MAX: u64 = 10 * 60_000;

#[derive(Default, Serialize, Deserialize)]
struct State {
    /// Why it failed; from then on every step cleans up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failure: Option<String>,
}

pub fn step(world: &Arc<World>, pass: &mut Pass, op: &mut Operation, name: &str) -> Outcome {
    if let Some(why) = read_state::<State>(op).failure {
        return clean_up(world, pass, why);
    }
    if pass.view.is_sharded() {
        return shards::create(world, pass, op, name);
    }
    let outcome = match name {
        "reserve_network" => reserve_network(world, pass),
        "reserve_nodes" => reserve_nodes(world, pass),
        "acquire_machines" => acquire_machines(world, pass),
        "await_agents" => await_agents(pass),
        "bootstrap_primary" => bootstrap_primary(world, pass),
        "await_primary" => await_primary(pass),
        "seed_replicas" => seed_replicas(pass),
        "await_replicas" => await_replicas(pass),
        "open_endpoints" => open_endpoints(pass),
        _ => unknown_step(name),
    };
    match outcome {
        Outcome::Wait(words) if is_over(world, pass, op, name) => {
            fail(op, format!("it took too long: {words}"))
        }
        Outcome::Fail(why) => fail(op, why),
        other => other,
    }
}

/// Whether a step had its time; a restore has it again with every piece of data that has come, and
/// of log that has been replayed.
fn is_over(world: &World, pass: &Pass, op: &Operation, name: &str) -> bool {
    if pass.cluster.object.spec.source.is_none() {
        return pass.step_age_ms > STEP_MS_MAX;
    }
    let worker = pass.view.nodes.first().and_then(NodeFacts::worker);
    let done = worker.and_then(|worker| worker.progress).map_or(0, |(done, _)| done);
    let replayed = worker.and_then(|worker| worker.applied).map_or(0, |place| place.offset);
    let news = format!("{name}/{}/{}", done >> 26, replayed >> 26);
    world.stopwatch.age_ms(&op.id, &news) > STEP_MS_MAX
}

pub(super) fn fail(op: &mut Operation, why: String) -> Outcome {
    let words = format!("{why}; cleaning up");
    write_state(op, &State { failure: Some(why) });
    Outcome::Wait(words)
}

fn clean_up(world: &Arc<World>, pass: &mut Pass, why: String) -> Outcome {
    if let Outcome::Wait(words) = shards::delete(world, pass) {
        return Outcome::Wait(format!("{why}; cleaning up: {words}"));
    }
    let ids: Vec<NodeId> = pass.nodes.iter().map(|node| node.object.id.clone()).collect();
    for id in &ids {
        if let Outcome::Wait(words) = nodes::release(world, pass, id) {
            return Outcome::Wait(format!("{why}; cleaning up: {words}"));
        }
        nodes::forget(pass, id);
    }
    if pass.cluster.object.network.is_some() {
        if let Outcome::Wait(words) = super::delete_cluster::release_network(world, pass) {
            return Outcome::Wait(format!("{why}; cleaning up: {words}"));
        }
        pass.cluster.object.network = None;
    }
    let status = &mut pass.cluster.object.status;
    status.phase = ClusterPhase::Failed;
    status.sentence = format!("it could not be created: {why}");
    (status.primary, status.candidate) = (None, None);
    Outcome::Fail(why)
}

pub(super) fn reserve_network(world: &Arc<World>, pass: &mut Pass) -> Outcome {
    let cluster = &pass.cluster.object;
    if cluster.network.is_some() {
        return Outcome::Next;
    }
    if let Some(shard) = &cluster.shard {
        // All shards are on the network of the whole.
        let whole = world.store.find::<Cluster>(shard.of.as_str());
        let Some(network) = whole.and_then(|whole| whole.object.network) else {
            return Outcome::fail("the cluster that it is part of has no network");
        };
        pass.cluster.object.network = Some(network);
        return Outcome::Next;
    }
    let provider = match world.provider(&cluster.spec.provider) {
        Ok(provider) => provider,
        Err(failure) => return nodes::failed(&failure, "the provider"),
    };
    let (id, name) = (cluster.id.clone(), cluster.spec.name.clone());
    let work = || async move {
        provider.check().await?;
        let network = provider.ensure_network(&id, &name).await?;
        serde_json::to_string(&network).map_err(|error| Failure::permanent(error.to_string()))
    };
    match world.in_background(&pass.cluster.object.id, "network", work) {
        None => Outcome::wait("making the network"),
        Some(Ok(network)) => match serde_json::from_str(&network) {
            Ok(network) => {
                pass.cluster.object.network = Some(network);
                Outcome::Next
            }
            Err(error) => Outcome::fail(format!("the network: {error}")),
        },
        Some(Err(failure)) => nodes::failed(&failure, "the network"),
    }
}

pub(super) fn reserve_nodes(world: &Arc<World>, pass: &mut Pass) -> Outcome {
    let wanted = pass.cluster.object.spec.nodes as usize;
    make_secrets(world, pass);
    for _ in pass.nodes.len()..wanted {
        match nodes::reserve(pass) {
            Ok(node) => {
                nodes::issue_join_token(world, pass, &node);
                pass.insert_node(node);
            }
            Err(why) => return Outcome::Fail(why),
        }
    }
    Outcome::Next
}

/// A shard has those of the whole: its clients are the same.
pub(super) fn make_secrets(world: &World, pass: &mut Pass) {
    let cluster = pass.cluster.object.id.clone();
    if Secret::open(&world.store, &cluster, secrets::USER_PASSWORD).is_some() {
        return;
    }
    let whole = pass.cluster.object.shard.as_ref().map(|shard| shard.of.clone());
    for name in [
        secrets::USER_PASSWORD,
        secrets::REPLICATION_PASSWORD,
        secrets::REWIND_PASSWORD,
        secrets::PEER_KEY,
    ] {
        let bytes = if name == secrets::PEER_KEY { 32 } else { 16 };
        let known = whole.as_ref().and_then(|whole| Secret::open(&world.store, whole, name));
        let text = known.unwrap_or_else(|| random_hex(bytes).into_bytes());
        pass.put_secret(Secret::seal(&world.store, &cluster, name, &text));
    }
}

pub(super) fn acquire_machines(world: &Arc<World>, pass: &mut Pass) -> Outcome {
    let ids: Vec<NodeId> = pass.nodes.iter().map(|node| node.object.id.clone()).collect();
    // All at once: every one is asked for before any is waited for.
    let outcomes: Vec<Outcome> = ids.iter().map(|id| nodes::acquire(world, pass, id)).collect();
    let made = outcomes.iter().filter(|outcome| **outcome == Outcome::Next).count();
    if let Some(failed) = outcomes.iter().find(|outcome| matches!(outcome, Outcome::Fail(_))) {
        return failed.clone();
    }
    if made == ids.len() {
        return Outcome::Next;
    }
    Outcome::wait(format!("{made} of {} machines are made", ids.len()))
}

pub(super) fn await_agents(pass: &mut Pass) -> Outcome {
    let joined = pass.view.nodes.iter().filter(|facts| nodes::has_agent(facts)).count();
    if joined == pass.view.nodes.len() {
        return Outcome::Next;
    }
    Outcome::wait(format!("{joined} of {} agents have joined", pass.view.nodes.len()))
}

fn first_node(pass: &Pass) -> Option<NodeId> {
    pass.view.nodes.first().map(|facts| facts.node.id.clone())
}

pub(super) fn bootstrap_primary(world: &World, pass: &mut Pass) -> Outcome {
    let Some(first) = first_node(pass) else { return Outcome::fail("there is no node") };
    let source = pass.cluster.object.spec.source.clone();
    let term = match &source {
        None => 1,
        Some(source) => match world.store.find::<Backup>(source.backup.as_str()) {
            Some(Stored { object: backup @ Backup { facts: Some(_), .. }, .. }) => {
                match last_timeline(world, &backup, source.at) {
                    // Its history goes on from there, on a timeline that nobody else writes.
                    Ok(timeline) => timeline + 1,
                    Err(why) => return Outcome::Fail(why),
                }
            }
            _ => return Outcome::fail("the backup is gone"),
        },
    };
    let status = &mut pass.cluster.object.status;
    if status.term == 0 {
        (status.term, status.promised) = (term, term);
        status.begun = if pass.view.is_multi_primary() { term } else { 0 };
        status.candidate = Some(first.clone());
        status.config.current.version = 1;
    }
    let term = status.term;
    let target = match pass.view.is_multi_primary() {
        true => Target::Member { term, begun: term, from: None },
        false => Target::Primary { term, create: true },
    };
    pass.assign(&first, target);
    if let Some(node) = pass.node_mut(&first) {
        node.restore = source;
    }
    pass.set_phase(&first, NodePhase::Seeding);
    Outcome::Next
}

/// The last timeline in what is restored.
pub(super) fn last_timeline(
    world: &World,
    backup: &Backup,
    at: Option<Timestamp>,
) -> Result<u64, String> {
    let of_backup = backup.facts.as_ref().map_or(0, |facts| facts.position.timeline);
    let Some(at) = at else { return Ok(of_backup) };
    let way = logs::way(&world.store, backup, at)?;
    Ok(way.last().map_or(of_backup, |last| last.to.timeline.max(of_backup)))
}

/// Why a restore will not succeed however often it is tried.
pub(super) fn restore_is_hopeless(pass: &Pass) -> Option<String> {
    pass.cluster.object.spec.source.as_ref()?;
    let worker = pass.view.nodes.first()?.worker()?;
    let is_hopeless = worker.failed.is_some_and(|class| class != Class::Transient);
    match &worker.actual {
        Actual::Failed { reason } if is_hopeless => Some(reason.clone()),
        _ => None,
    }
}

/// How far a restore has come, in words.
pub(super) fn restoring_words(pass: &Pass) -> Option<String> {
    pass.cluster.object.spec.source.as_ref()?;
    let worker = pass.view.nodes.first()?.worker()?;
    let (done, all) = worker.progress.filter(|(_, all)| *all > 0)?;
    Some(format!("{}: {} of {}", worker.doing, Bytes(done), Bytes(all)))
}

pub(super) fn await_primary(pass: &mut Pass) -> Outcome {
    let Some(first) = first_node(pass) else { return Outcome::fail("there is no node") };
    if let Some(why) = restore_is_hopeless(pass) {
        return Outcome::Fail(why);
    }
    if term::candidate_serves(pass) {
        term::confirm(pass);
        if let Some(node) = pass.node_mut(&first) {
            node.restore = None;
        }
        pass.set_phase(&first, NodePhase::Active);
        return Outcome::Next;
    }
    let facts = pass.view.node(&first);
    match facts.map(|facts| (facts.actual(), facts.worker())) {
        Some((Actual::Failed { reason }, _)) => Outcome::wait(format!("{reason}; trying again")),
        Some((_, Some(worker))) if !worker.doing.is_empty() => {
            Outcome::wait(restoring_words(pass).unwrap_or_else(|| worker.doing.clone()))
        }
        _ => Outcome::wait("creating the database"),
    }
}

fn seed_replicas(pass: &mut Pass) -> Outcome {
    let first = first_node(pass);
    let others: Vec<NodeId> = pass
        .view
        .nodes
        .iter()
        .map(|facts| facts.node.id.clone())
        .filter(|id| Some(id) != first.as_ref())
        .collect();
    for id in &others {
        if let wait @ Outcome::Wait(_) = nodes::seed(pass, id) {
            return wait;
        }
    }
    Outcome::Next
}

fn await_replicas(pass: &mut Pass) -> Outcome {
    let seeding: Vec<NodeId> = pass
        .view
        .nodes
        .iter()
        .filter(|facts| facts.node.phase == NodePhase::Seeding)
        .map(|facts| facts.node.id.clone())
        .collect();
    let mut waits = Vec::new();
    for id in &seeding {
        match nodes::await_catch_up(pass, id) {
            Outcome::Next => pass.set_phase(id, NodePhase::Active),
            Outcome::Wait(words) => waits.push(words),
            other => return other,
        }
    }
    if waits.is_empty() { Outcome::Next } else { Outcome::Wait(waits.join("; ")) }
}

fn open_endpoints(pass: &mut Pass) -> Outcome {
    let status = &pass.cluster.object.status;
    let Some(primary) = pass.view.primary() else { return Outcome::wait("there is no primary") };
    let voters = &status.config.current.voters;
    let is_settled = status.config.next.is_none() && status.config.past.is_empty();
    let is_whole = pass.view.is_multi_primary() || voters.len() + 1 >= pass.view.nodes.len();
    if !is_whole || !is_settled {
        return Outcome::wait("waiting for every replica's vote");
    }
    if !primary.report().is_some_and(|report| report.gate.open) {
        return Outcome::wait("waiting for the primary's gate");
    }
    pass.cluster.object.status.phase = ClusterPhase::Healthy;
    Outcome::Next
}
