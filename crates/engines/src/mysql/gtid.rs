//! Sets of global transaction ids: how many there are in one, and in two together.

use std::collections::BTreeMap;

/// The intervals of each source (and tag), from and to, both included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Set(BTreeMap<String, Vec<(u64, u64)>>);

impl Set {
    /// `uuid:1-6:8, uuid:tag:1-3`; what cannot be read is nothing.
    pub(super) fn parse(text: &str) -> Self {
        let mut set = Self::default();
        for part in text.split(',') {
            let mut words = part.trim().split(':');
            let Some(source) = words.next() else { continue };
            let mut key = source.to_owned();
            for word in words {
                let (from, to) = word.split_once('-').unwrap_or((word, word));
                match (from.parse(), to.parse()) {
                    (Ok(from), Ok(to)) => set.0.entry(key.clone()).or_default().push((from, to)),
                    _ => key = format!("{source}:{word}"),
                }
            }
        }
        set.0.values_mut().for_each(|intervals| *intervals = merged(intervals));
        set
    }

    /// Everything that is in either.
    pub(super) fn with(mut self, other: &Self) -> Self {
        for (source, intervals) in &other.0 {
            let known = self.0.entry(source.clone()).or_default();
            known.extend(intervals);
            *known = merged(known);
        }
        self
    }

    pub(super) fn count(&self) -> u64 {
        self.0.values().flatten().map(|(from, to)| to - from + 1).sum()
    }

    /// Whether everything of that is in this.
    pub(super) fn holds(&self, other: &Self) -> bool {
        self.clone().with(other).count() == self.count()
    }
}

/// Those that touch are one.
fn merged(intervals: &[(u64, u64)]) -> Vec<(u64, u64)> {
    let mut sorted: Vec<_> = intervals.iter().copied().filter(|(from, to)| from <= to).collect();
    sorted.sort_unstable();
    let mut merged: Vec<(u64, u64)> = Vec::new();
    for (from, to) in sorted {
        match merged.last_mut() {
            Some(last) if from <= last.1.saturating_add(1) => last.1 = last.1.max(to),
            _ => merged.push((from, to)),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transactions_are_counted_once() {
        let one = Set::parse("3c13:1-6:8,\n41ee:1-3");
        assert_eq!(one.count(), 10);
        let other = Set::parse("3c13:5-9");
        assert_eq!(one.clone().with(&other).count(), 12);
        assert!(one.holds(&Set::parse("3c13:2-4")) && !one.holds(&other));
        assert_eq!(Set::parse("").count(), 0);
    }

    #[test]
    fn a_tag_has_numbers_of_its_own() {
        let set = Set::parse("3c13:1-2:tag:1-5");
        assert_eq!(set.count(), 7);
        assert!(!set.holds(&Set::parse("3c13:3")) && set.holds(&Set::parse("3c13:tag:3")));
    }
}
