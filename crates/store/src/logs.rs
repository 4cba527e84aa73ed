//! The pieces of clusters' logs, also of clusters that were.

use std::collections::BTreeMap;

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

/// Of the pieces of a cluster those that lie where a backup does. While nothing is written the last
/// one holds what was acknowledged until ever later moments.
fn beside(store: &Store, backup: &Backup, of_cluster: &[Stored<KeptPiece>]) -> Vec<LogPiece> {
    let cluster = store.find::<Cluster>(backup.cluster.as_str());
    let standing = cluster.and_then(|cluster| cluster.object.status.backup.log);
    let kept = of_cluster.iter().map(|kept| &kept.object);
    let there = kept.filter(|kept| kept.repository == backup.repository);
    there
        .map(|kept| {
            let known = standing
                .as_ref()
                .filter(|log| log.stretch == kept.piece.stretch && log.to == Some(kept.piece.to));
            let until = known.and_then(|log| log.until).unwrap_or(kept.piece.until);
            LogPiece { until: until.max(kept.piece.until), ..kept.piece.clone() }
        })
        .collect()
}

/// The pieces that lead from a backup to that moment.
///
/// # Errors
/// Why there are none, in words.
pub fn way(store: &Store, backup: &Backup, at: Timestamp) -> Result<Vec<LogPiece>, String> {
    let facts = backup.facts.as_ref().ok_or("the backup is not complete")?;
    let pieces = beside(store, backup, &of_cluster(store, &backup.cluster));
    logs::way(facts, &pieces, at).map(|way| way.into_iter().cloned().collect())
}

/// Every piece that is needed, to show backups with how far their logs lead.
pub struct Windows(BTreeMap<ClusterId, Vec<Stored<KeptPiece>>>);

impl Windows {
    #[must_use]
    pub fn look(store: &Store) -> Self {
        let mut all: BTreeMap<ClusterId, Vec<Stored<KeptPiece>>> = BTreeMap::new();
        for kept in store.list_where(|kept: &KeptPiece| kept.needless_since.is_none()) {
            all.entry(kept.object.piece.cluster.clone()).or_default().push(kept);
        }
        Self(all)
    }

    /// The backup, for people.
    #[must_use]
    pub fn show(&self, store: &Store, mut backup: Backup) -> Backup {
        if let (Some(facts), Some(of_cluster)) = (&backup.facts, self.0.get(&backup.cluster)) {
            backup.recoverable_to = logs::reach(facts, &beside(store, &backup, of_cluster));
        }
        backup
    }
}
