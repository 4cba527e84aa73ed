//! Takes out what was to be dropped once the engine is known not to have it any more.

use bellwether_model::Cluster;
use bellwether_model::database::Login;
use bellwether_store::secrets::{self, Secret};
use bellwether_store::{Error, Stored, Txn};
use tracing::info;

use crate::world::World;

/// Forgets these databases and users, with the users' passwords.
pub(crate) async fn forget(
    world: &World,
    cluster: &Stored<Cluster>,
    (databases, users): (Vec<String>, Vec<String>),
) -> Result<(), Error> {
    let mut cluster = cluster.clone();
    let asked = &mut cluster.object.databases;
    asked.databases.retain(|one| !(one.dropped && databases.contains(&one.name)));
    asked.users.retain(|one| !(one.dropped && users.contains(&one.name)));
    let mut txn = Txn::new().update(&cluster);
    for user in &users {
        for login in [Login::First, Login::Second] {
            let name = secrets::of_login("", &login.name(user));
            txn = txn.delete::<Secret>(&Secret::key_of(&cluster.object.id, &name), None);
        }
    }
    world.store.commit(txn).await?;
    let name = &cluster.object.spec.name;
    for gone in databases.iter().chain(&users) {
        info!(cluster = %name, "{gone} is dropped");
    }
    Ok(())
}
