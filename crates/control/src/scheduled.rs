//! Begins what a person has asked for at a time that has come, or says why it did not begin.

use std::sync::Arc;

use bellwether_model::{Operation, OperationId, OperationStatus};
use bellwether_planner::scheduled::Due;
use bellwether_store::{Stored, Txn};
use tracing::info;

use crate::runner::Progress;
use crate::world::World;

pub(crate) async fn follow(
    world: &Arc<World>,
    id: OperationId,
    due: Due,
) -> Result<Progress, bellwether_store::Error> {
    let found: Option<Stored<Operation>> = world.store.find(id.as_str());
    let is_meant = |of: &Stored<Operation>| of.object.status == OperationStatus::Scheduled;
    let Some(mut operation) = found.filter(is_meant) else { return Ok(Progress::Waits) };
    let object = &mut operation.object;
    match due {
        Due::Begin => {
            object.status = OperationStatus::Queued;
            object.message = String::new();
        }
        Due::Skip(why) => {
            info!(cluster = %object.cluster_name, "what was asked for later is skipped: {why}");
            object.status = OperationStatus::Cancelled;
            object.ended_at = Some(world.now());
            object.message = format!("missed: {why}");
        }
    }
    world.store.commit(Txn::new().update(&operation)).await?;
    Ok(Progress::Moved)
}
