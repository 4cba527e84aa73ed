//! How full the disks are and how long they last, never more certain than what is known.

use bellwether_model::Bytes;
use bellwether_model::cluster::Capacity;
use bellwether_model::node::{DiskGrowth, disk_kept_free};

use crate::view::{NodeFacts, View};

/// Figures that are older are not of now.
const STALE_MS: u64 = 5_000;

/// A disk that is full sooner is a problem.
const DAYS_MIN: u64 = 7;

/// What a node uses of its disk, and the disk's size.
#[must_use]
pub fn disk(facts: &NodeFacts) -> Option<(u64, u64)> {
    let host = &facts.worker()?.host;
    host.disk_used.zip(host.disk_size)
}

/// How fast its disk fills up, as far as is known.
#[must_use]
pub fn growth(facts: &NodeFacts) -> Option<DiskGrowth> {
    facts.worker()?.host.disk_growth
}

/// In so many days its engine takes no new data, should it go on like that; none where the disk
/// does not grow, or where that is not known.
#[must_use]
pub fn full_in_days(facts: &NodeFacts) -> Option<u64> {
    let (used, size) = disk(facts)?;
    let room = size.saturating_sub(disk_kept_free(size)).saturating_sub(used);
    let per_day = u64::try_from(growth(facts)?.bytes_per_day).ok().filter(|rate| *rate > 0)?;
    Some(room / per_day)
}

/// What is to be said of a disk that does not last.
#[must_use]
pub fn warning(facts: &NodeFacts) -> Option<String> {
    let days = full_in_days(facts).filter(|days| *days < DAYS_MIN)?;
    Some(format!("its disk is full in about {}", in_words(days)))
}

/// The same with the node's name, of the first of a cluster that is full.
#[must_use]
pub fn cluster_warning(view: &View) -> Option<String> {
    let first = view.nodes.iter().filter(|facts| is_heard(facts)).min_by_key(|facts| {
        // Those that last go last.
        full_in_days(facts).unwrap_or(u64::MAX)
    })?;
    Some(format!("{}: {}", first.node.name, warning(first)?))
}

fn in_words(days: u64) -> String {
    match days {
        0 => "less than a day".to_owned(),
        1 => "1 day".to_owned(),
        many => format!("{many} days"),
    }
}

fn is_heard(facts: &NodeFacts) -> bool {
    facts.age_ms() <= STALE_MS
}

/// How full a cluster is, its shards included.
#[must_use]
pub fn capacity(view: &View) -> Capacity {
    let nodes: Vec<&NodeFacts> = view.every_node().filter(|facts| is_heard(facts)).collect();
    let disks: Vec<(u64, u64)> = nodes.iter().filter_map(|facts| disk(facts)).collect();
    let rates: Option<Vec<i64>> =
        nodes.iter().map(|facts| growth(facts).map(|growth| growth.bytes_per_day)).collect();
    let bytes_per_day = rates.filter(|rates| !rates.is_empty()).map(|rates| rates.iter().sum());
    let full_in_days = nodes.iter().filter_map(|facts| full_in_days(facts)).min();
    Capacity {
        disk_used: disks.iter().map(|(used, _)| used).sum(),
        disk_size: disks.iter().map(|(_, size)| size).sum(),
        bytes_per_day,
        full_in_days,
        sentence: sentence(&nodes),
    }
}

/// What there is to know of the disk that is full first, or else of the fullest.
fn sentence(nodes: &[&NodeFacts]) -> String {
    let share = |facts: &&&NodeFacts| {
        let (used, size) = disk(facts).unwrap_or((0, 1));
        u128::from(used) * 1_000_000 / u128::from(size.max(1))
    };
    let known = nodes.iter().filter(|facts| disk(facts).is_some());
    let soonest = nodes.iter().filter(|facts| full_in_days(facts).is_some());
    let soonest = soonest.min_by_key(|facts| full_in_days(facts));
    let Some(facts) = soonest.or_else(|| known.max_by_key(share)) else {
        return "no node tells how full its disk is".to_owned();
    };
    let name = &facts.node.name;
    let (used, size) = disk(facts).unwrap_or_default();
    let is = format!("{name} uses {} of {}", Bytes(used), Bytes(size));
    let unknown = nodes.iter().filter(|facts| growth(facts).is_none()).count();
    let not_of_all = match unknown {
        0 => String::new(),
        _ => format!("; of {unknown} of {} nodes it is not known yet", nodes.len()),
    };
    match (growth(facts), full_in_days(facts)) {
        (None, _) => format!("{is}; how fast that grows is not known before some hours"),
        (Some(growth), Some(days)) => {
            let rate = Bytes(growth.bytes_per_day.unsigned_abs());
            let hours = growth.over_hours;
            let when = in_words(days);
            format!(
                "{is}, {rate} a day more (by the last {hours} h), and is full in about \
                 {when}{not_of_all}"
            )
        }
        (Some(growth), None) => {
            let hours = growth.over_hours;
            format!("{is}, which has not grown in the last {hours} h{not_of_all}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::tests::{Sketch, sketch};

    fn uses(sketch: &mut Sketch, ordinal: u32, used: u64, per_day: Option<i64>) {
        let host = &mut sketch.worker(ordinal).host;
        (host.disk_used, host.disk_size) = (Some(used << 30), Some(100 << 30));
        host.disk_growth =
            per_day.map(|gib| DiskGrowth { bytes_per_day: gib * (1 << 30), over_hours: 48 });
    }

    #[test]
    fn nothing_is_said_that_is_not_known() {
        let mut sketch = sketch(2);
        assert_eq!(capacity(&sketch.view()).sentence, "no node tells how full its disk is");
        uses(&mut sketch, 1, 20, None);
        uses(&mut sketch, 2, 30, None);
        let known = capacity(&sketch.view());
        assert_eq!(
            (known.disk_used, known.bytes_per_day, known.full_in_days),
            (50 << 30, None, None)
        );
        assert!(known.sentence.starts_with("demo-2 uses 30 GiB of 100 GiB; how fast"), "{known:?}");
        uses(&mut sketch, 2, 30, Some(0));
        let known = capacity(&sketch.view());
        assert!(known.bytes_per_day.is_none() && known.full_in_days.is_none(), "{known:?}");
        assert!(known.sentence.contains("of 1 of 2 nodes it is not known yet"), "{known:?}");
    }

    #[test]
    fn the_disk_that_is_full_first_is_told_and_warned_of_when_that_is_soon() {
        let mut sketch = sketch(2);
        uses(&mut sketch, 1, 20, Some(2));
        uses(&mut sketch, 2, 50, Some(-1));
        let known = capacity(&sketch.view());
        assert_eq!((known.full_in_days, known.bytes_per_day), (Some(39), Some(1 << 30)));
        assert!(known.sentence.starts_with("demo-1 uses 20 GiB of 100 GiB, 2 GiB a day more"));
        assert_eq!(cluster_warning(&sketch.view()), None);
        uses(&mut sketch, 2, 90, Some(3));
        let words = cluster_warning(&sketch.view()).expect("a warning");
        assert_eq!(words, "demo-2: its disk is full in about 3 days");
        let (_, sentence) = crate::show::phase(&sketch.view());
        assert!(sentence.ends_with(&words), "{sentence}");
        let id = sketch.id(2);
        let node = crate::show::node_view(&sketch.view(), &id).expect("there");
        assert!(node.state.ends_with("its disk is full in about 3 days"), "{}", node.state);
        assert_eq!(node.disk_full_in_days, Some(3));
    }
}
