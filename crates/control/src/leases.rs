//! The server's acknowledgements of lease requests: which it may give, and when it last gave one.
//!
//! An acknowledgement is given under the same lock under which an election reads when the last was
//! given, so that none can slip in between the durable word "an election has begun" and that
//! reading.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use bellwether_model::{Cluster, ClusterId, NodeId, Term};
use bellwether_store::Store;
use tokio::time::Instant;

/// When the server last acknowledged a lease, for each cluster.
#[derive(Default)]
pub struct Leases {
    last: Mutex<HashMap<ClusterId, Instant>>,
}

impl Leases {
    /// Acknowledges a lease request if that node may be primary of that term now; `is_open` when
    /// it still serves by an earlier lease.
    pub fn acknowledge(
        &self,
        store: &Store,
        cluster: &ClusterId,
        (node, term): (&NodeId, Term),
        is_open: bool,
    ) -> bool {
        let mut last = self.last.lock().expect("nothing panics while it is held");
        let may = store
            .find::<Cluster>(cluster.as_str())
            .map(|cluster| cluster.object)
            .filter(|cluster| may_hold_lease(cluster, node, term))
            .is_some_and(|cluster| is_open || knows_of_elections(store, &cluster));
        if may {
            last.insert(cluster.clone(), Instant::now());
        }
        may
    }

    /// Time since the last acknowledgement; none when this server never gave one.
    pub fn last_age(&self, cluster: &ClusterId) -> Option<Duration> {
        let last = self.last.lock().expect("nothing panics while it is held");
        last.get(cluster).map(|at| at.elapsed())
    }

    pub fn forget(&self, cluster: &ClusterId) {
        self.last.lock().expect("nothing panics while it is held").remove(cluster);
    }
}

fn may_hold_lease(cluster: &Cluster, node: &NodeId, term: Term) -> bool {
    let status = &cluster.status;
    let is_election = status.promised != status.term;
    let holder = status.primary.as_ref().or(status.candidate.as_ref());
    // Another may have been elected since the copy was made that this store is; who was, is kept
    // alive by its voters.
    !is_election && status.unheard.is_empty() && term == status.term && holder == Some(node)
}

/// Whether nobody can have been elected whom this store, which may be an older copy, does not know
/// of: too few voters for that have not spoken to this start of the server. One that has said what
/// it was told before it asks for anything. They are waited for as long as a start waits before it
/// judges.
fn knows_of_elections(store: &Store, cluster: &Cluster) -> bool {
    let has_spoken = |id: &NodeId| store.live().get(id).is_some_and(|seen| seen.report.is_some());
    let config = &cluster.status.config;
    let settle = Duration::from_millis(cluster.spec.timers.timers().settle_ms);
    let silent = config.voters().into_iter().filter(|id| !has_spoken(id)).collect();
    store.live().started().elapsed() >= settle || !config.elects(&silent)
}
