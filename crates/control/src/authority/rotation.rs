//! The rotation of the authority: makes the other one when somebody asked for it, and lets go of
//! the former one when nobody has a certificate of it any more.
//!
//! It is three issues of certificates. With the first, nodes trust both; with the second, they show
//! those of the new one; with the third, they trust it alone. Only the second is begun by a person,
//! who knows when clients trust the new one, too.

use std::sync::Arc;
use std::time::Duration;

use bellwether_store::settings::{Rotation, ServerSettings};
use bellwether_store::{Object as _, Stored, Txn};
use tracing::{info, warn};

use super::{Error, KEY_CONTEXT, make};
use crate::world::World;

/// Between two looks: whether nodes have their certificates is seen by their reports.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Carries rotations on for ever.
pub async fn run(world: Arc<World>) {
    let mut changes = world.store.watch();
    loop {
        if let Err(error) = go_on(&world).await {
            warn!("the rotation of the authority does not go on: {error}; trying again");
            tokio::time::sleep(LOOK_EVERY).await;
        }
        let is_under_way = ServerSettings::of(&world.store)
            .is_some_and(|settings| settings.object.rotation.is_some());
        if is_under_way {
            tokio::time::sleep(LOOK_EVERY).await;
            continue;
        }
        loop {
            match changes.recv().await {
                Ok(change) if change.kind != ServerSettings::KIND => {}
                Err(tokio::sync::broadcast::error::RecvError::Closed) => return,
                _ => break,
            }
        }
    }
}

/// The next step, where there is one.
///
/// # Errors
/// When the store does not keep it.
pub async fn go_on(world: &World) -> Result<(), Error> {
    let Some(mut settings) = ServerSettings::of(&world.store) else { return Ok(()) };
    match settings.object.rotation {
        Some(Rotation::Asked) => {
            let number = settings.object.issue + 1;
            let (certificate, key) = make(&settings.object.instance, number)?;
            let key = world.store.seal(KEY_CONTEXT, &key);
            settings.object.introduce(number, certificate, key);
            save(world, &settings).await?;
            info!("another authority is made; nodes are told of it");
        }
        Some(Rotation::Former { .. }) if settings.object.state(&world.store).1.is_empty() => {
            settings.object.end_rotation();
            save(world, &settings).await?;
            info!("every node has a certificate of the new authority; the former one has ended");
        }
        Some(Rotation::Next { .. } | Rotation::Former { .. }) | None => {}
    }
    Ok(())
}

async fn save(world: &World, settings: &Stored<ServerSettings>) -> Result<(), Error> {
    // It was changed meanwhile: the next look sees how.
    match world.store.commit(Txn::new().update(settings)).await {
        Ok(_) | Err(bellwether_store::Error::Conflict { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
