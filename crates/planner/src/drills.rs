//! When a drill may be run, and when one is due. What is tried on a cluster that serves people is
//! tried only while nothing else could go wrong.

use bellwether_model::drill::{DrillKind, DrillSchedule};
use bellwether_model::{ClusterPhase, Timestamp};

use crate::allowed::{lag, refuse_busy, refuse_candidate};
use crate::election::{self, Verdict};
use crate::schedule::last_until;
use crate::show;
use crate::view::{NodeFacts, View};

/// Whoever shall take over may lag by such a part of what is borne in earnest.
const LAG_PART: u64 = 16;

/// A primary that is busier has better things to do.
const CPU_PERCENT_MAX: f64 = 90.0;

/// So long after a failover nothing is tried.
const QUIET_MS: u64 = 60_000;

/// A drill that is due is begun within so long, or skipped.
pub const GRACE_MS: u64 = 15 * 60_000;

/// Why no drill of that kind can be begun now.
#[must_use]
pub fn refuse(view: &View, kind: DrillKind, allow_loss: bool) -> Option<String> {
    refuse_busy(view).or_else(|| refuse_now(view, kind, allow_loss))
}

/// The same for one that has begun.
#[must_use]
pub fn refuse_now(view: &View, kind: DrillKind, allow_loss: bool) -> Option<String> {
    if view.active().count() < 2 {
        return Some("a drill needs a replica that can take over; add a node".to_owned());
    }
    let (phase, sentence) = show::phase(view);
    let config = &view.cluster.status.config;
    if phase != ClusterPhase::Healthy || election::judge(view) != Verdict::Healthy {
        return Some(format!(
            "the cluster is not healthy ({sentence}); a drill is for one that is"
        ));
    }
    if config.next.is_some() || !config.past.is_empty() {
        return Some("the votes are changing; wait a moment".to_owned());
    }
    if view.last_failover_age_ms.is_some_and(|age| age < QUIET_MS) {
        return Some("the last failover is less than a minute ago; wait".to_owned());
    }
    let primary = view.primary()?;
    let busy = primary.worker().and_then(|worker| worker.host.cpu_percent);
    if let Some(percent) = busy.filter(|percent| *percent > CPU_PERCENT_MAX) {
        let name = &primary.node.name;
        return Some(format!("{name} is busy ({percent:.0} % of its processor); wait"));
    }
    if let Err(why) = candidate(view) {
        return Some(why);
    }
    let is_async = config.iter().any(|config| config.acks == 0);
    (kind == DrillKind::Failover && is_async && !allow_loss).then(|| {
        "in asynchronous replication a lost primary may take with it what it acknowledged last; \
         drill a switchover, or allow the loss"
            .to_owned()
    })
}

/// The replica that would take over: the one that lags least.
///
/// # Errors
/// Why none can.
pub fn candidate(view: &View) -> Result<&NodeFacts, String> {
    let primary = view.primary().ok_or("there is no primary")?;
    let behind = |facts: &NodeFacts| lag(primary, facts).unwrap_or(u64::MAX);
    let mut why = "there is no replica".to_owned();
    let mut able = Vec::new();
    for facts in view.replicas() {
        match refuse_candidate(view, facts, primary) {
            Some(refusal) => why = refusal,
            None if behind(facts) > view.log.lag_max / LAG_PART => {
                let words = view.log.unit.words(behind(facts));
                why = format!("{} is {words} behind", facts.node.name);
            }
            None => able.push(facts),
        }
    }
    able.into_iter().min_by_key(|facts| behind(facts)).ok_or(why)
}

/// What is to be done about the schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Due {
    /// Follow it from now on, or no more.
    Follow(Option<DrillSchedule>),
    Run(DrillSchedule, Timestamp),
    /// It is too late for that one, and why it was not run.
    Skip(DrillSchedule, Timestamp, String),
}

/// What the schedule asks for now.
#[must_use]
pub fn due(view: &View) -> Option<Due> {
    let followed = view.cluster.status.drill.as_ref();
    let Some(wanted) = &view.cluster.spec.drill else {
        return followed.map(|_| Due::Follow(None));
    };
    let Some(followed) = followed.filter(|followed| followed.schedule == wanted.schedule) else {
        return Some(Due::Follow(Some(wanted.clone())));
    };
    let slot = last_until(&wanted.schedule, view.now)?;
    if slot <= followed.handled {
        return None;
    }
    let is_late = view.now.millis_since(slot) > GRACE_MS;
    match refuse(view, wanted.kind, wanted.allow_loss) {
        None if is_late => {
            let words = "nothing was decided at that time; the server did not run, or something \
                         else was under way";
            Some(Due::Skip(wanted.clone(), slot, words.to_owned()))
        }
        None => Some(Due::Run(wanted.clone(), slot)),
        Some(why) if is_late => Some(Due::Skip(wanted.clone(), slot, why)),
        // Within its time it may become possible.
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use bellwether_model::drill::DrillProgress;

    use super::*;
    use crate::schedule::{check_schedule, next_after};
    use crate::view::tests::{Sketch, sketch};

    const MINUTE: i64 = 60_000;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn hourly() -> DrillSchedule {
        let schedule = "0 * * * *".to_owned();
        DrillSchedule { schedule, kind: DrillKind::Switchover, allow_loss: false }
    }

    /// A healthy cluster whose hourly schedule is followed since the epoch.
    fn scheduled() -> Sketch {
        let mut sketch = sketch(3);
        sketch.cluster.spec.drill = Some(hourly());
        let schedule = hourly().schedule;
        sketch.cluster.status.drill = Some(DrillProgress { schedule, handled: at(0) });
        sketch
    }

    fn due_at(sketch: &Sketch, millis: i64) -> Option<Due> {
        let mut view = sketch.view();
        view.now = at(millis);
        due(&view)
    }

    #[test]
    fn a_slot_is_run_once_and_in_its_time() {
        let mut sketch = scheduled();
        assert_eq!(due_at(&sketch, 59 * MINUTE), None);
        assert_eq!(due_at(&sketch, 61 * MINUTE), Some(Due::Run(hourly(), at(60 * MINUTE))));
        let progress = sketch.cluster.status.drill.as_mut().expect("followed");
        progress.handled = at(60 * MINUTE);
        assert_eq!(due_at(&sketch, 62 * MINUTE), None);
    }

    #[test]
    fn a_slot_that_was_missed_is_skipped_with_its_reason() {
        let mut sketch = scheduled();
        let late = due_at(&sketch, 60 * MINUTE + 16 * MINUTE);
        assert!(matches!(late, Some(Due::Skip(_, slot, _)) if slot == at(60 * MINUTE)), "{late:?}");
        sketch.silence(3, 9_000);
        assert_eq!(due_at(&sketch, 61 * MINUTE), None, "it may become healthy in time");
        match due_at(&sketch, 76 * MINUTE) {
            Some(Due::Skip(_, _, why)) => assert!(why.contains("not healthy"), "{why}"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_new_schedule_is_followed_from_now_on() {
        let mut sketch = scheduled();
        let other = DrillSchedule { schedule: "30 * * * *".to_owned(), ..hourly() };
        sketch.cluster.spec.drill = Some(other.clone());
        assert_eq!(due_at(&sketch, 91 * MINUTE), Some(Due::Follow(Some(other))));
        sketch.cluster.spec.drill = None;
        assert_eq!(due_at(&sketch, 91 * MINUTE), Some(Due::Follow(None)));
        sketch.cluster.status.drill = None;
        assert_eq!(due_at(&sketch, 91 * MINUTE), None);
    }

    #[test]
    fn schedules_are_of_cron_and_in_utc() {
        // 1970-01-01 was a Thursday.
        let sunday = 3 * 24 * 60 * MINUTE + 4 * 60 * MINUTE;
        assert_eq!(next_after("0 4 * * 0", at(0)), Some(at(sunday)));
        assert!(check_schedule("0 4 * * 0").is_ok());
        for bad in ["", "now", "* * * *", "61 * * * *", "*/5 * * * * *", "0 4 30 2 *"] {
            assert!(check_schedule(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn whatever_could_go_wrong_keeps_a_drill_from_beginning() {
        use DrillKind::{Failover, Switchover};
        assert_eq!(refuse(&sketch(3).view(), Switchover, false), None);
        type Change = fn(&mut Sketch);
        let table: &[(&str, DrillKind, Change)] = &[
            ("not healthy", Switchover, |s| s.silence(3, 9_000)),
            ("votes are changing", Switchover, |s| {
                let config = &mut s.cluster.status.config;
                config.next = Some(config.current.clone());
            }),
            ("bytes of log behind", Switchover, |s| {
                for ordinal in [1, 2, 3] {
                    let ahead = if ordinal == 1 { 9 << 20 } else { 1_000 };
                    s.worker(ordinal).position.as_mut().expect("known").offset = ahead;
                }
            }),
            ("busy", Switchover, |s| s.worker(1).host.cpu_percent = Some(99.0)),
            ("allow the loss", Failover, |_| {}),
        ];
        for (words, kind, change) in table {
            let mut sketch = sketch(3);
            change(&mut sketch);
            let why = refuse(&sketch.view(), *kind, false).unwrap_or_default();
            assert!(why.contains(words), "{words}: {why}");
        }
        assert!(
            refuse(&sketch(1).view(), Switchover, false).is_some_and(|w| w.contains("replica"))
        );
        assert_eq!(refuse(&sketch(3).view(), Failover, true), None);
        let mut view = sketch(3).view();
        view.last_failover_age_ms = Some(1_000);
        assert!(refuse(&view, Switchover, false).is_some_and(|why| why.contains("minute")));
    }
}
