//! Has the logs of clusters kept: says which stretch is stored where, writes down what was stored,
//! and lets go of what nothing needs any more.
//!
//! A stretch has no gap. When log is gone before it was stored, that is said with the cluster,
//! another stretch begins, and a backup is taken for it to go on from.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bellwether_contracts::Failure;
use bellwether_model::backup::BackupStatus;
use bellwether_model::log::{KeptPiece, LogPiece, LogReport, LogStanding, StoredPiece};
use bellwether_model::{
    Backup, BackupId, Cluster, ClusterId, ClusterPhase, OperationId, RepositoryId,
};
use bellwether_planner::{View, logs};
use bellwether_store::{Stored, Txn, backups, logs as stored, repositories};
use tracing::{info, warn};

use crate::pass::Pass;
use crate::world::World;

/// Between two looks for what nothing needs any more.
const LOOK_EVERY: Duration = Duration::from_secs(20);

/// Needless pieces are removed once there are so many, or once one has lain there for so long: each
/// removal looks through the whole repository.
const TOGETHER: usize = 60;
const LAIN_MS: u64 = 60 * 60_000;

/// Has the log of a cluster kept as its schedule asks; whether something was written down.
pub(crate) async fn keep(
    world: &World,
    cluster: &Stored<Cluster>,
    view: &View,
) -> Result<bool, bellwether_store::Error> {
    let standing = cluster.object.status.backup.log.as_ref();
    let Some(wanted) = logs::wanted(view) else {
        return match standing {
            Some(_) => save(world, cluster, None, Txn::new()).await,
            None => Ok(false),
        };
    };
    // Where it goes, and from whom.
    let repository = repositories::find(&world.store, &wanted.repository);
    let (Some(repository), Some(primary)) = (repository, view.primary()) else { return Ok(false) };
    let repository = &repository.object.repository.id;
    let Some(standing) = standing.filter(|standing| standing.repository == *repository) else {
        return save(world, cluster, Some(begin(world, repository, None)), Txn::new()).await;
    };
    let report = primary.worker().and_then(|worker| worker.log.as_ref());
    let Some(report) = report.filter(|report| report.stretch == standing.stretch) else {
        return Ok(false);
    };
    let (next, txn) = note(world, &cluster.object.id, standing, report);
    if next == *standing {
        return Ok(false);
    }
    if let Some(gap) = &next.gap
        && standing.gap.as_ref() != Some(gap)
    {
        warn!(cluster = %cluster.object.spec.name, "the log has a gap: {gap}");
    }
    save(world, cluster, Some(next), txn).await
}

async fn save(
    world: &World,
    cluster: &Stored<Cluster>,
    standing: Option<LogStanding>,
    txn: Txn,
) -> Result<bool, bellwether_store::Error> {
    let mut cluster = cluster.clone();
    let backup = &mut cluster.object.status.backup;
    // What could be restored can be restored although its log is kept no longer.
    let reached = logs::reached(backup.log.as_ref());
    backup.recoverable_to = backup.recoverable_to.max(reached);
    backup.log = standing;
    world.store.commit(txn.update(&cluster)).await?;
    Ok(true)
}

/// The data of a cluster was replaced: its log goes on in another stretch, and what was stored
/// stays.
pub(crate) fn begin_anew(world: &World, pass: &mut Pass) {
    let backup = &mut pass.cluster.object.status.backup;
    let reached = logs::reached(backup.log.as_ref());
    backup.recoverable_to = backup.recoverable_to.max(reached);
    let repository = backup.log.as_ref().map(|log| log.repository.clone());
    backup.log = repository.map(|repository| begin(world, &repository, None));
}

fn begin(world: &World, repository: &RepositoryId, gap: Option<String>) -> LogStanding {
    LogStanding {
        stretch: OperationId::generate().to_string(),
        repository: repository.clone(),
        began_at: world.now(),
        to: None,
        until: None,
        has_base: false,
        base_asked_at: None,
        failure: None,
        gap,
    }
}

/// What is known after a report, and what is written down beside it.
fn note(
    world: &World,
    cluster: &ClusterId,
    standing: &LogStanding,
    report: &LogReport,
) -> (LogStanding, Txn) {
    let mut next = standing.clone();
    let mut txn = Txn::new();
    // Agents tell a piece until they hear that it is known. This is asked for often.
    let is_new = |stored: &&StoredPiece| standing.to.is_none_or(|to| stored.piece.to > to);
    let fresh: Vec<&StoredPiece> = report.pieces.iter().filter(is_new).collect();
    let known = match fresh.is_empty() {
        true => Vec::new(),
        false => stored::of_cluster(&world.store, cluster),
    };
    let mut replaced: BTreeSet<BackupId> = BTreeSet::new();
    for stored in fresh {
        if !joins(&stored.piece, &next) {
            let gap = format!("what was stored before {} is not known", stored.piece.from);
            return (begin(world, &standing.repository, Some(gap)), Txn::new());
        }
        for kept in known.iter().filter(|kept| replaces(&stored.piece, &kept.object.piece)) {
            if replaced.insert(kept.object.piece.id.clone()) {
                let mut kept = kept.clone();
                kept.object.needless_since = Some(world.now());
                txn = txn.update(&kept);
            }
        }
        txn = txn.insert(&KeptPiece {
            piece: stored.piece.clone(),
            repository: standing.repository.clone(),
            archive: stored.archive.clone(),
            needless_since: None,
        });
        next.to = Some(stored.piece.to);
    }
    next.until = next.until.max(report.until);
    next.failure.clone_from(&report.failure);
    match &report.gap {
        // What was stored until then stays.
        Some(gap) => (begin(world, &standing.repository, Some(gap.clone())), txn),
        None => (next, txn),
    }
}

/// Whether there is no gap before a piece. A server whose store is an older copy may know less than
/// it was told.
fn joins(piece: &LogPiece, standing: &LogStanding) -> bool {
    standing.to.is_none_or(|to| piece.from.offset <= to.offset)
}

/// Whether a piece is what another one was, and what was written since. One that ends in what was
/// lost with a primary stays.
fn replaces(piece: &LogPiece, other: &LogPiece) -> bool {
    piece.stretch == other.stretch && piece.from == other.from && piece.goes_back_to(other.to)
}

/// Whether a complete backup is one that the log which is being stored goes on from.
pub(crate) fn is_base(world: &World, backup: &Backup, standing: &LogStanding) -> bool {
    let Some(facts) = &backup.facts else { return false };
    let kept = stored::of_cluster(&world.store, &backup.cluster).into_iter();
    let pieces: Vec<LogPiece> = kept.map(|kept| kept.object.piece).collect();
    backup.repository == standing.repository && logs::leads(facts, &pieces, standing)
}

/// Looks whether there still are backups that logs go on from: the last one may have been deleted,
/// or hold what was lost with a primary.
async fn check_bases(world: &World) -> Result<(), bellwether_store::Error> {
    for mut cluster in world.store.list_where(|cluster: &Cluster| {
        let log = cluster.status.backup.log.as_ref();
        log.is_some_and(|log| log.to.is_some())
    }) {
        let of_cluster = backups::newest(&world.store, Some(&cluster.object.id));
        let Some(log) = &mut cluster.object.status.backup.log else { continue };
        let mut complete =
            of_cluster.iter().filter(|known| known.object.status == BackupStatus::Complete);
        let has_base = complete.any(|known| is_base(world, &known.object, log));
        if has_base == log.has_base {
            continue;
        }
        log.has_base = has_base;
        match has_base {
            true => log.gap = None,
            // Another one is taken at once.
            false => log.base_asked_at = None,
        }
        match world.store.commit(Txn::new().update(&cluster)).await {
            // Somebody changed it meanwhile: it is looked at again.
            Ok(_) | Err(bellwether_store::Error::Conflict { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Lets go of what nothing needs any more, for ever.
pub async fn run(world: Arc<World>) {
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = check_bases(&world).await {
            warn!("backups that logs go on from cannot be looked at: {error}");
        }
        if is_restoring(&world) {
            continue;
        }
        if let Err(error) = expire(&world).await {
            warn!("log that is not needed stays: {error}");
        }
        for (repository, pieces) in needless(&world) {
            if let Err(failure) = remove(&world, &repository, &pieces).await {
                warn!("log that is not needed stays: {failure}");
            }
        }
    }
}

/// Whether a cluster is being restored to a moment: what it needs stays.
fn is_restoring(world: &World) -> bool {
    let is_under_way = |cluster: &Cluster| {
        cluster.status.primary.is_none()
            && cluster.status.phase != ClusterPhase::Failed
            && cluster.spec.source.as_ref().is_some_and(|source| source.at.is_some())
    };
    !world.store.list_where(is_under_way).is_empty()
}

/// Notes which pieces no backup that is kept goes on with.
async fn expire(world: &World) -> Result<(), bellwether_store::Error> {
    let mut all: BTreeMap<ClusterId, Vec<Stored<KeptPiece>>> = BTreeMap::new();
    for kept in world.store.list_where(|kept: &KeptPiece| kept.needless_since.is_none()) {
        all.entry(kept.object.piece.cluster.clone()).or_default().push(kept);
    }
    for (id, of_it) in all {
        let of_cluster = backups::newest(&world.store, Some(&id));
        let of_cluster: Vec<Backup> = of_cluster.into_iter().map(|known| known.object).collect();
        let cluster = world.store.find::<Cluster>(id.as_str()).map(|known| known.object);
        let has_base = of_cluster.iter().any(|known| known.status == BackupStatus::Complete);
        let is_kept = |cluster: &Cluster| cluster.status.backup.log.is_some();
        if cluster.as_ref().is_some_and(is_kept) && !has_base {
            // The backup that it waits for is still to come.
            continue;
        }
        // Of a cluster that is no more, or has no schedule, what its backups go on with is kept.
        let keep = cluster.and_then(|cluster| cluster.spec.backup).map(|wanted| wanted.keep);
        let days = keep.map_or(u32::MAX, |keep| keep.log_days);
        let pieces: Vec<LogPiece> = of_it.iter().map(|kept| kept.object.piece.clone()).collect();
        let gone = logs::needless(&pieces, &of_cluster, days, world.now());
        let gone: BTreeSet<&BackupId> = gone.into_iter().map(|piece| &piece.id).collect();
        if gone.is_empty() {
            continue;
        }
        let mut txn = Txn::new();
        for mut kept in of_it.into_iter().filter(|kept| gone.contains(&kept.object.piece.id)) {
            kept.object.needless_since = Some(world.now());
            txn = txn.update(&kept);
        }
        world.store.commit(txn).await?;
    }
    Ok(())
}

/// What is worth a removal, by repository.
fn needless(world: &World) -> BTreeMap<RepositoryId, Vec<Stored<KeptPiece>>> {
    let mut all: BTreeMap<RepositoryId, Vec<Stored<KeptPiece>>> = BTreeMap::new();
    for kept in world.store.list_where(|kept: &KeptPiece| kept.needless_since.is_some()) {
        all.entry(kept.object.repository.clone()).or_default().push(kept);
    }
    let has_lain = |kept: &Stored<KeptPiece>| {
        let since = kept.object.needless_since;
        since.is_some_and(|since| world.now().millis_since(since) > LAIN_MS)
    };
    all.retain(|_, pieces| pieces.len() >= TOGETHER || pieces.iter().any(has_lain));
    all
}

async fn remove(
    world: &World,
    id: &RepositoryId,
    pieces: &[Stored<KeptPiece>],
) -> Result<(), Failure> {
    let archives: Vec<String> = pieces.iter().map(|kept| kept.object.archive.clone()).collect();
    if let Some(access) = repositories::access(&world.store, id) {
        (world.repositories)(&access).remove(&archives).await?;
    }
    let txn = pieces
        .iter()
        .fold(Txn::new(), |txn, kept| txn.delete::<KeptPiece>(kept.object.piece.id.as_str(), None));
    let removed = world.store.commit(txn).await;
    removed.map_err(|error| Failure::transient(error.to_string()))?;
    info!("{} pieces of log were removed from their repository", pieces.len());
    Ok(())
}

#[cfg(test)]
mod tests {
    use bellwether_model::Timestamp;
    use bellwether_model::replication::Position;

    use super::*;

    fn piece(from: u64, to: u64) -> LogPiece {
        LogPiece {
            id: format!("{from}-{to}").into(),
            cluster: "c".into(),
            stretch: "s".into(),
            from: Position { timeline: 1, offset: from },
            to: Position { timeline: 1, offset: to },
            until: Timestamp::from_millis(0),
            history: Vec::new(),
            size: 1,
        }
    }

    #[test]
    fn a_piece_that_grew_replaces_what_it_was_and_joins_what_was_before() {
        assert!(replaces(&piece(10, 30), &piece(10, 20)));
        assert!(!replaces(&piece(20, 30), &piece(10, 20)));
        let next = LogPiece {
            to: Position { timeline: 2, offset: 35 },
            history: vec![Position { timeline: 1, offset: 10 }],
            ..piece(10, 35)
        };
        assert!(!replaces(&next, &piece(10, 30)), "it alone holds what was lost");
        let standing = LogStanding {
            stretch: "s".into(),
            repository: "r".into(),
            began_at: Timestamp::from_millis(0),
            to: Some(Position { timeline: 1, offset: 20 }),
            until: None,
            has_base: false,
            base_asked_at: None,
            failure: None,
            gap: None,
        };
        assert!(joins(&piece(10, 30), &standing) && joins(&piece(20, 30), &standing));
        assert!(!joins(&piece(21, 30), &standing));
    }
}
