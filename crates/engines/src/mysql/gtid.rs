//! Sets of global transaction ids: how many there are in one, and in two together.

use std::collections::BTreeMap;

use crate::mysql_family::log_file::number;

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
            let mut key = source.replace('-', "").to_lowercase();
            for word in words {
                let (from, to) = word.split_once('-').unwrap_or((word, word));
                match (from.parse(), to.parse()) {
                    (Ok(from), Ok(to)) => set.0.entry(key.clone()).or_default().push((from, to)),
                    _ => key = format!("{}:{word}", source.replace('-', "").to_lowercase()),
                }
            }
        }
        set.0.values_mut().for_each(|intervals| *intervals = merged(intervals));
        set
    }

    /// A set as the log has it: a number of sources, or beside flags where some have tags, then
    /// each with its name, its tag and its intervals, which end before their second number.
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        let (mut set, mut at, head) = (Self::default(), 8, number(body, 0, 8)?);
        let has_tags = head >> 56 == 1;
        let sources = if has_tags { head << 8 >> 16 } else { head };
        for _ in 0..sources {
            let name = body.get(at..at + 16)?;
            let mut key: String = name.iter().map(|byte| format!("{byte:02x}")).collect();
            at += 16;
            if has_tags {
                // Twice its length, which is less than a byte holds.
                let tag = usize::from(*body.get(at)? >> 1);
                let text = String::from_utf8_lossy(body.get(at + 1..at + 1 + tag)?).into_owned();
                at += 1 + tag;
                if !text.is_empty() {
                    key = format!("{key}:{text}");
                }
            }
            let intervals = number(body, at, 8)?;
            at += 8;
            for _ in 0..intervals {
                let (from, end) = (number(body, at, 8)?, number(body, at + 8, 8)?);
                set.0.entry(key.clone()).or_default().push((from, end.checked_sub(1)?));
                at += 16;
            }
        }
        set.0.values_mut().for_each(|intervals| *intervals = merged(intervals));
        Some(set)
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
    fn a_set_is_read_as_the_log_has_it() {
        let source = [0x3c_u8, 0x13, 0xc2, 0x3d, 0xe9, 8, 0x11, 0xf1, 0xab, 0xc3, 2, 0x42, 0xac];
        let source = [source.as_slice(), &[0x1d, 0x4d, 0x15]].concat();
        let interval = |from: u64, end: u64| [from.to_le_bytes(), end.to_le_bytes()].concat();
        let one = 1_u64.to_le_bytes();
        let plain = [one.as_slice(), &source, &one, &interval(1, 10)].concat();
        let set = Set::read(&plain).expect("a set");
        assert_eq!(set, Set::parse("3c13c23d-e908-11f1-abc3-0242ac1d4d15:1-9"));
        let tagged = 1_u64 << 56 | 1 << 8 | 1;
        let tagged = [&tagged.to_le_bytes()[..], &source, &[6], b"abc", &one, &interval(4, 6)];
        let set = Set::read(&tagged.concat()).expect("a set");
        assert_eq!(set, Set::parse("3c13c23d-e908-11f1-abc3-0242ac1d4d15:abc:4-5"));
        assert_eq!(Set::read(&plain[..40]), None);
        assert_eq!(Set::read(&[0; 8]), Some(Set::default()));
    }

    #[test]
    fn a_tag_has_numbers_of_its_own() {
        let set = Set::parse("3c13:1-2:tag:1-5");
        assert_eq!(set.count(), 7);
        assert!(!set.holds(&Set::parse("3c13:3")) && set.holds(&Set::parse("3c13:tag:3")));
    }
}
