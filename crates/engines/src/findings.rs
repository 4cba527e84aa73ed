//! What only this node held and is kept on its disk: a directory for each term, with a summary that
//! is written last.

use std::path::{Path, PathBuf};

use bellwether_contracts::Failure;
use bellwether_model::Term;
use bellwether_model::divergence::Divergence;

use crate::files::User;

const DIVERGED: &str = "/data/diverged";

const SUMMARY: &str = "summary.json";

/// Where that of a term is kept.
pub(crate) fn directory(term: Term) -> PathBuf {
    Path::new(DIVERGED).join(term.to_string())
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
