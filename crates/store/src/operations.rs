//! Operations. Their ids sort by the time of their making.

use std::collections::HashMap;

use bellwether_model::{ClusterId, Operation, OperationKind, OperationStatus};

use crate::{Object, Store, Stored, Txn};

/// Ended operations that are kept, over all clusters.
const ENDED_MAX: usize = 2_000;

/// Ended operations that are kept of one cluster.
const ENDED_OF_CLUSTER_MAX: usize = 200;

impl Object for Operation {
    const KIND: &'static str = "operation";

    fn key(&self) -> String {
        self.id.to_string()
    }
}

/// The operations of a cluster, or of all, the newest first.
#[must_use]
pub fn newest(store: &Store, cluster: Option<&ClusterId>) -> Vec<Stored<Operation>> {
    let mut operations =
        store.list_where(|operation: &Operation| cluster.is_none_or(|id| operation.cluster == *id));
    operations.reverse();
    operations
}

/// The operations of a cluster that wait, the oldest first.
#[must_use]
pub fn queued(store: &Store, cluster: &ClusterId) -> Vec<Stored<Operation>> {
    store.list_where(|operation: &Operation| {
        operation.cluster == *cluster && operation.status == OperationStatus::Queued
    })
}

/// The newest failed operation of a cluster that automation had started.
#[must_use]
pub fn last_failed_by_rule(store: &Store, cluster: &ClusterId) -> Option<Stored<Operation>> {
    store
        .list_where(|operation: &Operation| {
            operation.cluster == *cluster
                && operation.status == OperationStatus::Failed
                && operation.rule != 0
        })
        .into_iter()
        .max_by_key(|operation| operation.object.ended_at)
}

/// How many failovers of a cluster automation has carried out in the last so many milliseconds.
#[must_use]
pub fn failovers_within(store: &Store, cluster: &ClusterId, within_ms: u64) -> usize {
    let now = store.now();
    let failovers = store.list_where(|operation: &Operation| {
        operation.cluster == *cluster
            && operation.kind == OperationKind::Failover
            && operation.status == OperationStatus::Succeeded
            && operation.rule != 0
            && operation.ended_at.is_some_and(|at| now.millis_since(at) <= within_ms)
    });
    failovers.len()
}

/// Adds the deletion of the ended operations that are no longer kept.
pub(crate) fn prune(store: &Store, txn: Txn) -> Txn {
    let mut kept = 0;
    let mut kept_of: HashMap<ClusterId, usize> = HashMap::new();
    let ended = store.list_where(|operation: &Operation| operation.status.is_ended());
    ended.iter().rev().fold(txn, |txn, operation| {
        let of_cluster = kept_of.entry(operation.object.cluster.clone()).or_default();
        if kept < ENDED_MAX && *of_cluster < ENDED_OF_CLUSTER_MAX {
            kept += 1;
            *of_cluster += 1;
            return txn;
        }
        txn.delete::<Operation>(operation.object.id.as_str(), None)
    })
}
