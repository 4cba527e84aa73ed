//! Operations. Their ids sort by the time of their making.

use bellwether_model::{ClusterId, Operation, OperationStatus};

use crate::{Object, Store, Stored, Txn};

/// Ended operations that are kept, over all clusters.
const ENDED_MAX: usize = 2_000;

impl Object for Operation {
    const KIND: &'static str = "operation";

    fn key(&self) -> String {
        self.id.to_string()
    }
}

/// The operations of a cluster, or of all, the newest first.
#[must_use]
pub fn newest(store: &Store, cluster: Option<&ClusterId>) -> Vec<Stored<Operation>> {
    let mut operations = store.list::<Operation>();
    operations.retain(|operation| cluster.is_none_or(|id| operation.object.cluster == *id));
    operations.reverse();
    operations
}

/// The operations of a cluster that wait, the oldest first.
#[must_use]
pub fn queued(store: &Store, cluster: &ClusterId) -> Vec<Stored<Operation>> {
    let mut operations = store.list::<Operation>();
    operations.retain(|operation| {
        operation.object.cluster == *cluster && operation.object.status == OperationStatus::Queued
    });
    operations
}

/// Deletes the oldest ended operations beyond those that are kept.
#[must_use]
pub fn prune(store: &Store) -> Txn {
    let mut ended = store.list::<Operation>();
    ended.retain(|operation| operation.object.status.is_ended());
    let surplus = ended.len().saturating_sub(ENDED_MAX);
    ended.iter().take(surplus).fold(Txn::new(), |txn, operation| {
        txn.delete::<Operation>(operation.object.id.as_str(), Some(operation.revision))
    })
}
