//! How long answers take.

use std::collections::VecDeque;

/// So many of the latest count; fewer than half of it say nothing.
const KEPT: usize = 64;

/// The latest round trips, in milliseconds.
#[derive(Default)]
pub(super) struct RoundTrips(VecDeque<u64>);

impl RoundTrips {
    pub(super) fn note(&mut self, ms: u64) {
        if self.0.len() == KEPT {
            self.0.pop_front();
        }
        self.0.push_back(ms);
    }

    /// The longest of them, but for one in twenty.
    pub(super) fn slow(&self) -> Option<u64> {
        let mut sorted: Vec<u64> = self.0.iter().copied().collect();
        sorted.sort_unstable();
        let is_known = sorted.len() >= KEPT / 2;
        sorted.get(sorted.len() * 19 / 20).copied().filter(|_| is_known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_answer_in_twenty_may_be_late() {
        let mut trips = RoundTrips::default();
        (0..31).for_each(|_| trips.note(3));
        assert_eq!(trips.slow(), None);
        trips.note(900);
        assert_eq!(trips.slow(), Some(3));
        (0..4).for_each(|_| trips.note(900));
        assert_eq!(trips.slow(), Some(900));
        (0..64).for_each(|_| trips.note(4));
        assert_eq!(trips.slow(), Some(4));
    }
}
