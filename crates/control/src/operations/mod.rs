//! The operations, one file each. A step may run again at any time and returns at once; it changes
//! what is assigned and reads what is reported, and never talks to an agent.

pub mod add_node;
pub mod backup;
pub mod create_cluster;
pub mod delete_cluster;
pub mod drill;
pub mod failover;
pub mod gaps;
pub mod maintenance;
pub mod nodes;
pub mod prove;
pub mod reconfigure;
pub mod rejoin;
pub mod remove_node;
pub mod replace_node;
pub mod reshard;
pub mod restore;
pub mod resync;
pub mod shards;
pub mod switchover;
pub mod term;

use std::sync::Arc;

use bellwether_model::{Operation, OperationKind};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::pass::{Outcome, Pass};
use crate::world::World;

/// Runs the step of that name once.
pub fn step(world: &Arc<World>, pass: &mut Pass, op: &mut Operation, name: &str) -> Outcome {
    match op.kind {
        OperationKind::CreateCluster => create_cluster::step(world, pass, op, name),
        OperationKind::AddNode => add_node::step(world, pass, op, name),
        OperationKind::RemoveNode => remove_node::step(world, pass, op, name),
        OperationKind::ReplaceNode => replace_node::step(world, pass, op, name),
        OperationKind::Switchover => switchover::step(world, pass, op, name),
        OperationKind::Failover => failover::step(world, pass, op, name),
        OperationKind::Rejoin => rejoin::step(world, pass, op, name),
        OperationKind::Resync => resync::step(world, pass, op, name),
        OperationKind::Reconfigure => reconfigure::step(world, pass, op, name),
        OperationKind::Drill => drill::step(world, pass, op, name),
        OperationKind::Reshard => reshard::step(world, pass, op, name),
        OperationKind::Restore | OperationKind::UndoRestore => restore::step(world, pass, op, name),
        OperationKind::KeepRestored => restore::keep(pass),
        OperationKind::Backup => backup::step(world, pass, op, name),
        OperationKind::Prove => prove::step(world, pass, op, name),
        OperationKind::Drain
        | OperationKind::Undrain
        | OperationKind::Reboot
        | OperationKind::Resize => maintenance::step(world, pass, op, name),
        OperationKind::DeleteCluster => delete_cluster::step(world, pass, op, name),
    }
}

/// What the steps of an operation have learned; the default before the first.
pub(crate) fn read_state<T: DeserializeOwned + Default>(op: &Operation) -> T {
    serde_json::from_value(op.state.clone()).unwrap_or_default()
}

pub(crate) fn write_state<T: Serialize>(op: &mut Operation, state: &T) {
    op.state = serde_json::to_value(state).expect("a state is plain data");
}

/// Milliseconds since the operation began.
pub(crate) fn age_ms(pass: &Pass, op: &Operation) -> u64 {
    op.started_at.map_or(0, |started| pass.now.millis_since(started))
}

/// The answer to a step of a name this version does not know: written by another version.
pub(crate) fn unknown_step(name: &str) -> Outcome {
    Outcome::Fail(format!("this version of the server has no step `{name}`"))
}
