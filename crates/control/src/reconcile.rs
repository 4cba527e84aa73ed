//! The loop of each cluster: woken by change or by the clock, it looks at everything, decides, and
//! takes one small step.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bellwether_model::shard::Shard;
use bellwether_model::{
    Cluster, ClusterId, Node, NodeId, Operation, OperationId, OperationKind, OperationStatus,
};
use bellwether_planner::{Act, Decision, decide, machines_to_start};
use bellwether_store::{Stored, Txn};
use tokio::sync::broadcast::error::RecvError;
use tokio_util::task::AbortOnDropHandle;
use tracing::{error, info};

use crate::machines::start_machine;
use crate::operations::gaps;
use crate::pass::Pass;
use crate::runner::{self, Progress};
use crate::world::World;
use crate::{allowlist, backups, databases, drills, logs, members, scheduled, shards};

/// Between two passes when nothing woke the loop: silence has to be noticed too.
const TICK: Duration = Duration::from_millis(100);

/// Starts the loops of all clusters, of those that come, and ends those of clusters that go.
pub async fn run(world: Arc<World>) {
    let mut changes = world.store.watch();
    let mut reports = world.store.live().watch();
    let mut loops: HashMap<ClusterId, AbortOnDropHandle<()>> = HashMap::new();
    loop {
        loops.retain(|_, handle| !handle.is_finished());
        for cluster in world.store.list::<Cluster>() {
            let id = cluster.object.id;
            let keep = || AbortOnDropHandle::new(tokio::spawn(keep(world.clone(), id.clone())));
            loops.entry(id.clone()).or_insert_with(keep);
        }
        tokio::select! {
            biased;
            change = changes.recv() => match change {
                Ok(change) => wake_for_change(&world, &change.kind, &change.key),
                Err(RecvError::Lagged(_)) => {
                    loops.keys().for_each(|id| world.waker(id).notify_one());
                }
                Err(RecvError::Closed) => return,
            },
            node = reports.recv() => if let Ok(node) = node {
                wake_for_node(&world, &node);
            },
        }
    }
}

fn wake_for_change(world: &World, kind: &str, key: &str) {
    use bellwether_store::Object;
    if kind == Cluster::KIND {
        world.waker(&ClusterId::from(key)).notify_one();
        wake_whole(world, &ClusterId::from(key), |_| true);
    } else if kind == Node::KIND {
        wake_for_node(world, &NodeId::from(key));
    } else if kind == Operation::KIND
        && let Some(operation) = world.store.find::<Operation>(key)
    {
        world.waker(&operation.object.cluster).notify_one();
    }
}

fn wake_for_node(world: &World, node: &NodeId) {
    if let Some(node) = world.store.find::<Node>(node.as_str()) {
        world.waker(&node.object.cluster).notify_one();
        // Slots that leave are the concern of the whole.
        wake_whole(world, &node.object.cluster, |shard| shard.leaving.is_some());
    }
}

/// Wakes the loop of the cluster that this one is a shard of, where the shard is such a one.
fn wake_whole(world: &World, shard: &ClusterId, concerns: fn(&Shard) -> bool) {
    let cluster = world.store.find::<Cluster>(shard.as_str());
    let shard = cluster.and_then(|cluster| cluster.object.shard).filter(concerns);
    if let Some(shard) = shard {
        world.waker(&shard.of).notify_one();
    }
}

/// The loop of one cluster, until the cluster is gone.
async fn keep(world: Arc<World>, id: ClusterId) {
    let waker = world.waker(&id);
    let mut said = (0, String::new());
    while let Some(cluster) = world.store.find::<Cluster>(id.as_str()) {
        match pass(&world, &cluster, &mut said).await {
            Ok(Progress::Moved) => continue,
            Ok(Progress::Waits) => {}
            // Somebody changed the same objects meanwhile: look again.
            Err(bellwether_store::Error::Conflict { .. }) => continue,
            Err(failure) => {
                error!(cluster = %cluster.object.spec.name, "the store refused: {failure}");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
        let _ = tokio::time::timeout(TICK, waker.notified()).await;
    }
    world.forget_waker(&id);
}

/// One pass: look, decide, act.
async fn pass(
    world: &Arc<World>,
    cluster: &Stored<Cluster>,
    said: &mut (u32, String),
) -> Result<Progress, bellwether_store::Error> {
    let Some(view) = bellwether_store::views::view(&world.store, &cluster.object.id) else {
        return Ok(Progress::Waits);
    };
    if note(world, cluster, &view).await? {
        return Ok(Progress::Moved);
    }
    let decision = decide(&view);
    say(cluster, &decision, said);
    for node in machines_to_start(&view, &decision) {
        start_machine(world, &cluster.object, &node);
    }
    match decision.act.clone() {
        Act::Hold | Act::Nothing => Ok(Progress::Waits),
        Act::Continue => match running(world, &view.operation) {
            Some(operation) => runner::advance(world, cluster, operation).await,
            None => Ok(Progress::Waits),
        },
        Act::StartQueued => {
            let oldest = view.queued.first().map(|operation| operation.id.clone());
            begin(world, cluster, oldest).await
        }
        Act::Start { kind, node } => start(world, cluster, &view, &decision, kind, node).await,
        Act::Configure(config) => {
            let mut cluster = cluster.clone();
            cluster.object.status.config = config;
            world.store.commit(Txn::new().update(&cluster)).await?;
            Ok(Progress::Moved)
        }
        Act::Assign { node, target } => {
            let Some(mut node) = world.store.find::<Node>(node.as_str()) else {
                return Ok(Progress::Waits);
            };
            node.object.target = target;
            world.store.commit(Txn::new().update(&node)).await?;
            Ok(Progress::Moved)
        }
        Act::BackUp(due) => backups::follow(world, cluster, due).await,
        Act::StopWaiting(nodes) => {
            let mut cluster = cluster.clone();
            cluster.object.status.unheard.retain(|node| !nodes.contains(node));
            world.store.commit(Txn::new().update(&cluster)).await?;
            Ok(Progress::Moved)
        }
        Act::Align(shard) => shards::align(world, &view, &shard).await,
        Act::Drill(due) => drills::follow(world, cluster, due).await,
        Act::Regroup { founder } => members::regroup(world, cluster, founder.as_ref()).await,
        Act::Lead { node } => members::lead(world, cluster, &node).await,
        Act::Due(operation, due) => scheduled::follow(world, operation, due).await,
        Act::StartMachine { node } => {
            start_machine(world, &cluster.object, &node);
            Ok(Progress::Waits)
        }
    }
}

/// Writes down what came about by itself, before anything is decided; whether something had.
async fn note(
    world: &Arc<World>,
    cluster: &Stored<Cluster>,
    view: &bellwether_planner::View,
) -> Result<bool, bellwether_store::Error> {
    if allowlist::is_over(&cluster.object, world.now()) {
        allowlist::revert(world, cluster).await?;
        return Ok(true);
    }
    if gaps::are_late(view)
        && let Some(mut pass) = Pass::read(&world.store, cluster)
    {
        gaps::late(world, &mut pass);
        world.store.commit(pass.into_txn(None)).await?;
        return Ok(true);
    }
    if let Some(gone) = bellwether_planner::databases::gone(view) {
        databases::forget(world, cluster, gone).await?;
        return Ok(true);
    }
    logs::keep(world, cluster, view).await
}

/// One line for each change of mind.
fn say(cluster: &Stored<Cluster>, decision: &Decision, said: &mut (u32, String)) {
    let is_news = decision.rule != said.0;
    if is_news && !matches!(decision.act, Act::Continue) {
        info!(cluster = %cluster.object.spec.name, rule = decision.rule, "{}", decision.why);
    }
    said.0 = decision.rule;
}

fn running(world: &World, operation: &Option<Operation>) -> Option<Stored<Operation>> {
    operation.as_ref().and_then(|operation| world.store.find(operation.id.as_str()))
}

async fn begin(
    world: &Arc<World>,
    cluster: &Stored<Cluster>,
    id: Option<OperationId>,
) -> Result<Progress, bellwether_store::Error> {
    let operation = id.and_then(|id| world.store.find::<Operation>(id.as_str()));
    let Some(operation) = operation else { return Ok(Progress::Waits) };
    runner::begin(world, cluster, operation).await?;
    Ok(Progress::Moved)
}

/// Starts an operation now; one that runs steps back and goes on afterwards where it was.
async fn start(
    world: &Arc<World>,
    cluster: &Stored<Cluster>,
    view: &bellwether_planner::View,
    decision: &Decision,
    kind: OperationKind,
    node: Option<NodeId>,
) -> Result<Progress, bellwether_store::Error> {
    let mut txn = Txn::new();
    if let Some(mut other) = running(world, &view.operation) {
        other.object.status = OperationStatus::Queued;
        other.object.message = format!("steps back: {}", decision.why);
        let mut cluster = cluster.clone();
        cluster.object.status.operation = None;
        txn = txn.update(&other).update(&cluster);
    }
    // A request for the same waits already: it is that one which begins.
    if let Some(same) = view.queued.iter().find(|operation| operation.kind == kind) {
        let id = Some(same.id.clone());
        world.store.commit(txn).await?;
        let Some(cluster) = world.store.find::<Cluster>(cluster.object.id.as_str()) else {
            return Ok(Progress::Waits);
        };
        return begin(world, &cluster, id).await;
    }
    let name = node.as_ref().and_then(|id| view.node(id)).map(|facts| facts.node.name.clone());
    let mut operation = Operation {
        node,
        node_name: name,
        reason: decision.why.to_owned(),
        rule: decision.rule,
        ..Operation::queued(&cluster.object, kind, "bellwether", world.now())
    };
    operation.steps = runner::first_steps(&operation);
    let id = operation.id.clone();
    world.store.commit(txn.insert(&operation)).await?;
    let Some(cluster) = world.store.find::<Cluster>(cluster.object.id.as_str()) else {
        return Ok(Progress::Waits);
    };
    begin(world, &cluster, Some(id)).await
}
