//! What a client asked for and what it was told: the evidence on which loss and pauses are judged.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// One write.
#[derive(Clone, Debug)]
pub struct Attempt {
    pub id: i64,
    pub began: Instant,
    pub ended: Instant,
    pub acknowledged: bool,
    /// The timeline it was written to: every primary has its own.
    pub timeline: Option<u32>,
    /// What the client was told when it was not.
    pub error: String,
}

#[derive(Clone, Debug, Default)]
pub struct History {
    pub attempts: Vec<Attempt>,
}

impl History {
    /// The ids that were acknowledged.
    #[must_use]
    pub fn acknowledged(&self) -> BTreeSet<i64> {
        self.attempts.iter().filter(|a| a.acknowledged).map(|a| a.id).collect()
    }

    /// Acknowledged ids that are not among those found.
    #[must_use]
    pub fn lost(&self, found: &BTreeSet<i64>) -> Vec<i64> {
        self.acknowledged().difference(found).copied().collect()
    }

    /// Writes of all these clients that a primary accepted after a later one had accepted some.
    #[must_use]
    pub fn overlaps(histories: &[&Self]) -> usize {
        let accepted = || {
            let all = histories.iter().flat_map(|history| &history.attempts);
            all.filter(|attempt| attempt.acknowledged)
                .filter_map(|attempt| Some((attempt.timeline?, attempt)))
        };
        let is_late = |timeline: u32, attempt: &Attempt| {
            let mut later = accepted().filter(|(other, _)| *other > timeline);
            later.any(|(_, other)| other.ended < attempt.began)
        };
        accepted().filter(|(timeline, attempt)| is_late(*timeline, attempt)).count()
    }

    /// Writes that a client was told had failed.
    #[must_use]
    pub fn errors(&self) -> usize {
        self.attempts.iter().filter(|attempt| !attempt.acknowledged).count()
    }

    /// The longest time between two acknowledgements.
    #[must_use]
    pub fn longest_gap(&self) -> Duration {
        let ends = self.acknowledgements();
        ends.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default()
    }

    /// The longest time between two acknowledgements, the second of them after that moment: what a
    /// fault at that moment cost. A write that was under way may still be acknowledged after it.
    #[must_use]
    pub fn outage(&self, moment: Instant) -> Duration {
        let ends = self.acknowledgements();
        let pairs = ends.windows(2).filter(|pair| pair[1] > moment);
        pairs.map(|pair| pair[1] - pair[0]).max().unwrap_or_default()
    }

    fn acknowledgements(&self) -> Vec<Instant> {
        self.attempts.iter().filter(|a| a.acknowledged).map(|a| a.ended).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(start: Instant, writes: &[(u32, u64)]) -> History {
        let attempt = |(timeline, at): &(u32, u64)| Attempt {
            id: 0,
            began: start + Duration::from_millis(*at),
            ended: start + Duration::from_millis(at + 5),
            acknowledged: true,
            timeline: Some(*timeline),
            error: String::new(),
        };
        History { attempts: writes.iter().map(attempt).collect() }
    }

    #[test]
    fn a_write_to_an_earlier_primary_after_one_to_a_later_overlaps() {
        let start = Instant::now();
        let one = history(start, &[(1, 0), (1, 10), (2, 40)]);
        let other = history(start, &[(1, 20), (1, 44)]);
        assert_eq!(History::overlaps(&[&one, &other]), 0, "it had begun before");
        let late = history(start, &[(1, 20), (1, 46)]);
        assert_eq!(History::overlaps(&[&one, &late]), 1);
    }
}
