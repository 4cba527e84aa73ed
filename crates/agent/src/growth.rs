//! How fast the disk fills up: by what was used of it in the last days, which the node remembers.

use bellwether_model::Timestamp;
use bellwether_model::node::DiskGrowth;

use crate::files;
use crate::paths::Paths;

/// Milliseconds between two looks.
const EVERY_MS: u64 = 30 * 60_000;

/// So long it is remembered.
const KEPT_MS: u64 = 7 * DAY_MS;

/// What was seen for less says nothing.
const KNOWN_AFTER_MS: u64 = 3 * HOUR_MS;

const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;

/// What was used of the disk, and when, the oldest first.
type Samples = Vec<(Timestamp, u64)>;

/// What was seen of the disk; read from the node's own files when it is first asked for.
#[derive(Default)]
pub(crate) struct Growth {
    samples: Option<Samples>,
    rate: Option<DiskGrowth>,
}

impl Growth {
    /// How fast it fills up, as far as is known now.
    pub(crate) fn rate(&mut self, now: Timestamp, used: u64) -> Option<DiskGrowth> {
        if self.samples.is_none() {
            // What cannot be read is seen anew.
            let kept = files::read_json(&Paths::default().growth);
            let samples = kept.ok().flatten().unwrap_or_default();
            self.rate = rate(&samples);
            self.samples = Some(samples);
        }
        let samples = self.samples.get_or_insert_default();
        if take(samples, now, used) {
            self.rate = rate(samples);
            let kept = samples.clone();
            // Nothing here waits for a disk; what is not written is lost with the process alone.
            std::thread::spawn(move || files::write_json(&Paths::default().growth, &kept));
        }
        self.rate
    }
}

/// Takes what is used now, should it be time for it; whether it was.
fn take(samples: &mut Samples, now: Timestamp, used: u64) -> bool {
    // The clock was set back: nobody knows when those were.
    samples.retain(|(at, _)| *at <= now);
    if samples.last().is_some_and(|(at, _)| now.millis_since(*at) < EVERY_MS) {
        return false;
    }
    samples.retain(|(at, _)| now.millis_since(*at) <= KEPT_MS);
    samples.push((now, used));
    true
}

/// The middle of the rates between any two of them: what came or went at once, as by a restore or a
/// clean-up, moves it little.
fn rate(samples: &Samples) -> Option<DiskGrowth> {
    let (first, last) = (samples.first()?.0, samples.last()?.0);
    let seen_ms = last.millis_since(first);
    if seen_ms < KNOWN_AFTER_MS {
        return None;
    }
    let mut rates = Vec::new();
    for (place, (from, before)) in samples.iter().enumerate() {
        for (to, after) in &samples[place + 1..] {
            let ms = to.millis_since(*from).max(1) as f64;
            rates.push((*after as f64 - *before as f64) / ms * DAY_MS as f64);
        }
    }
    rates.sort_by(f64::total_cmp);
    let middle = rates.get(rates.len() / 2)?;
    Some(DiskGrowth { bytes_per_day: middle.round() as i64, over_hours: seen_ms / HOUR_MS })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_millis(minutes * 60_000)
    }

    /// What is known after so many hours of looking every minute at a disk that is used like that.
    fn seen(hours: i64, used: impl Fn(i64) -> u64) -> (Samples, Option<DiskGrowth>) {
        let mut samples = Samples::new();
        for minute in 0..=hours * 60 {
            take(&mut samples, at(minute), used(minute));
        }
        let rate = rate(&samples);
        (samples, rate)
    }

    #[test]
    fn growth_is_known_after_some_hours_and_of_the_last_days() {
        assert_eq!(seen(2, |_| 5).1, None);
        let steady = |minute: i64| 1_000_000 + minute as u64 * 1_000;
        let (samples, known) = seen(24, steady);
        assert_eq!(samples.len(), 49);
        assert_eq!(known, Some(DiskGrowth { bytes_per_day: 1_440_000, over_hours: 24 }));
        let (samples, known) = seen(24 * 9, steady);
        assert_eq!(known.expect("known").over_hours, 24 * 7);
        assert_eq!(samples.len(), 2 * 24 * 7 + 1);
    }

    #[test]
    fn what_came_at_once_is_no_growth_and_less_is_told_as_less() {
        let restored = |minute: i64| if minute < 600 { 1_000 } else { 9_000_000_000 };
        assert_eq!(seen(24 * 2, restored).1.expect("known").bytes_per_day, 0);
        let less = |minute: i64| 10_000_000 - minute as u64;
        assert_eq!(seen(24, less).1.expect("known").bytes_per_day, -1_440);
    }

    #[test]
    fn a_clock_that_is_set_back_begins_anew() {
        let (mut samples, _) = seen(24, |minute| minute as u64);
        assert!(take(&mut samples, at(-10), 3));
        assert_eq!(samples, [(at(-10), 3)]);
    }
}
