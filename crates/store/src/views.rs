//! A cluster as decisions look at it: what is stored and what was reported, at one moment.

use bellwether_model::{Cluster, ClusterId, Node, Operation, OperationStatus, Timestamp};
use bellwether_planner::{NodeFacts, View};

use crate::{Store, Stored, live, nodes, operations};

/// The view of a cluster, where there is one.
#[must_use]
pub fn view(store: &Store, id: &ClusterId) -> Option<View> {
    let cluster: Stored<Cluster> = store.find(id.as_str())?;
    let cluster = cluster.object;
    let nodes = nodes::of_cluster(store, id).into_iter().map(|n| facts(store, n.object)).collect();
    let operation = cluster
        .status
        .operation
        .as_ref()
        .and_then(|id| store.find::<Operation>(id.as_str()))
        .map(|operation| operation.object)
        .filter(|operation| operation.status == OperationStatus::Running);
    let queued = operations::queued(store, id).into_iter().map(|o| o.object).collect();
    let now = Timestamp::now();
    let age = |at: Timestamp| now.millis_since(at);
    let last_failure_age_ms = operations::newest(store, Some(id))
        .into_iter()
        .find(|operation| {
            operation.object.status == OperationStatus::Failed && operation.object.rule != 0
        })
        .and_then(|operation| operation.object.ended_at)
        .map(age);
    Some(View {
        last_failover_age_ms: cluster.status.last_failover_at.map(age),
        cluster,
        nodes,
        operation,
        queued,
        server_age_ms: millis(store.live().started().elapsed()),
        last_failure_age_ms,
    })
}

fn facts(store: &Store, node: Node) -> NodeFacts {
    let seen = store.live().get(&node.id).map(|seen: live::Seen| bellwether_planner::Seen {
        age_ms: millis(seen.at.elapsed()),
        connected: seen.connected,
        agent_version: seen.agent_version,
        report: seen.report,
    });
    let machine_stopped = store.live().machine_stopped(&node.id);
    NodeFacts { node, seen, machine_stopped }
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
