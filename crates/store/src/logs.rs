//! The pieces of clusters' logs, also of clusters that were.

use bellwether_model::log::{KeptPiece, LogPiece};
use bellwether_model::{Backup, Cluster, ClusterId, Timestamp};
use bellwether_planner::logs;

use crate::{Object, Store, Stored};

impl Object for KeptPiece {
    const KIND: &'static str = "log_piece";

    fn key(&self) -> String {
        self.piece.id.to_string()
    }
}

/// The pieces of a cluster's log that are needed.
#[must_use]
pub fn of_cluster(store: &Store, cluster: &ClusterId) -> Vec<Stored<KeptPiece>> {
    store.list_where(|kept: &KeptPiece| {
        kept.piece.cluster == *cluster && kept.needless_since.is_none()
    })
}

/// The pieces that lie where a backup does. While nothing is written the last one holds what was
/// acknowledged until ever later moments.
fn beside(store: &Store, backup: &Backup) -> Vec<LogPiece> {
    let cluster = store.find::<Cluster>(backup.cluster.as_str());
    let standing = cluster.and_then(|cluster| cluster.object.status.backup.log);
    let kept = of_cluster(store, &backup.cluster).into_iter().map(|kept| kept.object);
    let there = kept.filter(|kept| kept.repository == backup.repository);
    there
        .map(|kept| {
            let known = standing.as_ref().filter(|log| {
                log.stretch == kept.piece.stretch && log.to == Some(kept.piece.to)
            });
            let until = known.and_then(|log| log.until).unwrap_or(kept.piece.until);
            LogPiece { until: until.max(kept.piece.until), ..kept.piece }
        })
        .collect()
}

/// The pieces that lead from a backup to that moment.
///
/// # Errors
/// Why there are none, in words.
pub fn way(store: &Store, backup: &Backup, at: Timestamp) -> Result<Vec<LogPiece>, String> {
    let facts = backup.facts.as_ref().ok_or("the backup is not complete")?;
    let pieces = beside(store, backup);
    logs::way(facts, &pieces, at).map(|way| way.into_iter().cloned().collect())
}

/// The backup with how far its log leads, for people.
#[must_use]
pub fn shown(store: &Store, mut backup: Backup) -> Backup {
    let facts = backup.facts.as_ref();
    backup.recoverable_to = facts.and_then(|facts| logs::reach(facts, &beside(store, &backup)));
    backup
}
