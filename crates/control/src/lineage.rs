//! A server whose store is an older copy than the one that was in use learns from the agents what
//! was decided since.
//!
//! Every start has a name, the epoch, which is in every assignment. An agent that was given one by
//! a start that this store does not know of, or after what it knows of it, says what it was told;
//! that is taken over before the agent is told anything. Nobody is promoted before every node has
//! spoken, unless the primary that was learned of serves.

use std::sync::Arc;

use bellwether_model::cluster::Handover;
use bellwether_model::node::NodePhase;
use bellwether_model::{Cluster, ClusterId, Node, Operation, OperationStatus};
use bellwether_protocol::Hello;
use bellwether_protocol::session::Known;
use bellwether_store::lineage::Lineage;
use bellwether_store::{Error, Store, Stored, Txn};
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
    if lineage.gave(&known.epoch, seq, store.revision()) {
        let status = &mut cluster.object.status;
        if status.unheard.remove(&hello.node) {
            store.commit(Txn::new().update(&cluster)).await?;
        }
        return Ok(());
    }
    warn!(cluster = %cluster.object.spec.name, node = %node.object.name,
        "the store is an older copy than the one its agents were told from; they are heard");
    let mut txn = Txn::new().above(seq);
    if !lineage.is_restored {
        lineage.is_restored = true;
        txn = txn.put(&lineage);
    }
    if seq > cluster.object.status.learned_seq {
        txn = end_operations(store, &cluster, txn, world);
        take_group(store, &mut cluster.object, known, seq);
    }
    let status = &mut cluster.object.status;
    status.promised = status.promised.max(known.promised).max(status.term);
    status.unheard.remove(&hello.node);
    take_place(&mut node.object, known);
    store.commit(txn.update(&cluster).update(&node)).await?;
    Ok(())
}

/// What was under way in the copy has ended since, or another has begun.
fn end_operations(store: &Store, cluster: &Stored<Cluster>, txn: Txn, world: &World) -> Txn {
    let under_way = store.list_where::<Operation>(|operation| {
        operation.cluster == cluster.object.id && !operation.status.is_ended()
    });
    under_way.into_iter().fold(txn, |txn, mut operation| {
        operation.object.status = OperationStatus::Failed;
        operation.object.ended_at = Some(world.now());
        OVERTAKEN.clone_into(&mut operation.object.message);
        txn.update(&operation)
    })
}

/// Who is primary, under which term and with which voters.
fn take_group(store: &Store, cluster: &mut Cluster, known: &Known, seq: u64) {
    let status = &mut cluster.status;
    (status.term, status.config) = (known.group.term, known.group.config.clone());
    (status.primary, status.candidate) = (known.group.primary.clone(), None);
    (status.handover, status.operation) = (Handover::None, None);
    status.learned_seq = seq;
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
