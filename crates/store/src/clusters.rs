//! Clusters, and the claims on their names.

use bellwether_model::{Cluster, ClusterId};
use serde::{Deserialize, Serialize};

use crate::{Object, Store, Stored};

impl Object for Cluster {
    const KIND: &'static str = "cluster";

    fn key(&self) -> String {
        self.id.to_string()
    }
}

/// Inserted with a cluster and deleted with it: no two clusters have one name at one time.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NameClaim {
    pub name: String,
    pub cluster: ClusterId,
}

impl Object for NameClaim {
    const KIND: &'static str = "cluster-name";

    fn key(&self) -> String {
        self.name.clone()
    }
}

/// The cluster with this id or name.
#[must_use]
pub fn find(store: &Store, text: &str) -> Option<Stored<Cluster>> {
    store.find(text).or_else(|| {
        let claim = store.find::<NameClaim>(text)?;
        store.find(claim.object.cluster.as_str())
    })
}

/// The shards of a cluster, in their order.
#[must_use]
pub fn shards(store: &Store, whole: &ClusterId) -> Vec<Stored<Cluster>> {
    let mut shards = store.list_where(|cluster: &Cluster| {
        cluster.shard.as_ref().is_some_and(|shard| shard.of == *whole)
    });
    shards.sort_by_key(|cluster| cluster.object.shard.as_ref().map(|shard| shard.index));
    shards
}
