//! Follows the schedule of drills. What was due is written down together with how far the schedule
//! was followed: no slot is run twice, whenever the server is killed.

use std::sync::Arc;

use bellwether_model::drill::{Drill, DrillProgress, DrillSchedule};
use bellwether_model::{Cluster, Operation, OperationKind, OperationStatus, Timestamp};
use bellwether_planner::drills::Due;
use bellwether_store::{Stored, Txn};
use tracing::info;

use crate::operations::write_state;
use crate::runner::Progress;
use crate::world::World;

/// Does what the schedule asks for now.
pub(crate) async fn follow(
    world: &Arc<World>,
    cluster: &Stored<Cluster>,
    due: Due,
) -> Result<Progress, bellwether_store::Error> {
    let mut cluster = cluster.clone();
    let status = &mut cluster.object.status;
    let txn = match due {
        Due::Follow(schedule) => {
            let handled = world.now();
            status.drill = schedule.map(|of| DrillProgress { schedule: of.schedule, handled });
            Txn::new()
        }
        Due::Run(of, slot) => {
            status.drill = Some(progress(&of, slot));
            Txn::new().insert(&operation(world, &cluster.object, &of, slot))
        }
        Due::Skip(of, slot, why) => {
            info!(cluster = %cluster.object.spec.name, "the drill of {slot} is skipped: {why}");
            status.drill = Some(progress(&of, slot));
            let skipped = Operation {
                status: OperationStatus::Cancelled,
                ended_at: Some(world.now()),
                message: format!("skipped: {why}"),
                ..operation(world, &cluster.object, &of, slot)
            };
            Txn::new().insert(&skipped)
        }
    };
    world.store.commit(txn.update(&cluster)).await?;
    Ok(Progress::Moved)
}

fn progress(of: &DrillSchedule, handled: Timestamp) -> DrillProgress {
    DrillProgress { schedule: of.schedule.clone(), handled }
}

fn operation(world: &World, cluster: &Cluster, of: &DrillSchedule, slot: Timestamp) -> Operation {
    let (kind, allow_loss) = (of.kind, of.allow_loss);
    let drill = Drill { kind, allow_loss, due_at: Some(slot), ..Drill::default() };
    let mut operation = Operation {
        reason: "a drill is due".to_owned(),
        rule: 601,
        ..Operation::queued(cluster, OperationKind::Drill, "bellwether", world.now())
    };
    write_state(&mut operation, &drill);
    operation
}
