//! What is decided of a group of equals, in one commit each: orders of a term are all or none.

use std::sync::Arc;

use bellwether_model::{Cluster, NodeId, Target};
use bellwether_store::{Error, Stored};
use tracing::{info, warn};

use crate::pass::Pass;
use crate::runner::Progress;
use crate::world::World;

/// Begins the group anew: with that node's data, or lets every engine stop first that runs without
/// the majority, to say where its data ends.
pub(crate) async fn regroup(
    world: &Arc<World>,
    cluster: &Stored<Cluster>,
    founder: Option<&NodeId>,
) -> Result<Progress, Error> {
    let Some(mut pass) = Pass::read(&world.store, cluster) else { return Ok(Progress::Waits) };
    match founder.and_then(|id| pass.view.node(id)) {
        Some(facts) => warn!("the group is begun anew by {}", facts.node.name),
        None => warn!("the majority is lost; every engine says where its data ends"),
    }
    if let Some(founder) = founder {
        pass.cluster.object.status.primary = Some(founder.clone());
    }
    let begun = pass.cluster.object.status.term + 1;
    pass.cluster.object.status.begun = begun;
    begin_term(&mut pass);
    if let Some(founder) = founder {
        pass.assign(founder, Target::Member { term: begun, begun, from: None });
    }
    world.store.commit(pass.into_txn(None)).await?;
    Ok(Progress::Moved)
}

/// Leads clients to that node.
pub(crate) async fn lead(
    world: &Arc<World>,
    cluster: &Stored<Cluster>,
    node: &NodeId,
) -> Result<Progress, Error> {
    let Some(mut pass) = Pass::read(&world.store, cluster) else { return Ok(Progress::Waits) };
    if let Some(facts) = pass.view.node(node) {
        info!(cluster = %cluster.object.spec.name, "clients are led to {}", facts.node.name);
    }
    pass.cluster.object.status.primary = Some(node.clone());
    begin_term(&mut pass);
    world.store.commit(pass.into_txn(None)).await?;
    Ok(Progress::Moved)
}

/// Every member hears of another term: endpoints lead to its primary, and nobody begins a group by
/// orders of an earlier one.
fn begin_term(pass: &mut Pass) {
    let status = &mut pass.cluster.object.status;
    status.term += 1;
    status.promised = status.promised.max(status.term);
    pass.view.cluster.status = status.clone();
    let is_member = |target: &Target| matches!(target, Target::Member { .. });
    let nodes = pass.nodes.iter().map(|node| &node.object);
    let members = nodes.filter(|node| is_member(&node.target)).map(|node| node.id.clone());
    for id in members.collect::<Vec<NodeId>>() {
        let target = bellwether_planner::members::target(&pass.view, &id);
        pass.assign(&id, target);
    }
}
