//! Collects what carries this server's mark at a provider and belongs to no cluster: left by a
//! crash between making something and writing it down, or by a failed deletion.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bellwether_contracts::provider::Owned;
use bellwether_model::{Cluster, Node};
use tokio::time::Instant;
use tracing::{info, warn};

use crate::lineage;
use crate::world::World;

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// What nobody refers to for so long is deleted.
const ORPHAN_AFTER: Duration = Duration::from_secs(60);

/// Looks for ever.
pub async fn run(world: Arc<World>) {
    let mut first_seen: HashMap<String, Instant> = HashMap::new();
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    loop {
        ticks.tick().await;
        // An older copy of the store does not refer to what was made since: that is nobody's to
        // delete but a person's.
        if lineage::is_restored(&world.store) {
            continue;
        }
        let mut orphans = Vec::new();
        for (name, provider) in &world.providers {
            match provider.list_owned().await {
                Ok(owned) => orphans.extend(
                    owned
                        .into_iter()
                        .filter(|owned| !is_referred_to(&world, owned))
                        .map(|owned| (name.clone(), owned)),
                ),
                Err(failure) => tracing::debug!("orphans at {name} not looked for: {failure}"),
            }
        }
        let keys: Vec<String> = orphans.iter().map(|(_, owned)| format!("{owned:?}")).collect();
        first_seen.retain(|key, _| keys.contains(key));
        for ((provider, owned), key) in orphans.into_iter().zip(keys) {
            let since = *first_seen.entry(key).or_insert_with(Instant::now);
            if since.elapsed() >= ORPHAN_AFTER {
                collect(&world, &provider, &owned).await;
            }
        }
    }
}

fn is_referred_to(world: &World, owned: &Owned) -> bool {
    match owned {
        Owned::Machine { node, .. } | Owned::Disk { node, .. } => {
            world.store.find::<Node>(node.as_str()).is_some()
        }
        Owned::Network { cluster } => world.store.find::<Cluster>(cluster.as_str()).is_some(),
    }
}

async fn collect(world: &World, provider: &str, owned: &Owned) {
    let Ok(provider) = world.provider(provider) else { return };
    let result = match owned {
        Owned::Machine { node, .. } | Owned::Disk { node, .. } => {
            provider.delete_machine(node).await
        }
        Owned::Network { cluster } => provider.delete_network(cluster).await,
    };
    match result {
        Ok(()) => info!("deleted an orphan: {owned:?}"),
        Err(failure) => warn!("an orphan could not be deleted: {owned:?}: {failure}"),
    }
}
