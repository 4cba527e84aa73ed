//! What is known of data beside it: whether it was last a primary's, and where in the replication
//! stream it was, which the engine forgets with a stop.

use std::path::Path;

use bellwether_contracts::Failure;
use bellwether_contracts::driver::DataState;
use bellwether_model::Term;
use bellwether_model::replication::Position;
use serde::{Deserialize, Serialize};

use super::{Redis, data, former_data, log_of, new_data};

/// In data that was copied under an order: its token.
pub(super) const COPIED: &str = "bellwether_copied";

/// In data that was set aside to take the place of other data: the token of the order.
pub(super) const BROUGHT: &str = "bellwether_brought";

/// In data of a primary.
pub(super) const PRIMARY: &str = "bellwether_primary";

/// In every data: its place.
const PLACE: &str = "bellwether_place";

/// A place in a replication stream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    /// Names the stream.
    pub(super) stream: String,
    pub(super) term: Term,
    pub(super) offset: u64,
    /// Bytes of the append-only files then.
    #[serde(default)]
    pub(super) log_bytes: u64,
    /// The engine was stopped there, and nothing came after.
    pub(super) is_end: bool,
}

impl Place {
    pub(super) fn position(&self) -> Position {
        Position { timeline: self.term, offset: self.offset }
    }
}

/// The place of the data, as it was known last.
pub(super) fn place() -> Option<Place> {
    serde_json::from_slice(&std::fs::read(data().join(PLACE)).ok()?).ok()
}

/// Notes it. Not flushed: it is of use to who comes after a process, and after a power cut it is
/// a little old.
pub(super) fn note_place(place: &Place) -> std::io::Result<()> {
    let path = data().join(PLACE);
    let new = path.with_extension("new");
    std::fs::write(&new, serde_json::to_vec(place)?)?;
    std::fs::rename(&new, &path)
}

pub(super) fn was_primary() -> bool {
    data().join(PRIMARY).exists()
}

impl Redis {
    /// Durable when it returns.
    pub(super) fn set_primary(&self, is_primary: bool) -> Result<(), Failure> {
        let path = data().join(PRIMARY);
        if is_primary == path.exists() {
            return Ok(());
        }
        if is_primary {
            return self.kind.user().write_durably(&path, "");
        }
        crate::files::remove_file(&path)?;
        crate::files::sync_directory(data())
    }
}

pub(super) fn is_whole(directory: &Path) -> bool {
    log_of(directory).join("appendonly.aof.manifest").exists()
        || directory.join("appendonly.aof").exists()
}

pub(super) fn data_state() -> DataState {
    if is_whole(data()) {
        let clean = place().is_some_and(|place| place.is_end);
        return DataState::Present { was_primary: was_primary(), clean };
    }
    if new_data().exists() || data().exists() { DataState::Partial } else { DataState::Absent }
}

/// Bytes of the append-only files that make up the data, as its manifest lists them: `file NAME seq
/// N type i`.
pub(super) fn log_bytes() -> Option<u64> {
    let directory = log_of(data());
    let manifest = std::fs::read_to_string(directory.join("appendonly.aof.manifest")).ok()?;
    let name = |line: &str| {
        let mut words = line.split(' ');
        let name = words.find(|word| *word == "file").and_then(|_| words.next())?.to_owned();
        let is_history = line.trim_end().ends_with("type h");
        (!is_history).then_some(name)
    };
    let size = |name: String| std::fs::metadata(directory.join(name)).map_or(0, |file| file.len());
    Some(manifest.lines().filter_map(name).map(size).sum())
}

/// The token of the order that the data was copied under.
pub(super) fn copied() -> Option<String> {
    std::fs::read_to_string(data().join(COPIED)).ok()
}

/// The token of the order under which that data was set aside.
pub(super) fn brought(directory: &Path) -> Option<String> {
    std::fs::read_to_string(directory.join(BROUGHT)).ok()
}

pub(super) fn keeps_former() -> bool {
    former_data().exists()
}
