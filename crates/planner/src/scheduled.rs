//! What a person has asked for at a later time: when it is due, and what becomes of it when it
//! cannot begin in its time.

use bellwether_model::maintenance::Maintenance;
use bellwether_model::operation::NewOperation;
use bellwether_model::{Operation, OperationId, OperationKind, Timestamp};

use crate::maintenance;
use crate::schedule::{check_schedule, next_after};
use crate::view::View;

/// Minutes in which it has to begin, unless a person says otherwise.
const MINUTES: u64 = 15;

/// The same of a window.
const WINDOW_MINUTES: u64 = 60;

/// Minutes of a window, at least and at most.
const MINUTES_POSSIBLE: std::ops::RangeInclusive<u64> = 5..=24 * 60;

/// What is asked for later than that is rather forgotten.
const AHEAD_MS_MAX: u64 = 366 * 24 * 3_600_000;

/// The time in which it has to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    pub from: Timestamp,
    pub until: Timestamp,
}

/// What is to be done with what is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Due {
    Begin,
    /// It is too late for it, and why it did not begin.
    Skip(String),
}

/// Whether a request is for later.
#[must_use]
pub fn is_later(request: &NewOperation) -> bool {
    request.at.is_some() || request.window.is_some()
}

/// When that shall begin.
///
/// # Errors
/// The field that is wrong, and what is wrong with it.
pub fn slot(request: &NewOperation, now: Timestamp) -> Result<Slot, (&'static str, String)> {
    let (from, minutes) = match (request.at, &request.window) {
        (Some(_), Some(_)) => {
            return Err(("window", "give a time or a window, not both".to_owned()));
        }
        (Some(at), None) => (at, MINUTES),
        (None, window) => {
            let window = window.as_deref().unwrap_or_default();
            check_schedule(window).map_err(|why| ("window", why))?;
            let next = next_after(window, now).ok_or(("window", "it never comes".to_owned()))?;
            (next, WINDOW_MINUTES)
        }
    };
    if from <= now {
        return Err(("at", format!("{from} has passed; leave it out to begin now")));
    }
    if from.millis_since(now) > AHEAD_MS_MAX {
        return Err(("at", "it is more than a year ahead".to_owned()));
    }
    let minutes = request.within_minutes.map_or(minutes, u64::from);
    if !MINUTES_POSSIBLE.contains(&minutes) {
        let (least, most) = (MINUTES_POSSIBLE.start(), MINUTES_POSSIBLE.end());
        return Err(("within_minutes", format!("choose {least} to {most} minutes")));
    }
    let until = from.as_millis().saturating_add((minutes * 60_000) as i64);
    Ok(Slot { from, until: Timestamp::from_millis(until) })
}

/// Why it is not taken down for later: only what stays so is held against it.
#[must_use]
pub fn refuse(view: &View, request: &NewOperation) -> Option<String> {
    let facts = view.node_named(request.node.as_deref()?)?;
    if request.allow_waiting {
        return None;
    }
    maintenance::refuse_without_consent(view, facts)
}

/// What is due, or can no longer begin.
#[must_use]
pub fn due(view: &View) -> Option<(OperationId, Due)> {
    view.scheduled.iter().find_map(|operation| Some((operation.id.clone(), one(view, operation)?)))
}

fn one(view: &View, operation: &Operation) -> Option<Due> {
    let (from, until) = (operation.due_at?, operation.due_until?);
    let Some(facts) = operation.node.as_ref().and_then(|id| view.node(id)) else {
        return Some(Due::Skip("the node is gone".to_owned()));
    };
    if view.now < from {
        return None;
    }
    let state: Maintenance = serde_json::from_value(operation.state.clone()).unwrap_or_default();
    let refusal = maintenance::refuse(view, facts, operation.kind, state.allow_waiting);
    match refusal {
        Some(why) if view.now > until => Some(Due::Skip(why)),
        // Within its time it may become possible.
        Some(_) => None,
        None if view.now > until => {
            let words = "nothing was decided in its time; the server did not run, or something \
                         else was under way";
            Some(Due::Skip(words.to_owned()))
        }
        None => Some(Due::Begin),
    }
}

/// What is taken down for a node, in words.
#[must_use]
pub fn words(view: &View, node: &bellwether_model::NodeId) -> Option<String> {
    let of_it = view.scheduled.iter().filter(|operation| operation.node.as_ref() == Some(node));
    let first = of_it.filter_map(|operation| Some((operation.due_at?, operation.kind))).min()?;
    let (at, kind): (Timestamp, OperationKind) = first;
    Some(format!("{} at {at}", kind.title().to_lowercase()))
}

#[cfg(test)]
mod tests {
    use bellwether_model::OperationStatus;

    use super::*;
    use crate::view::tests::sketch;

    const MINUTE: i64 = 60_000;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_millis(minutes * MINUTE)
    }

    fn request() -> NewOperation {
        NewOperation::of(OperationKind::Reboot, Some("demo-3".to_owned()))
    }

    #[test]
    fn a_time_and_a_window_have_an_end() {
        let asked = NewOperation { at: Some(at(60)), ..request() };
        assert_eq!(slot(&asked, at(0)), Ok(Slot { from: at(60), until: at(75) }));
        assert_eq!(slot(&asked, at(60)).expect_err("passed").0, "at");
        // 1970 began on a Thursday.
        let weekly = NewOperation {
            window: Some("0 3 * * 4".to_owned()),
            within_minutes: Some(120),
            ..request()
        };
        assert_eq!(slot(&weekly, at(0)), Ok(Slot { from: at(180), until: at(300) }));
        assert_eq!(slot(&weekly, at(180)).expect("next week").from, at(180 + 7 * 24 * 60));
        for (field, wrong) in [
            ("window", NewOperation { at: Some(at(60)), ..weekly.clone() }),
            ("window", NewOperation { window: Some("on Sundays".to_owned()), ..request() }),
            ("within_minutes", NewOperation { within_minutes: Some(1), ..weekly }),
            ("at", NewOperation { at: Some(at(400 * 24 * 60)), ..request() }),
        ] {
            assert_eq!(slot(&wrong, at(0)).expect_err("wrong").0, field);
        }
    }

    #[test]
    fn it_begins_in_its_time_waits_for_what_is_in_the_way_and_says_when_it_was_missed() {
        let mut sketch = sketch(3);
        let made = |sketch: &crate::view::tests::Sketch, minutes| {
            let mut view = sketch.view();
            view.now = at(minutes);
            view.scheduled = vec![Operation {
                status: OperationStatus::Scheduled,
                due_at: Some(at(60)),
                due_until: Some(at(75)),
                ..sketch.operation(OperationKind::Reboot)
            }];
            view
        };
        assert_eq!(due(&made(&sketch, 59)), None);
        assert_eq!(due(&made(&sketch, 61)).expect("due").1, Due::Begin);
        let id = sketch.id(3);
        let words = words(&made(&sketch, 0), &id).expect("told");
        assert_eq!(words, "reboot at 1970-01-01T01:00:00Z");
        let missed = due(&made(&sketch, 76)).expect("due").1;
        assert!(matches!(missed, Due::Skip(why) if why.contains("nothing was decided")));

        sketch.surrender(1, 1);
        assert_eq!(due(&made(&sketch, 61)), None, "it may become healthy in time");
        let missed = due(&made(&sketch, 76)).expect("due").1;
        assert!(matches!(missed, Due::Skip(why) if why.contains("not healthy")));
    }

    #[test]
    fn who_makes_writes_wait_says_so_when_asking() {
        let mut two = sketch(2);
        two.strict();
        let asked = NewOperation { node: Some("demo-2".to_owned()), ..request() };
        assert!(refuse(&two.view(), &asked).expect("refused").contains("allow waiting"));
        assert_eq!(refuse(&two.view(), &NewOperation { allow_waiting: true, ..asked }), None);
    }
}
