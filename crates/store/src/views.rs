//! A cluster as decisions look at it: what is stored and what was reported, at one moment.

use bellwether_model::{Cluster, ClusterId, Node, Operation, OperationStatus, Timestamp};
use bellwether_planner::{NodeFacts, View};

use crate::{Store, Stored, clusters, live, nodes, operations};

/// A clock that is corrected steps back by less.
const CLOCK_STEP_MS: u64 = 60_000;

/// Failovers within so long of each other are a sign of something that failing over does not mend.
const HOUR_MS: u64 = 3_600_000;

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
    let (shards, shard_of) = (shards_of(store, &cluster), name_of_whole(store, &cluster));
    let now = store.now();
    let lately = operations::lately(store, id);
    let is_recent = |at: &&Timestamp| now.millis_since(**at) <= HOUR_MS;
    Some(View {
        failovers_lately: lately.failovers.iter().filter(is_recent).count(),
        last_failover_age_ms: cluster.status.last_failover_at.and_then(|at| age(at, now)),
        log: store.log_facts(&cluster.spec.engine),
        can_back_up: store.can_back_up(&cluster.spec.engine),
        can_replace: store.can_replace(&cluster.spec.engine),
        cluster,
        nodes,
        operation,
        queued: lately.queued,
        scheduled: lately.scheduled,
        planned_pauses: lately.planned_pauses,
        unplanned_pauses: lately.unplanned_pauses,
        now,
        server_age_ms: millis(store.live().started().elapsed()),
        last_failure_age_ms: lately.failed_at.and_then(|at| age(at, now)),
        shards,
        shard_of,
    })
}

fn shards_of(store: &Store, cluster: &Cluster) -> Vec<View> {
    if cluster.spec.shards == 0 || cluster.shard.is_some() {
        return Vec::new();
    }
    let shards = clusters::shards(store, &cluster.id);
    shards.iter().filter_map(|shard| view(store, &shard.object.id)).collect()
}

fn name_of_whole(store: &Store, cluster: &Cluster) -> Option<String> {
    let whole = store.find::<Cluster>(cluster.shard.as_ref()?.of.as_str())?;
    Some(whole.object.spec.name)
}

/// Milliseconds since then. None for a time well ahead of the clock: the clock was set back, and
/// waiting until it has caught up could hold a failover off for days.
fn age(at: Timestamp, now: Timestamp) -> Option<u64> {
    (at.millis_since(now) <= CLOCK_STEP_MS).then(|| now.millis_since(at))
}

/// A node with what is known of it.
#[must_use]
pub fn facts(store: &Store, node: Node) -> NodeFacts {
    let seen = store.live().get(&node.id).map(|seen: live::Seen| bellwether_planner::Seen {
        age_ms: millis(seen.at.elapsed()),
        session_age_ms: millis(seen.since.elapsed()),
        connected: seen.connected,
        agent_version: seen.agent_version,
        report: seen.report,
        streamed_age_ms: store.live().streamed_at(&node.id).map(|at| millis(at.elapsed())),
    });
    let machine_stopped = store.live().machine_stopped(&node.id);
    NodeFacts { node, seen, machine_stopped }
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
