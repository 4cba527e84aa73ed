//! A disk that fills up. New data is refused while the engine's log still has room, for without it
//! the engine ends.

use std::path::PathBuf;
use std::sync::atomic::Ordering;

use bellwether_contracts::Failure;
use tracing::{info, warn};

use super::{OS_USER, Postgres, socket};
use crate::room::{has_reserve, keep_reserve, must_refuse, release_reserve, room};

/// Whether new data is refused: not on the node's disk, where it could not be written any more.
pub(super) fn setting() -> PathBuf {
    socket().join("room.conf")
}

/// As the running engine was told last.
pub(super) fn is_refusing() -> bool {
    std::fs::read_to_string(setting()).is_ok_and(|text| text.contains("= on"))
}

fn write_setting(refuse: bool) -> Result<(), Failure> {
    OS_USER.own_directory(socket())?;
    let value = if refuse { "on" } else { "off" };
    let text = format!("default_transaction_read_only = {value}\n");
    OS_USER.write(&setting(), text.as_bytes()).map(|_| ())
}

impl Postgres {
    /// Before the engine starts: whether it shall take new data.
    pub(super) fn make_room(&self) -> Result<(), Failure> {
        release_reserve();
        // It may have ended before anybody noticed that there was no room.
        let was_full = is_refusing() || !has_reserve();
        let Some((free, size)) = room() else { return Ok(()) };
        let refuse = must_refuse(was_full, free, size);
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
        keep_reserve(free, size);
    }
}
