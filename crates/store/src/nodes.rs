//! Nodes.

use bellwether_model::{ClusterId, Node};

use crate::{Object, Store, Stored};

impl Object for Node {
    const KIND: &'static str = "node";

    fn key(&self) -> String {
        self.id.to_string()
    }
}

/// The nodes of a cluster by ordinal.
#[must_use]
pub fn of_cluster(store: &Store, cluster: &ClusterId) -> Vec<Stored<Node>> {
    let mut nodes = store.list_where(|node: &Node| node.cluster == *cluster);
    nodes.sort_by_key(|node| node.object.ordinal);
    nodes
}
