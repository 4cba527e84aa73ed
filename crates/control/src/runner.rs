//! Runs operations: one step after the other; the typed state, the step and everything the step
//! changed are saved together, so that a server that is killed goes on where it was.

use std::sync::Arc;

use bellwether_model::{Cluster, Operation, OperationKind, OperationStatus, Step, StepState};
use bellwether_planner::resync;
use bellwether_planner::steps::steps;
use bellwether_store::{Stored, Txn};
use tracing::{info, warn};

use crate::operations;
use crate::pass::{Outcome, Pass};
use crate::world::World;

/// What is left to do after an advance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// A step was saved: look again at once.
    Moved,
    /// It waits.
    Waits,
}

/// The steps of an operation that begins.
#[must_use]
pub fn first_steps(operation: &Operation) -> Vec<Step> {
    let step = |(name, title): &(&str, &str)| Step {
        name: (*name).to_owned(),
        title: (*title).to_owned(),
        state: StepState::Pending,
        message: String::new(),
        started_at: None,
        ended_at: None,
    };
    let mut all: Vec<Step> = steps(operation.kind).iter().map(step).collect();
    if operation.kind == OperationKind::Resync {
        let state = operations::read_state(operation);
        all.extend(resync::steps(&state).iter().map(|(name, title)| step(&(name, title))));
    }
    all
}

/// Takes one step of the operation that runs.
///
/// # Errors
/// When the store refuses: somebody else changed the same objects; the pass is taken anew.
pub async fn advance(
    world: &Arc<World>,
    cluster: &Stored<Cluster>,
    mut operation: Stored<Operation>,
) -> Result<Progress, bellwether_store::Error> {
    let Some(mut pass) = Pass::read(&world.store, cluster) else { return Ok(Progress::Waits) };
    let (before, now) = (operation.object.clone(), pass.now);
    let Some(index) = operation.object.step_at() else {
        return finish(world, pass, operation, OperationStatus::Succeeded, String::new()).await;
    };
    let step = &mut operation.object.steps[index];
    if step.state == StepState::Pending {
        step.state = StepState::Running;
        step.started_at = Some(pass.now);
    }
    let name = step.name.clone();
    pass.step_age_ms = world.stopwatch.age_ms(&operation.object.id, &name);
    let outcome = operations::step(world, &mut pass, &mut operation.object, &name);
    let is_last = index + 1 == operation.object.steps.len();
    let step = &mut operation.object.steps[index];
    match outcome {
        Outcome::Next => {
            step.state = StepState::Done;
            step.ended_at = Some(now);
            step.message.clear();
            if is_last {
                return finish(world, pass, operation, OperationStatus::Succeeded, String::new())
                    .await;
            }
            world.store.commit(pass.into_txn(Some(&operation))).await?;
            Ok(Progress::Moved)
        }
        Outcome::Wait(words) => {
            step.message = words;
            if operation.object != before || pass.has_changes() {
                world.store.commit(pass.into_txn(Some(&operation))).await?;
            }
            Ok(Progress::Waits)
        }
        Outcome::Fail(why) => {
            step.state = StepState::Failed;
            step.message.clone_from(&why);
            step.ended_at = Some(now);
            finish(world, pass, operation, OperationStatus::Failed, why).await
        }
        Outcome::Cancel(why) => {
            step.state = StepState::Skipped;
            step.message.clone_from(&why);
            step.ended_at = Some(now);
            finish(world, pass, operation, OperationStatus::Cancelled, why).await
        }
    }
}

async fn finish(
    world: &Arc<World>,
    mut pass: Pass,
    mut operation: Stored<Operation>,
    status: OperationStatus,
    message: String,
) -> Result<Progress, bellwether_store::Error> {
    let object = &mut operation.object;
    object.status = status;
    object.ended_at = Some(pass.now);
    if !message.is_empty() || status != OperationStatus::Succeeded {
        object.message = message;
    }
    for step in &mut object.steps {
        if matches!(step.state, StepState::Pending | StepState::Running) {
            step.state = StepState::Skipped;
        }
    }
    pass.cluster.object.status.operation = None;
    let (kind, name) = (object.kind, object.cluster_name.clone());
    let id = pass.cluster.object.id.clone();
    let is_forgotten = pass.forget_cluster;
    let mut forgotten: Vec<_> = pass.forgotten_nodes().to_vec();
    if is_forgotten {
        forgotten.extend(pass.nodes.iter().map(|node| node.object.id.clone()));
    }
    let words = object.message.clone();
    world.stopwatch.forget(&object.id);
    world.store.commit(pass.into_txn(Some(&operation))).await?;
    for node in &forgotten {
        world.store.live().forget(node);
    }
    if is_forgotten {
        world.leases.forget(&id);
    }
    match status {
        OperationStatus::Failed => warn!(cluster = %name, operation = %kind, "failed: {words}"),
        _ => info!(cluster = %name, operation = %kind, "{status:?}: {words}"),
    }
    Ok(Progress::Moved)
}

/// Makes an operation that waits the one that runs.
///
/// # Errors
/// When the store refuses.
pub async fn begin(
    world: &Arc<World>,
    cluster: &Stored<Cluster>,
    mut operation: Stored<Operation>,
) -> Result<(), bellwether_store::Error> {
    let mut cluster = cluster.clone();
    let object = &mut operation.object;
    object.status = OperationStatus::Running;
    if object.steps.is_empty() {
        object.steps = first_steps(object);
    }
    object.started_at.get_or_insert_with(|| world.now());
    cluster.object.status.operation = Some(object.id.clone());
    info!(cluster = %object.cluster_name, operation = %object.kind, "begins: {}", object.reason);
    world.store.commit(Txn::new().update(&operation).update(&cluster)).await?;
    Ok(())
}
