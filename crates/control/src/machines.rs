//! Asks the provider about machines whose agents are silent: one that certainly does not run is a
//! fenced one, and has to be started again.

use std::sync::Arc;
use std::time::Duration;

use bellwether_contracts::provider::MachineState;
use bellwether_model::{Cluster, Node, NodeId};
use tokio::time::Instant;
use tracing::{debug, info, warn};

use crate::nodes_of;
use crate::world::World;

/// Between two looks at silent nodes.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// An agent that was heard within this time is not asked about.
const SILENT_AFTER: Duration = Duration::from_millis(1_000);

/// Looks for ever.
pub async fn run(world: Arc<World>) {
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            _ = ticks.tick() => {}
            () = world.machines_asked.notified() => {}
        }
        for node in world.store.list::<Node>() {
            look(&world, &node.object).await;
        }
    }
}

async fn look(world: &Arc<World>, node: &Node) {
    let live = world.store.live();
    let is_heard =
        live.get(&node.id).is_some_and(|seen| seen.connected && seen.at.elapsed() < SILENT_AFTER);
    if is_heard || node.machine.is_none() {
        live.set_machine_stopped(&node.id, None);
        return;
    }
    let cluster = world.store.find::<Cluster>(node.cluster.as_str());
    let provider = cluster.and_then(|c| world.provider(&c.object.spec.provider).ok());
    let Some(provider) = provider else { return };
    let asked_at = Instant::now();
    match provider.find_machine(&node.id).await {
        Ok(Some(machine)) => {
            let is_stopped = machine.state == MachineState::Stopped;
            live.set_machine_stopped(&node.id, is_stopped.then_some(asked_at));
        }
        Ok(None) => {}
        Err(failure) => {
            // What was true before may not be any more.
            live.set_machine_stopped(&node.id, None);
            debug!(node = %node.name, "its machine could not be asked for: {failure}");
        }
    }
}

/// Starts a machine that is off, in the background; calling it again while that goes on is fine.
pub fn start_machine(world: &Arc<World>, cluster: &Cluster, node: &NodeId) {
    let Ok(provider) = world.provider(&cluster.spec.provider) else { return };
    let name = nodes_of::name(world, node);
    let id = node.clone();
    let store = world.store.clone();
    let work = || async move {
        provider.start_machine(&id).await?;
        store.live().set_machine_stopped(&id, None);
        Ok(String::new())
    };
    match world.in_background(&cluster.id, &format!("start/{node}"), work) {
        Some(Err(failure)) => warn!(node = %name, "its machine could not be started: {failure}"),
        Some(Ok(_)) => info!(node = %name, "its machine was off and has been started"),
        None => {}
    }
}
