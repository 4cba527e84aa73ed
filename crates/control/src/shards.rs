//! The shards of a cluster: asked for what it is asked for, and what their nodes know of others.

use std::sync::Arc;

use bellwether_model::{Cluster, ClusterId, Node};
use bellwether_planner::{View, shards};
use bellwether_store::{Store, Txn, clusters, nodes};

use crate::runner::Progress;
use crate::world::World;

/// Asks a shard for what the whole is asked for.
///
/// # Errors
/// When the store refuses.
pub(crate) async fn align(
    world: &Arc<World>,
    whole: &View,
    shard: &ClusterId,
) -> Result<Progress, bellwether_store::Error> {
    let Some(mut shard) = world.store.find::<Cluster>(shard.as_str()) else {
        return Ok(Progress::Waits);
    };
    let Some(spec) = shards::aligned(whole, &shard.object.spec) else {
        return Ok(Progress::Waits);
    };
    shard.object.spec = spec;
    shard.object.generation += 1;
    shard.object.size_may_wait = whole.cluster.size_may_wait;
    shard.object.disks_grow_in_use = whole.cluster.disks_grow_in_use;
    world.store.commit(Txn::new().update(&shard)).await?;
    Ok(Progress::Moved)
}

/// The cluster that this one is a shard of, with the nodes of the other shards.
pub(crate) fn whole(store: &Store, shard: &Cluster) -> Option<(Cluster, Vec<Node>)> {
    let whole = store.find::<Cluster>(shard.shard.as_ref()?.of.as_str())?;
    let others = clusters::shards(store, &whole.object.id);
    let others = others.into_iter().filter(|other| other.object.id != shard.id);
    let nodes = others.flat_map(|other| nodes::of_cluster(store, &other.object.id));
    Some((whole.object, nodes.map(|node| node.object).collect()))
}
