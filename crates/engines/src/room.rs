//! Room on the node's disk: how much there is, and what is held in reserve for an engine that has
//! none to start.

use std::path::Path;

use bellwether_contracts::Failure;
use bellwether_model::node::disk_kept_free;
use tracing::warn;

use crate::files::{DATA, at, remove_file};

/// Room that is taken while there is plenty, and given to an engine that has none to start.
const RESERVE: &str = "/data/reserve";

/// What the end of a recovery writes.
const RESERVE_BYTES: u64 = 48 << 20;

/// Free and in all, of the node's disk.
pub(crate) fn room() -> Option<(u64, u64)> {
    let disk = rustix::fs::statvfs(DATA).ok()?;
    Some((disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize))
}

/// Whether so many more bytes fit beside what an engine needs to go on.
pub(crate) fn has_room_for(bytes: u64) -> bool {
    room().is_none_or(|(free, size)| free > bytes + disk_kept_free(size))
}

/// Whether new data has to be refused: early, and accepted late, so that it does not go to and fro.
pub(crate) fn must_refuse(is_refusing: bool, free: u64, size: u64) -> bool {
    let least = disk_kept_free(size);
    free < if is_refusing { least * 2 } else { least }
}

/// While the engine is down: gives it, and what is to be written down before it is started, what
/// was held in reserve, if there is no room.
pub(crate) fn release_reserve() {
    let reserve = Path::new(RESERVE);
    if reserve.exists() && room().is_some_and(|(free, _)| free < RESERVE_BYTES) {
        match remove_file(reserve) {
            Ok(()) => warn!("the disk is full; what was held in reserve is given to the engine"),
            Err(failure) => warn!("what is held in reserve cannot be given: {failure}"),
        }
    }
}

/// Whether some is held in reserve: what was given to an engine is not for new data.
pub(crate) fn has_reserve() -> bool {
    Path::new(RESERVE).exists()
}

/// While the engine runs and there is plenty: holds some in reserve.
pub(crate) fn keep_reserve(free: u64, size: u64) {
    let has_plenty = free > disk_kept_free(size) * 2 + RESERVE_BYTES;
    if has_plenty
        && !Path::new(RESERVE).exists()
        && let Err(failure) = reserve()
    {
        warn!("no room can be held in reserve: {failure}");
    }
}

fn reserve() -> Result<(), Failure> {
    let new = Path::new("/data/reserve.new");
    let file = std::fs::File::create(new).map_err(|e| at(new, &e))?;
    let flags = rustix::fs::FallocateFlags::empty();
    rustix::fs::fallocate(&file, flags, 0, RESERVE_BYTES).map_err(|e| at(new, &e.into()))?;
    std::fs::rename(new, RESERVE).map_err(|e| at(new, &e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_data_is_refused_early_and_accepted_late() {
        let size = 100 << 30;
        assert!(!must_refuse(false, 2 << 30, size));
        assert!(must_refuse(false, (1 << 30) - 1, size));
        assert!(must_refuse(true, 3 << 29, size));
        assert!(!must_refuse(true, 2 << 30, size));
        assert!(must_refuse(false, 31 << 20, 1 << 30), "a small disk needs room for its log, too");
    }
}
