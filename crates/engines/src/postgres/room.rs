//! A disk that fills up. New data is refused while the engine's log still has room, for without it
//! the engine ends; and what is held in reserve lets it start when it had none after all.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use bellwether_contracts::Failure;
use bellwether_model::node::disk_kept_free;
use tracing::{info, warn};

use super::config::{at, write};
use super::replication::remove_file;
use super::{Postgres, process, socket};

/// Room that is taken while there is plenty, and given to an engine that has none to start.
const RESERVE: &str = "/data/reserve";

/// Two pieces of log and what the end of a recovery writes.
const RESERVE_BYTES: u64 = 48 << 20;

/// Free and in all, of the node's disk.
fn room() -> Option<(u64, u64)> {
    let disk = rustix::fs::statvfs("/data").ok()?;
    Some((disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize))
}

/// Whether so many more bytes fit beside what an engine needs to go on.
pub(super) fn has_room_for(bytes: u64) -> bool {
    room().is_none_or(|(free, size)| free > bytes + disk_kept_free(size))
}

/// Whether new data is refused: not on the node's disk, where it could not be written any more.
pub(super) fn setting() -> PathBuf {
    socket().join("room.conf")
}

/// As the running engine was told last.
pub(super) fn is_refusing() -> bool {
    std::fs::read_to_string(setting()).is_ok_and(|text| text.contains("= on"))
}

fn write_setting(refuse: bool) -> Result<(), Failure> {
    process::own_directory(socket())?;
    let value = if refuse { "on" } else { "off" };
    write(&setting(), format!("default_transaction_read_only = {value}\n").as_bytes()).map(|_| ())
}

/// It is refused early and accepted late, so that it does not go to and fro.
fn must_refuse(is_refusing: bool, free: u64, size: u64) -> bool {
    let least = disk_kept_free(size);
    free < if is_refusing { least * 2 } else { least }
}

impl Postgres {
    /// Before the engine starts: whether it shall take new data.
    pub(super) fn make_room(&self) -> Result<(), Failure> {
        release_reserve();
        let Some((free, size)) = room() else { return Ok(()) };
        let refuse = must_refuse(is_refusing(), free, size);
        write_setting(refuse)?;
        self.refusing.store(refuse, Ordering::Relaxed);
        Ok(())
    }

    /// While the engine runs: refuses new data in time, and accepts it when there is room again.
    pub(super) async fn watch_room(&self) {
        let Some((free, size)) = room() else { return };
        let known = self.refusing.load(Ordering::Relaxed);
        let refuse = must_refuse(known, free, size);
        if refuse != known {
            let told = match write_setting(refuse) {
                Ok(()) => self.reload().await,
                Err(failure) => Err(failure),
            };
            match told {
                Ok(()) if refuse => warn!("the disk is full: new data is refused"),
                Ok(()) => info!("the disk has room again: new data is accepted"),
                Err(failure) => return warn!("the room on the disk: {failure}"),
            }
            self.refusing.store(refuse, Ordering::Relaxed);
        }
        let has_plenty = free > disk_kept_free(size) * 2 + RESERVE_BYTES;
        if has_plenty
            && !Path::new(RESERVE).exists()
            && let Err(failure) = reserve()
        {
            warn!("no room can be held in reserve: {failure}");
        }
    }
}

/// While the engine is down: gives it, and what is to be written down before it is started, what
/// was held in reserve, if there is no room.
pub(super) fn release_reserve() {
    let reserve = Path::new(RESERVE);
    if reserve.exists() && room().is_some_and(|(free, _)| free < RESERVE_BYTES) {
        match remove_file(reserve) {
            Ok(()) => warn!("the disk is full; what was held in reserve is given to the engine"),
            Err(failure) => warn!("what is held in reserve cannot be given: {failure}"),
        }
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
