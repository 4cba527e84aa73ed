//! Backups: where one is taken from, when one is due, which are kept, and what is said of them.

use std::collections::BTreeSet;

use bellwether_model::backup::{BackupStatus, BackupSummary};
use bellwether_model::node::NodePhase;
use bellwether_model::schedule::Retention;
use bellwether_model::{Backup, BackupId, Timestamp};

use crate::allowed::{lag, refuse_busy};
use crate::logs;
use crate::members;
use crate::schedule::{last_until, next_after};
use crate::view::{NodeFacts, View};

/// A backup that was due so long ago and is not there is a problem.
pub const OVERDUE_MS: u64 = 60 * 60_000;

/// Why no backup can be begun now.
#[must_use]
pub fn refuse(view: &View) -> Option<String> {
    if !view.can_back_up {
        return Some(format!("{} cannot be backed up yet", view.cluster.spec.engine));
    }
    if view.is_sharded() || view.cluster.shard.is_some() {
        return Some(SHARDED.to_owned());
    }
    if view.is_multi_primary() {
        return Some(members::allowed::NO_BACKUPS.to_owned());
    }
    let is_backup = |operation: &bellwether_model::Operation| {
        operation.kind == bellwether_model::OperationKind::Backup
    };
    if view.operation.iter().chain(&view.queued).any(is_backup) {
        return Some("a backup is under way; wait until it has ended".to_owned());
    }
    refuse_busy(view).or_else(|| source(view).err())
}

/// A backup of one of them would not fit those of the others.
pub(crate) const SHARDED: &str = "a sharded cluster cannot be backed up yet: its shards would have \
    to be stored as of one moment";

/// The node to take a backup from: the replica that lags least, the primary when there is none.
///
/// # Errors
/// Why none can be taken now.
pub fn source(view: &View) -> Result<&NodeFacts, String> {
    let primary = view.primary().ok_or("there is no primary")?;
    let behind = |facts: &NodeFacts| lag(primary, facts).unwrap_or(u64::MAX);
    let replicas = view.replicas().filter(|facts| {
        is_fit(view, facts)
            && facts.streams_from(&primary.node.id)
            && behind(facts) <= view.log.lag_max
    });
    if let Some(replica) = replicas.min_by_key(|facts| behind(facts)) {
        return Ok(replica);
    }
    let is_serving = primary.serves(view.cluster.status.term);
    match is_serving && is_fit(view, primary) {
        true => Ok(primary),
        false => Err("no node is well enough to be backed up; wait".to_owned()),
    }
}

fn is_fit(view: &View, facts: &NodeFacts) -> bool {
    let is_well = facts.worker().is_some_and(|worker| !worker.disk_hangs);
    facts.node.phase == NodePhase::Active
        && facts.node.copy.is_none()
        && facts.is_fresh(view.timers().suspect_ms.max(2_000))
        && is_well
}

/// What is to be done about the schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Due {
    /// Follow it from now on, or no more.
    Follow(Option<String>),
    /// Take the backup that was due then.
    Run(Timestamp),
    /// Take one that the log which is kept goes on from.
    Base,
}

/// What the schedule asks for now. One that was missed is made up for, once.
#[must_use]
pub fn due(view: &View) -> Option<Due> {
    let standing = &view.cluster.status.backup;
    let Some(wanted) = &view.cluster.spec.backup else {
        return standing.schedule.as_ref().map(|_| Due::Follow(None));
    };
    if standing.schedule.as_ref() != Some(&wanted.schedule) {
        return Some(Due::Follow(Some(wanted.schedule.clone())));
    }
    let slot = last_until(&wanted.schedule, view.now);
    let is_new = |slot: &Timestamp| standing.handled.is_none_or(|handled| *slot > handled);
    let due = match slot.filter(is_new) {
        Some(slot) => Due::Run(slot),
        None if logs::needs_base(view) => Due::Base,
        None => return None,
    };
    refuse(view).is_none().then_some(due)
}

/// A cluster's backups, in short.
#[must_use]
pub fn summary(view: &View) -> BackupSummary {
    let standing = &view.cluster.status.backup;
    let wanted = view.cluster.spec.backup.as_ref();
    let bytes = view.primary().and_then(NodeFacts::worker).and_then(|w| w.engine.data_bytes);
    let speed = standing.restore_bytes_per_second.filter(|speed| *speed > 0);
    let restore_ms = bytes.zip(speed).map(|(bytes, speed)| bytes.saturating_mul(1_000) / speed);
    BackupSummary {
        recoverable_to: standing.recoverable_to.max(logs::reached(standing.log.as_ref())),
        proven_to: standing.proven_to,
        next_at: wanted.and_then(|wanted| next_after(&wanted.schedule, view.now)),
        restore_ms,
        problem: problem(view).unwrap_or_default(),
    }
}

fn problem(view: &View) -> Option<String> {
    let standing = &view.cluster.status.backup;
    if let Some(why) = &standing.failure {
        return Some(format!("the last backup failed: {why}"));
    }
    if let Some(why) = &standing.unproven {
        return Some(format!("the last backup could not be proven: {why}"));
    }
    if let Some(why) = logs::problem(view) {
        return Some(why);
    }
    // The last slot whose backup should be there by now.
    let grace = i64::try_from(OVERDUE_MS).unwrap_or(i64::MAX);
    let until = Timestamp::from_millis(view.now.as_millis() - grace);
    let slot = last_until(standing.schedule.as_ref()?, until)?;
    // What was due before the schedule was set was never due.
    let is_due = standing.since.is_some_and(|since| slot > since);
    let is_missing = standing.succeeded_at.is_none_or(|at| at < slot);
    (is_due && is_missing).then(|| format!("a backup is overdue since {slot}"))
}

/// Names the hour, day, week or month of a moment.
type Span = fn(Timestamp) -> String;

/// The backups of one cluster that are no longer kept: `all` of it, in any order. Of what is being
/// taken nothing is said, and the newest one and the newest proven one are kept whatever is asked.
#[must_use]
pub fn expired(all: &[Backup], keep: &Retention) -> Vec<BackupId> {
    let mut complete: Vec<(&Backup, Timestamp)> = all
        .iter()
        .filter(|backup| backup.status == BackupStatus::Complete)
        .filter_map(|backup| Some((backup, backup.facts.as_ref()?.taken_at)))
        .collect();
    complete.sort_by_key(|(_, at)| std::cmp::Reverse(*at));
    let mut kept: BTreeSet<BackupId> = BTreeSet::new();
    kept.extend(complete.iter().take(keep.last.max(1) as usize).map(|(b, _)| b.id.clone()));
    let is_proven = |backup: &Backup| backup.proof.as_ref().is_some_and(|proof| proof.proven);
    kept.extend(complete.iter().find(|(b, _)| is_proven(b)).map(|(b, _)| b.id.clone()));
    let spans: [(u32, Span); 4] = [
        (keep.hourly, |at| at.to_string().chars().take(13).collect()),
        (keep.daily, |at| at.to_string().chars().take(10).collect()),
        (keep.weekly, |at| week(at).to_string()),
        (keep.monthly, |at| at.to_string().chars().take(7).collect()),
    ];
    for (count, span) in spans {
        let mut seen = Vec::new();
        for (backup, at) in &complete {
            let named = span(*at);
            if seen.contains(&named) {
                continue;
            }
            if seen.len() >= count as usize {
                break;
            }
            seen.push(named);
            kept.insert(backup.id.clone());
        }
    }
    let gone = complete.iter().filter(|(backup, _)| !kept.contains(&backup.id));
    gone.map(|(backup, _)| backup.id.clone()).collect()
}

/// Weeks begin on Monday; 1970 began on a Thursday.
fn week(at: Timestamp) -> i64 {
    (at.as_millis().div_euclid(86_400_000) + 3).div_euclid(7)
}

#[cfg(test)]
pub(crate) mod tests {
    use bellwether_model::backup::{BackupFacts, Proof};
    use bellwether_model::log::LogStanding;
    use bellwether_model::replication::Position;
    use bellwether_model::schedule::BackupSchedule;

    use super::*;
    use crate::view::tests::{Sketch, sketch};

    const HOUR: i64 = 3_600_000;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    pub(crate) fn backup(hours: i64, proven: bool) -> Backup {
        let cluster = sketch(1).cluster;
        let id = BackupId::from(format!("b{hours:05}"));
        let facts = BackupFacts {
            id: id.clone(),
            cluster: cluster.id.clone(),
            cluster_name: "demo".into(),
            spec: cluster.spec.clone(),
            node_name: "demo-1".into(),
            from_primary: true,
            started_at: at(hours * HOUR),
            taken_at: at(hours * HOUR),
            position: Position::default(),
            engine_version: "17".into(),
            size: 1,
        };
        let proof = proven.then(|| Proof {
            proven: true,
            at: at(hours * HOUR),
            restore_ms: None,
            bytes: 1,
            compared: 1,
            message: String::new(),
        });
        Backup {
            id,
            cluster: cluster.id,
            cluster_name: "demo".into(),
            project: "default".into(),
            repository: "r".into(),
            repository_name: "r".into(),
            status: BackupStatus::Complete,
            started_by: "x".into(),
            created_at: at(hours * HOUR),
            ended_at: None,
            due_at: None,
            operation: None,
            facts: Some(facts),
            stored: None,
            took_ms: None,
            archives: Vec::new(),
            message: String::new(),
            proof,
            recoverable_to: None,
        }
    }

    #[test]
    fn what_a_count_keeps_is_kept_and_the_last_proven_one_always() {
        let mut all: Vec<Backup> = (0..10 * 24).step_by(6).map(|h| backup(h, false)).collect();
        all[0] = backup(0, true);
        let keep = Retention { last: 2, hourly: 0, daily: 3, weekly: 0, monthly: 0, log_days: 0 };
        let gone = expired(&all, &keep);
        let kept: Vec<_> = all.iter().filter(|b| !gone.contains(&b.id)).collect();
        let kept: Vec<_> = kept.iter().map(|b| b.created_at.as_millis() / HOUR).collect();
        assert_eq!(kept, vec![0, 7 * 24 + 18, 8 * 24 + 18, 9 * 24 + 12, 9 * 24 + 18]);
    }

    #[test]
    fn whatever_is_asked_the_newest_is_kept() {
        let all = vec![backup(1, false), backup(2, false)];
        let keep = Retention { last: 0, hourly: 0, daily: 0, weekly: 0, monthly: 0, log_days: 7 };
        assert_eq!(expired(&all, &keep), vec![BackupId::from("b00001")]);
    }

    fn scheduled() -> Sketch {
        let mut sketch = sketch(2);
        sketch.cluster.spec.backup = Some(BackupSchedule {
            schedule: "hourly".into(),
            repository: "r".into(),
            keep: Retention::default(),
            rate_kib: 0,
            verify: false,
            point_in_time: false,
        });
        sketch.cluster.status.backup.schedule = Some("hourly".into());
        sketch.cluster.status.backup.handled = Some(at(0));
        sketch.cluster.status.backup.since = Some(at(0));
        sketch
    }

    fn due_at(sketch: &Sketch, millis: i64) -> Option<Due> {
        let mut view = sketch.view();
        view.now = at(millis);
        due(&view)
    }

    #[test]
    fn a_slot_is_run_once_and_made_up_for_when_it_was_missed() {
        let mut sketch = scheduled();
        assert_eq!(due_at(&sketch, HOUR - 1), None);
        assert_eq!(due_at(&sketch, 5 * HOUR + 9), Some(Due::Run(at(5 * HOUR))));
        sketch.cluster.status.backup.handled = Some(at(5 * HOUR));
        assert_eq!(due_at(&sketch, 5 * HOUR + 10), None);
    }

    #[test]
    fn log_that_is_kept_has_a_backup_to_begin_with() {
        let mut sketch = scheduled();
        let wanted = sketch.cluster.spec.backup.as_mut().expect("a schedule");
        wanted.point_in_time = true;
        assert_eq!(due_at(&sketch, HOUR - 1), None, "nothing is stored yet");
        sketch.cluster.status.backup.log = Some(LogStanding {
            stretch: "s".into(),
            repository: "r".into(),
            began_at: at(0),
            to: Some(Position { timeline: 1, offset: 1 }),
            until: Some(at(1)),
            has_base: false,
            base_asked_at: None,
            failure: None,
            gap: None,
        });
        assert_eq!(due_at(&sketch, HOUR - 1), Some(Due::Base));
        let log = |sketch: &mut Sketch, change: fn(&mut LogStanding)| {
            sketch.cluster.status.backup.log.iter_mut().for_each(change);
        };
        log(&mut sketch, |log| log.base_asked_at = Some(at(HOUR - 9)));
        assert_eq!(due_at(&sketch, HOUR - 1), None, "it was asked for");
        log(&mut sketch, |log| log.has_base = true);
        let summary = |sketch: &Sketch, millis: i64| {
            let mut view = sketch.view();
            view.now = at(millis);
            summary(&view)
        };
        let told = summary(&sketch, 2);
        assert_eq!((told.recoverable_to, told.problem.as_str()), (Some(at(1)), ""));
        assert!(summary(&sketch, HOUR / 4).problem.contains("no log has been stored"));
        log(&mut sketch, |log| log.gap = Some("no room".into()));
        assert!(summary(&sketch, 2).problem.contains("gap: no room"));
    }

    #[test]
    fn a_backup_that_does_not_come_is_a_problem() {
        let mut sketch = scheduled();
        let problem = |sketch: &Sketch, millis: i64| {
            let mut view = sketch.view();
            view.now = at(millis);
            summary(&view).problem
        };
        assert_eq!(problem(&sketch, HOUR + HOUR / 2), "");
        assert!(problem(&sketch, 3 * HOUR - 1).contains("overdue"), "not in time");
        sketch.cluster.status.backup.succeeded_at = Some(at(2 * HOUR + 1));
        assert_eq!(problem(&sketch, 3 * HOUR - 1), "");
        sketch.cluster.status.backup.failure = Some("no room".into());
        assert!(problem(&sketch, 3 * HOUR - 1).contains("no room"));
    }

    #[test]
    fn the_replica_that_lags_least_is_the_source_and_the_primary_only_alone() {
        let mut view = sketch(3);
        view.position(3, 1, 900);
        assert_eq!(source(&view.view()).map(|f| f.node.ordinal), Ok(2));
        view.silence(2, 9_000);
        assert_eq!(source(&view.view()).map(|f| f.node.ordinal), Ok(3));
        view.silence(3, 9_000);
        assert_eq!(source(&view.view()).map(|f| f.node.ordinal), Ok(1));
    }
}
