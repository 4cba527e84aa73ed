//! One pass over one cluster: what was seen, and what is to be saved.

use bellwether_model::node::NodePhase;
use bellwether_model::{Cluster, Node, NodeId, Operation, Target, Timestamp};
use bellwether_planner::View;
use bellwether_store::secrets::Secret;
use bellwether_store::{Store, Stored, Txn};

/// What a step answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Done; go on with the next step.
    Next,
    /// Not yet; what it waits for, in words.
    Wait(String),
    /// It cannot be done; why.
    Fail(String),
    /// It is no longer wanted; why.
    Cancel(String),
}

impl Outcome {
    pub fn wait(text: impl Into<String>) -> Self {
        Self::Wait(text.into())
    }

    pub fn fail(text: impl Into<String>) -> Self {
        Self::Fail(text.into())
    }
}

/// The stored objects of a cluster, read once, changed in memory, saved together.
pub struct Pass {
    pub view: View,
    /// The wall clock when everything was read.
    pub now: Timestamp,
    pub cluster: Stored<Cluster>,
    pub nodes: Vec<Stored<Node>>,
    cluster_before: Cluster,
    nodes_before: Vec<Node>,
    inserted: Vec<Node>,
    secrets: Vec<Secret>,
    /// More to save in the same commit.
    pub extra: Vec<Box<dyn FnOnce(Txn) -> Txn + Send>>,
    /// Delete the cluster and everything of it that is left.
    pub forget_cluster: bool,
    forgotten: Vec<NodeId>,
}

impl Pass {
    /// Reads everything of a cluster.
    #[must_use]
    pub fn read(store: &Store, cluster: &Stored<Cluster>) -> Option<Self> {
        let view = bellwether_store::views::view(store, &cluster.object.id)?;
        let nodes: Vec<Stored<Node>> =
            bellwether_store::nodes::of_cluster(store, &cluster.object.id);
        Some(Self {
            view,
            now: store.now(),
            cluster: cluster.clone(),
            cluster_before: cluster.object.clone(),
            nodes_before: nodes.iter().map(|node| node.object.clone()).collect(),
            nodes,
            inserted: Vec::new(),
            secrets: Vec::new(),
            extra: Vec::new(),
            forget_cluster: false,
            forgotten: Vec::new(),
        })
    }

    /// The node to change, where it exists.
    pub fn node_mut(&mut self, id: &NodeId) -> Option<&mut Node> {
        self.nodes.iter_mut().map(|node| &mut node.object).find(|node| node.id == *id)
    }

    pub fn assign(&mut self, id: &NodeId, target: Target) {
        if let Some(node) = self.node_mut(id) {
            node.target = target;
        }
    }

    pub fn set_phase(&mut self, id: &NodeId, phase: NodePhase) {
        if let Some(node) = self.node_mut(id) {
            node.phase = phase;
        }
    }

    /// A new node, saved with the rest.
    pub fn insert_node(&mut self, node: Node) {
        self.inserted.push(node);
    }

    /// The new nodes of this pass.
    pub fn inserted(&self) -> impl Iterator<Item = &Node> {
        self.inserted.iter()
    }

    /// A secret, saved with the rest.
    pub fn put_secret(&mut self, secret: Secret) {
        self.secrets.push(secret);
    }

    /// Deletes a node from the store with the rest.
    pub fn forget_node(&mut self, id: &NodeId) {
        self.forgotten.push(id.clone());
    }

    #[must_use]
    pub fn forgotten_nodes(&self) -> &[NodeId] {
        &self.forgotten
    }

    /// Everything that changed, and the operation.
    pub fn into_txn(self, operation: Option<&Stored<Operation>>) -> Txn {
        let mut txn = Txn::new();
        if let Some(operation) = operation {
            txn = txn.update(operation);
        }
        for add in self.extra {
            txn = add(txn);
        }
        for secret in &self.secrets {
            txn = txn.put(secret);
        }
        for node in &self.inserted {
            txn = txn.insert(node);
        }
        for (node, before) in self.nodes.iter().zip(&self.nodes_before) {
            if self.forgotten.contains(&node.object.id) || self.forget_cluster {
                txn = txn.delete::<Node>(node.object.id.as_str(), Some(node.revision));
            } else if node.object != *before {
                txn = txn.update(node);
            }
        }
        if self.forget_cluster {
            txn.delete::<Cluster>(self.cluster.object.id.as_str(), Some(self.cluster.revision))
        } else if self.cluster.object != self.cluster_before {
            txn.update(&self.cluster)
        } else {
            txn
        }
    }

    /// Whether there is anything to save beside an operation.
    #[must_use]
    pub fn has_changes(&self) -> bool {
        self.forget_cluster
            || self.cluster.object != self.cluster_before
            || !self.inserted.is_empty()
            || !self.secrets.is_empty()
            || !self.extra.is_empty()
            || !self.forgotten.is_empty()
            || self.nodes.iter().zip(&self.nodes_before).any(|(node, old)| node.object != *old)
    }
}
