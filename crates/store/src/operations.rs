//! Operations. Their ids sort by the time of their making.

use std::collections::HashMap;

use bellwether_model::{ClusterId, Operation, OperationKind, OperationStatus, Timestamp};

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

/// What a decision about a cluster asks of its operations.
#[derive(Default)]
pub(crate) struct Lately {
    /// Those that wait, the oldest first.
    pub(crate) queued: Vec<Operation>,
    /// Those for a time that has not come, the oldest first.
    pub(crate) scheduled: Vec<Operation>,
    /// When one that automation had started failed last.
    pub(crate) failed_at: Option<Timestamp>,
    /// When automation's failovers ended.
    pub(crate) failovers: Vec<Timestamp>,
    /// Milliseconds that writes waited in the last changes of primary, as it was measured.
    pub(crate) planned_pauses: Vec<u64>,
    pub(crate) unplanned_pauses: Vec<u64>,
}

/// Changes of primary that are looked back on.
const PAUSES_MAX: usize = 10;

/// How long writes waited in a change of primary, where somebody measured it.
fn pause(operation: &Operation) -> Option<u64> {
    let gaps = operation.state.get("gaps")?.as_array()?;
    gaps.iter().filter_map(|gap| gap.get("ms")?.as_u64()).max()
}

fn push_pause(pauses: &mut Vec<u64>, operation: &Operation) {
    pauses.extend(pause(operation));
    if pauses.len() > PAUSES_MAX {
        pauses.remove(0);
    }
}

pub(crate) fn lately(store: &Store, cluster: &ClusterId) -> Lately {
    let mut lately = Lately::default();
    store.show(|operation: &Operation| {
        if operation.cluster != *cluster {
            return;
        }
        if operation.status == OperationStatus::Succeeded {
            match operation.kind {
                OperationKind::Switchover => push_pause(&mut lately.planned_pauses, operation),
                OperationKind::Failover => push_pause(&mut lately.unplanned_pauses, operation),
                _ => {}
            }
        }
        let is_own = operation.rule != 0;
        match operation.status {
            OperationStatus::Queued => lately.queued.push(operation.clone()),
            OperationStatus::Scheduled => lately.scheduled.push(operation.clone()),
            OperationStatus::Failed if is_own => {
                lately.failed_at = lately.failed_at.max(operation.ended_at);
            }
            OperationStatus::Succeeded if is_own && operation.kind == OperationKind::Failover => {
                lately.failovers.extend(operation.ended_at);
            }
            _ => {}
        }
    });
    lately
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
