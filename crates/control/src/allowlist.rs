//! Goes back to the former allowlist when a new one was not confirmed in time.

use bellwether_model::{Cluster, Timestamp};
use bellwether_store::{AuditEntry, Error, Stored, Txn};
use tracing::info;

use crate::world::World;

/// Whether the former list is to be in force again.
pub(crate) fn is_over(cluster: &Cluster, now: Timestamp) -> bool {
    cluster.pending_allowlist.as_ref().is_some_and(|pending| pending.revert_at <= now)
}

/// The nodes have gone back by themselves, at the same moment.
pub(crate) async fn revert(world: &World, cluster: &Stored<Cluster>) -> Result<(), Error> {
    let mut cluster = cluster.clone();
    let Some(pending) = cluster.object.pending_allowlist.take() else { return Ok(()) };
    cluster.object.spec.allowlist = pending.before;
    cluster.object.generation += 1;
    let name = cluster.object.spec.name.clone();
    let entry = AuditEntry {
        id: 0,
        at: world.now(),
        user: "bellwether".to_owned(),
        source: "server".to_owned(),
        action: "allowlist.revert".to_owned(),
        object: name.clone(),
        detail: "nobody confirmed the new list".to_owned(),
        result: "ok".to_owned(),
        hash: String::new(),
    };
    world.store.commit(Txn::new().update(&cluster).audit(entry)).await?;
    info!(cluster = %name, "the former allowlist is in force again: nobody confirmed the new one");
    Ok(())
}
