//! Timelines that are nobody else's.
//!
//! A promotion takes the first number for which this node has no history file. Two nodes that did
//! not hear of each other would take the same, and everything that looks at numbers, `pg_rewind`
//! first, would believe that their histories are one. So the numbers below the term are reserved
//! by files that say so, and the promotion takes the term's own number: terms are never reused.
//!
//! The engine ignores a reserved number while it runs, for its history forked off before anything
//! it holds; but it would not start over one, so that they are removed before every start.

use std::path::{Path, PathBuf};

use bellwether_contracts::Failure;
use bellwether_model::Term;
use bellwether_model::replication::Position;

use super::OS_USER;
use super::driver::parse_lsn;
use crate::files::at;

/// What a reservation says; a real history names a reason.
const WORDS: &str = "reserved by bellwether";

fn history(log: &Path, timeline: u64) -> PathBuf {
    log.join(format!("{timeline:08X}.history"))
}

/// Lets the next promotion begin the timeline of that term.
pub(super) fn reserve(log: &Path, current: u64, term: Term) -> Result<(), Failure> {
    for timeline in current + 1..term {
        let path = history(log, timeline);
        if !path.exists() {
            std::fs::write(&path, format!("1\t0/1\t{WORDS}\n")).map_err(|e| at(&path, &e))?;
            OS_USER.give(&path)?;
        }
    }
    Ok(())
}

/// Where the timeline of that number, in hexadecimal digits, forked off from the one before.
pub(super) fn beginning(log: &Path, number: &str) -> Option<Position> {
    let text = std::fs::read_to_string(log.join(format!("{number}.history"))).ok()?;
    let is_fork = |line: &&str| line.starts_with(|first: char| first.is_ascii_digit());
    let last = text.lines().rfind(is_fork)?;
    let offset = parse_lsn(last.split('\t').nth(1)?)?;
    Some(Position { timeline: u64::from_str_radix(number, 16).ok()?, offset })
}

/// Where each timeline ended that this one goes back to, the first one first.
pub(super) fn ancestors(log: &Path, timeline: u64) -> Result<Vec<Position>, Failure> {
    let path = history(log, timeline);
    if timeline == 1 {
        return Ok(Vec::new());
    }
    let text = std::fs::read_to_string(&path).map_err(|e| at(&path, &e))?;
    let end = |line: &str| {
        let mut words = line.split('\t');
        let timeline = words.next()?.trim().parse().ok()?;
        Some(Position { timeline, offset: parse_lsn(words.next()?)? })
    };
    Ok(text.lines().filter_map(end).collect())
}

/// Whether that history is only a reservation.
pub(super) fn is_reserved(path: &Path) -> bool {
    std::fs::read_to_string(path).is_ok_and(|text| text.contains(WORDS))
}

/// Takes every reservation back.
pub(super) fn forget(log: &Path) -> Result<(), Failure> {
    let Ok(entries) = std::fs::read_dir(log) else { return Ok(()) };
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        let is_history = path.extension().is_some_and(|extension| extension == "history");
        if is_history && is_reserved(&path) {
            std::fs::remove_file(&path).map_err(|e| at(&path, &e))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_reservations_are_taken_back() {
        let log = tempfile::tempdir().expect("a directory");
        std::fs::write(history(log.path(), 3), "1\t0/5000\tno reason\n").expect("written");
        std::fs::write(history(log.path(), 4), format!("1\t0/1\t{WORDS}\n")).expect("written");
        forget(log.path()).expect("forgotten");
        assert!(history(log.path(), 3).exists() && !history(log.path(), 4).exists());
        assert!(forget(&log.path().join("missing")).is_ok());
    }

    #[test]
    fn a_timeline_begins_where_its_history_says_last() {
        let log = tempfile::tempdir().expect("a directory");
        let text = "1\t0/5000\tno reason\n\n2\t1/10\tno recovery target\n";
        std::fs::write(history(log.path(), 26), text).expect("written");
        let begins = beginning(log.path(), "0000001A");
        assert_eq!(begins, Some(Position { timeline: 26, offset: (1 << 32) + 16 }));
        assert_eq!(beginning(log.path(), "0000001B"), None);
        let all = ancestors(log.path(), 26).expect("read");
        let ends = all.iter().map(|end| (end.timeline, end.offset)).collect::<Vec<_>>();
        assert_eq!(ends, [(1, 0x5000), (2, (1 << 32) + 16)]);
        assert!(ancestors(log.path(), 1).is_ok_and(|all| all.is_empty()));
        assert!(ancestors(log.path(), 27).is_err(), "there is no history");
    }
}
