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
