//! Follows the schedules of backups, and removes from repositories what is no longer kept.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bellwether_contracts::Failure;
use bellwether_model::backup::BackupStatus;
use bellwether_model::{Backup, Cluster, Operation, OperationKind, RepositoryId};
use bellwether_planner::backups::Due;
use bellwether_store::logs::Windows;
use bellwether_store::{Stored, Txn, backups, repositories};
use tracing::{info, warn};

use crate::runner::Progress;
use crate::world::World;

/// Between two looks for what is to be removed.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Before a removal that failed is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(60);

/// Does what the schedule asks for now.
pub(crate) async fn follow(
    world: &Arc<World>,
    cluster: &Stored<Cluster>,
    due: Due,
) -> Result<Progress, bellwether_store::Error> {
    let mut cluster = cluster.clone();
    let txn = match due {
        Due::Follow(schedule) => {
            let standing = &mut cluster.object.status.backup;
            let now = schedule.is_some().then(|| world.now());
            (standing.handled, standing.since, standing.schedule) = (now, now, schedule);
            Txn::new()
        }
        Due::Run(_) | Due::Base => {
            let standing = &mut cluster.object.status.backup;
            let (slot, reason) = match due {
                Due::Run(slot) => {
                    standing.handled = Some(slot);
                    (slot, "a backup is due")
                }
                _ => (world.now(), "the log that is kept has no backup to go on from"),
            };
            // Whichever it is, the log can go on from it, once some is stored.
            if let Some(log) = standing.log.as_mut().filter(|log| log.to.is_some()) {
                log.base_asked_at = Some(world.now());
            }
            let wanted = cluster.object.spec.backup.clone();
            let name = wanted.as_ref().map(|wanted| wanted.repository.clone()).unwrap_or_default();
            match repositories::find(&world.store, &name) {
                Some(repository) => {
                    let operation = Operation {
                        reason: reason.to_owned(),
                        rule: 603,
                        ..Operation::queued(
                            &cluster.object,
                            OperationKind::Backup,
                            "bellwether",
                            world.now(),
                        )
                    };
                    let rate_kib = wanted.map_or(0, |wanted| wanted.rate_kib);
                    let (backup, operation) = backups::begin(
                        &cluster.object,
                        &repository.object,
                        operation,
                        Some(slot),
                        rate_kib,
                    );
                    Txn::new().insert(&backup).insert(&operation)
                }
                None => {
                    let why = format!("there is no repository `{name}` any more");
                    cluster.object.status.backup.failure = Some(why);
                    Txn::new()
                }
            }
        }
    };
    world.store.commit(txn.update(&cluster)).await?;
    Ok(Progress::Moved)
}

/// Removes what is to be removed, for ever.
pub async fn run(world: Arc<World>) {
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        recount(&world).await;
        let gone = |backup: &Backup| backup.status == BackupStatus::Deleting;
        let mut all: BTreeMap<RepositoryId, Vec<Stored<Backup>>> = BTreeMap::new();
        for backup in world.store.list_where(gone) {
            all.entry(backup.object.repository.clone()).or_default().push(backup);
        }
        for (repository, of_it) in all {
            if let Err(failure) = remove(&world, &repository, &of_it).await {
                warn!("backups could not be removed: {failure}");
                note(&world, of_it, &failure).await;
                tokio::time::sleep(RETRY_AFTER).await;
            }
        }
    }
}

/// Nothing is called recoverable or proven whose backup is gone, whoever let it go.
async fn recount(world: &World) {
    let reaches = |cluster: &Cluster| cluster.status.backup.recoverable_to.is_some();
    let clusters = world.store.list_where(reaches);
    if clusters.is_empty() {
        return;
    }
    let is_complete = |backup: &Backup| backup.status == BackupStatus::Complete;
    let all = world.store.list_where(is_complete);
    for mut cluster in clusters {
        let id = cluster.object.id.clone();
        let kept = all.iter().map(|backup| &backup.object).filter(|backup| backup.cluster == id);
        let taken_at = |backup: &Backup| backup.facts.as_ref().map(|facts| facts.taken_at);
        let is_proven = |backup: &&Backup| backup.proof.as_ref().is_some_and(|proof| proof.proven);
        let mut reached = kept.clone().filter_map(taken_at).max();
        if cluster.object.status.backup.recoverable_to > reached {
            // By the log that was kept, perhaps.
            let windows = Windows::look(&world.store);
            let with_log = |one: &Backup| windows.show(&world.store, one.clone()).recoverable_to;
            reached = reached.max(kept.clone().filter_map(with_log).max());
        }
        let proven = kept.filter(is_proven).filter_map(taken_at).max();
        let standing = &mut cluster.object.status.backup;
        if standing.recoverable_to > reached || standing.proven_to > proven {
            standing.recoverable_to = standing.recoverable_to.min(reached);
            standing.proven_to = standing.proven_to.min(proven);
            // Changed by somebody else meanwhile: the next look does it.
            let _ = world.store.commit(Txn::new().update(&cluster)).await;
        }
    }
}

async fn remove(
    world: &World,
    id: &RepositoryId,
    backups: &[Stored<Backup>],
) -> Result<(), Failure> {
    let archives: Vec<String> =
        backups.iter().flat_map(|backup| backup.object.archives.clone()).collect();
    if !archives.is_empty()
        && let Some(access) = repositories::access(&world.store, id)
    {
        (world.repositories)(&access).remove(&archives).await?;
    }
    let txn = backups
        .iter()
        .fold(Txn::new(), |txn, backup| txn.delete::<Backup>(backup.object.id.as_str(), None));
    let removed = world.store.commit(txn).await;
    removed.map_err(|error| Failure::transient(error.to_string()))?;
    info!("{} backups were removed from their repository", backups.len());
    Ok(())
}

/// Says why it is still there.
async fn note(world: &World, backups: Vec<Stored<Backup>>, failure: &Failure) {
    for mut backup in backups {
        let words = format!("it could not be removed: {failure}; trying again");
        if backup.object.message != words {
            backup.object.message = words;
            let _ = world.store.commit(Txn::new().update(&backup)).await;
        }
    }
}
