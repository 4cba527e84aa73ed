//! Segments: the files that the log consists of.

use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use bellwether_contracts::Failure;
use bellwether_model::replication::Position;

use super::{OS_USER, timelines};
use crate::files::{at, remove_file};

/// The name of a segment.
pub(super) fn name(timeline: u64, number: u64, bytes: u64) -> String {
    let each = (1 << 32) / bytes;
    format!("{timeline:08X}{:08X}{:08X}", number / each, number % each)
}

/// Timeline and number of a segment, from its name.
pub(super) fn segment(name: &str, bytes: u64) -> Option<(u64, u64)> {
    let is_name = name.len() == 24 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    let part = |range: std::ops::Range<usize>| u64::from_str_radix(name.get(range)?, 16).ok();
    let (timeline, high, low) = (part(0..8)?, part(8..16)?, part(16..24)?);
    is_name.then(|| (timeline, high * ((1 << 32) / bytes) + low))
}

/// Copies a segment to that place in it; the rest is empty, where the engine stops to read.
pub(super) fn copy_until(from: &Path, to: &Path, until: u64) -> Result<(), Failure> {
    let copied = || -> std::io::Result<()> {
        let mut source = std::fs::File::open(from)?;
        let bytes = source.metadata()?.len();
        let mut head = vec![0; usize::try_from(until).unwrap_or(usize::MAX)];
        source.seek(SeekFrom::Start(0))?;
        source.read_exact(&mut head)?;
        let mut target = std::fs::File::create(to)?;
        target.write_all(&head)?;
        target.set_len(bytes)?;
        target.set_permissions(std::fs::Permissions::from_mode(0o600))
    };
    copied().map_err(|e| at(to, &e))?;
    OS_USER.give(to)
}

/// The segments that hold the log between two places, the first one first: of the segment that a
/// timeline forked off in, the one of the later timeline, which holds what was before as well.
/// `history`: where the timelines ended that the one of `to` goes back to.
pub(super) fn names(from: u64, to: Position, history: &[Position], bytes: u64) -> Vec<String> {
    let last = to.offset.saturating_sub(1) / bytes;
    let first = (from / bytes).min(last);
    (first..=last).map(|number| name(holder(number, to, history, bytes), number, bytes)).collect()
}

/// The timeline whose segment of that number holds the most.
fn holder(number: u64, to: Position, history: &[Position], bytes: u64) -> u64 {
    let ended = history.iter().find(|end| number < end.offset / bytes);
    ended.map_or(to.timeline, |end| end.timeline)
}

/// Makes the segment that each timeline ended in, after `from`, from the later timeline's, which
/// begins with the same: what is there of it may end before, or go on with what was lost.
pub(super) fn complete(
    log: &Path,
    from: u64,
    (to, history): (Position, &[Position]),
    bytes: u64,
) -> Result<(), Failure> {
    let is_amid = |end: &&Position| end.offset > from && !end.offset.is_multiple_of(bytes);
    for end in history.iter().filter(is_amid) {
        let number = end.offset / bytes;
        let whole = log.join(name(holder(number, to, history, bytes), number, bytes));
        let path = log.join(name(end.timeline, number, bytes));
        // What is there may be linked to elsewhere.
        remove_file(&path)?;
        copy_until(&whole, &path, end.offset % bytes)?;
    }
    Ok(())
}

/// Lets the log in that directory end at that place: what is later, or of another history, goes.
pub(super) fn end_at(
    log: &Path,
    end: Position,
    history: &[Position],
    bytes: u64,
) -> Result<(), Failure> {
    let last = end.offset.saturating_sub(1) / bytes;
    let is_of_it = |timeline: u64| {
        timeline == end.timeline || history.iter().any(|known| known.timeline == timeline)
    };
    let entries = std::fs::read_dir(log).map_err(|e| at(log, &e))?;
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let name = name.unwrap_or_default();
        let of = segment(&name, bytes);
        let is_over = of.is_some_and(|(timeline, number)| number > last || !is_of_it(timeline));
        let forked = name.strip_suffix(".history").and_then(|n| u64::from_str_radix(n, 16).ok());
        if is_over || forked.is_some_and(|timeline| !is_of_it(timeline)) {
            remove_file(&path)?;
        }
    }
    let path = log.join(name(end.timeline, last, bytes));
    if !end.offset.is_multiple_of(bytes) && path.exists() {
        let whole: PathBuf = path.with_extension("whole");
        std::fs::rename(&path, &whole).map_err(|e| at(&path, &e))?;
        copy_until(&whole, &path, end.offset % bytes)?;
        remove_file(&whole)?;
    }
    Ok(())
}

/// Whether that is a history file that tells of a fork.
pub(super) fn is_history(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "history")
        && !timelines::is_reserved(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BYTES: u64 = 4 << 20;

    fn place(timeline: u64, offset: u64) -> Position {
        Position { timeline, offset }
    }

    #[test]
    fn a_segment_is_named_by_its_timeline_and_its_place() {
        assert_eq!(name(2, 12, BYTES), "00000002000000000000000C");
        assert_eq!(name(1, 1024, BYTES), "000000010000000100000000");
        assert_eq!(segment(&name(26, 4711, BYTES), BYTES), Some((26, 4711)));
    }

    #[test]
    fn the_log_across_a_fork_is_the_later_timelines_from_the_forks_segment_on() {
        let fork = [place(1, 2 * BYTES + 9)];
        let to = place(5, 3 * BYTES + 1);
        let named = names(BYTES + 5, to, &fork, BYTES);
        assert_eq!(named, [name(1, 1, BYTES), name(5, 2, BYTES), name(5, 3, BYTES)]);
        assert_eq!(names(9, place(1, 9), &[], BYTES), [name(1, 0, BYTES)], "nothing in it");
        let full = names(BYTES, place(1, BYTES), &[], BYTES);
        assert_eq!(full, [name(1, 0, BYTES)], "nothing of the next one");
        assert_eq!(names(9, place(1, BYTES), &[], BYTES), [name(1, 0, BYTES)], "to its end");
    }
}
