//! A server whose store is an older copy than the one that was in use learns from the agents what
//! was decided since.
//!
//! Every start has a name, the epoch, which is in every assignment. An agent that was given one by
//! a start that this store does not know of, or after what it knows of it, says what it was told;
//! that is taken over before the agent is told anything. Nobody is promoted before every node has
//! spoken, unless the primary that was learned of serves: then nobody was elected since, and what
//! others say of its term later was never in force.

use std::sync::Arc;

use bellwether_model::cluster::Handover;
use bellwether_model::mutation::{Mutation, mutated};
use bellwether_model::node::NodePhase;
use bellwether_model::{
    Cluster, ClusterId, Node, Operation, OperationKind, OperationStatus, Timestamp,
};
use bellwether_protocol::Hello;
use bellwether_protocol::session::Known;
use bellwether_store::lineage::Lineage;
use bellwether_store::{Error, Store, Stored, Txn, nodes};
use tracing::warn;

use crate::world::World;

/// What an operation says that was under way in the copy.
const OVERTAKEN: &str = "the server's store was replaced by an older copy; what came of this is \
                         not known to it";

/// Begins another start; its epoch.
///
/// # Errors
/// When the store refuses.
pub async fn begin(store: &Store) -> Result<String, Error> {
    let epoch = ClusterId::generate().to_string();
    let mut lineage = read(store);
    lineage.begin(epoch.clone(), store.revision());
    store.commit(Txn::new().put(&lineage)).await?;
    Ok(epoch)
}

fn read(store: &Store) -> Lineage {
    store.find::<Lineage>(Lineage::KEY).map(|stored| stored.object).unwrap_or_default()
}

/// Whether this store is known to be an older copy: what it does not refer to may be somebody's.
pub fn is_restored(store: &Store) -> bool {
    read(store).is_restored
}

/// Takes in what an agent knows and this store does not.
///
/// # Errors
/// When the store refuses.
pub async fn learn(world: &Arc<World>, hello: &Hello) -> Result<(), Error> {
    loop {
        match learn_once(world, hello).await {
            // Somebody changed the same objects meanwhile: look again.
            Err(Error::Conflict { .. }) => {}
            other => return other,
        }
    }
}

async fn learn_once(world: &Arc<World>, hello: &Hello) -> Result<(), Error> {
    let store = &world.store;
    let (seq, mut lineage) = (hello.assignment_seq, read(store));
    let Some(known) = hello.known.as_ref().filter(|_| seq > 0) else { return Ok(()) };
    let Some(mut cluster) = store.find::<Cluster>(hello.cluster.as_str()) else { return Ok(()) };
    let Some(mut node) = store.find::<Node>(hello.node.as_str()) else { return Ok(()) };
    let is_ours = mutated(Mutation::RestoredKnowsAll);
    if is_ours || lineage.gave(&known.epoch, seq, store.revision()) {
        if cluster.object.status.unheard.remove(&hello.node) {
            store.commit(Txn::new().update(&cluster)).await?;
        }
        return Ok(());
    }
    let mut txn = Txn::new().above(seq);
    if !lineage.is_restored {
        lineage.is_restored = true;
        txn = txn.put(&lineage);
    }
    let status = &mut cluster.object.status;
    status.promised = status.promised.max(known.promised);
    let is_new = status.learned_from.insert(known.epoch.clone());
    let is_learning = is_new || !status.unheard.is_empty();
    if is_learning || known.group.term > status.term {
        warn!(cluster = %cluster.object.spec.name, node = %node.object.name,
            "the store is an older copy than the one its agents were told from; they are heard");
        if seq > status.learned_seq {
            txn = overtake_all(world, &hello.cluster, &mut node, txn);
            take_group(store, &mut cluster.object, known, seq);
        }
        cluster.object.status.unheard.remove(&hello.node);
        take_place(&mut node.object, known);
        txn = txn.update(&node);
    }
    store.commit(txn.update(&cluster)).await?;
    Ok(())
}

/// What was under way in the copy. A change of primary has ended since, and so has what an agent
/// was ordered to copy; nodes that come or go, settings and backups are looked at anew and gone on
/// with.
fn overtake(operation: &mut Operation, now: Timestamp) {
    match operation.kind {
        OperationKind::CreateCluster
        | OperationKind::AddNode
        | OperationKind::RemoveNode
        | OperationKind::ReplaceNode
        | OperationKind::Drain
        | OperationKind::Undrain
        | OperationKind::Reboot
        | OperationKind::Resize
        | OperationKind::Reshard
        | OperationKind::Backup
        | OperationKind::Prove
        | OperationKind::DeleteCluster => operation.status = OperationStatus::Queued,
        OperationKind::Reconfigure => {
            operation.status = OperationStatus::Queued;
            if let Some(state) = operation.state.as_object_mut() {
                state.remove("handover");
            }
        }
        OperationKind::Failover
        | OperationKind::Switchover
        | OperationKind::Rejoin
        | OperationKind::Resync
        | OperationKind::Restore
        | OperationKind::UndoRestore
        | OperationKind::KeepRestored
        | OperationKind::Drill => {
            operation.status = OperationStatus::Failed;
            operation.ended_at = Some(now);
            OVERTAKEN.clone_into(&mut operation.message);
        }
    }
}

fn overtake_all(
    world: &World,
    cluster: &ClusterId,
    speaker: &mut Stored<Node>,
    mut txn: Txn,
) -> Txn {
    let store = &world.store;
    let under_way = store.list_where::<Operation>(|operation| {
        let is_later = operation.status == OperationStatus::Scheduled;
        operation.cluster == *cluster && !operation.status.is_ended() && !is_later
    });
    let copies = under_way.iter().any(|asked| asked.object.kind == OperationKind::Resync);
    for mut operation in under_way {
        overtake(&mut operation.object, world.now());
        txn = txn.update(&operation);
    }
    // Whoever was being copied to comes back like a former primary.
    let is_copied = |node: &Node| copies && node.phase == NodePhase::Seeding;
    if is_copied(&speaker.object) {
        speaker.object.phase = NodePhase::Rejoining;
    }
    for mut node in nodes::of_cluster(store, cluster) {
        if node.object.id != speaker.object.id && is_copied(&node.object) {
            (node.object.phase, node.object.copy) = (NodePhase::Rejoining, None);
            txn = txn.update(&node);
        }
    }
    txn
}

/// Who is primary, under which term and with which voters.
fn take_group(store: &Store, cluster: &mut Cluster, known: &Known, seq: u64) {
    let status = &mut cluster.status;
    (status.term, status.config) = (known.group.term, known.group.config.clone());
    (status.primary, status.candidate) = (known.group.primary.clone(), None);
    (status.handover, status.operation) = (Handover::None, None);
    status.promised = status.promised.max(status.term);
    status.learned_seq = seq;
    if let (Some(shard), Some(slots)) = (&mut cluster.shard, &known.slots) {
        // Some may have come or gone since; what was on its way begins anew.
        shard.slots.clone_from(slots);
        (shard.leaving, shard.coming) = (None, None);
    }
    if status.unheard.is_empty() {
        let members = known.group.members.iter().map(|member| member.node.clone());
        status.unheard = members.filter(|id| store.find::<Node>(id.as_str()).is_some()).collect();
    }
}

/// What the node shall be, as it was told last.
fn take_place(node: &mut Node, known: &Known) {
    node.target = known.target.clone();
    node.copy = None;
    let is_admitted = known.group.member(&node.id).is_some_and(|own| own.admitted);
    match (is_admitted, node.phase) {
        (true, _) => node.phase = NodePhase::Active,
        (false, NodePhase::Active) => node.phase = NodePhase::Rejoining,
        _ => {}
    }
}
