//! What only this node held and is kept on its disk: a directory for each term, with a summary that
//! is written last.
//!
//! It is bounded: of the newest finding the log is kept, of earlier ones the text and the summary,
//! and of all of them the last few, for a while.

use std::path::{Path, PathBuf};

use bellwether_contracts::Failure;
use bellwether_model::Term;
use bellwether_model::divergence::Divergence;
use tracing::warn;

use crate::files::{User, at, remove};

const DIVERGED: &str = "/data/diverged";

const SUMMARY: &str = "summary.json";

/// The records of a log, made readable.
const TEXT: &str = "records.txt";

/// So many findings are kept, and so long.
const FINDINGS_MAX: usize = 8;
const KEPT_MS: u64 = 30 * 24 * 3_600_000;

/// Where that of a term is kept.
pub(crate) fn directory(term: Term) -> PathBuf {
    Path::new(DIVERGED).join(term.to_string())
}

/// The file of the readable records there.
pub(crate) fn text(directory: &Path) -> PathBuf {
    directory.join(TEXT)
}

pub(crate) fn write_summary(
    user: User,
    directory: &Path,
    divergence: &Divergence,
) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(divergence).expect("plain data");
    user.write_durably(&directory.join(SUMMARY), &text)
}

pub(crate) fn read(directory: &Path) -> Option<Divergence> {
    let text = std::fs::read_to_string(directory.join(SUMMARY)).ok()?;
    serde_json::from_str(&text).ok()
}

/// Everything that is kept, the newest first.
pub(crate) fn findings() -> Vec<Divergence> {
    let Ok(entries) = std::fs::read_dir(DIVERGED) else { return Vec::new() };
    let mut all: Vec<Divergence> = entries.filter_map(|entry| read(&entry.ok()?.path())).collect();
    all.sort_by_key(|found| std::cmp::Reverse((found.term, found.found_at)));
    all
}

/// Writes the summary of a finding, with which it is complete, and lets go of what is too much.
pub(crate) fn complete(user: User, divergence: &Divergence) -> Result<(), Failure> {
    write_summary(user, Path::new(&divergence.directory), divergence)?;
    prune(user, divergence);
    Ok(())
}

/// Removes what is too old or too much. Earlier findings keep their summary and their text.
fn prune(user: User, newest: &Divergence) {
    let now = newest.found_at;
    let earlier = findings().into_iter().filter(|found| found.directory != newest.directory);
    for (place, mut found) in earlier.enumerate() {
        let directory = PathBuf::from(&found.directory);
        let is_over = place + 1 >= FINDINGS_MAX || now.millis_since(found.found_at) > KEPT_MS;
        let result = if is_over {
            remove(&directory)
        } else if newest.segments > 0 && found.segments > 0 {
            (found.segments, found.is_cut) = (0, true);
            remove_log(&directory).and_then(|()| write_summary(user, &directory, &found))
        } else {
            Ok(())
        };
        if let Err(failure) = result {
            warn!("an earlier finding cannot be removed: {failure}");
        }
    }
}

fn remove_log(directory: &Path) -> Result<(), Failure> {
    let entries = std::fs::read_dir(directory).map_err(|e| at(directory, &e))?;
    for entry in entries.flatten() {
        if entry.file_name() != SUMMARY && entry.file_name() != TEXT {
            std::fs::remove_file(entry.path()).map_err(|e| at(&entry.path(), &e))?;
        }
    }
    Ok(())
}
