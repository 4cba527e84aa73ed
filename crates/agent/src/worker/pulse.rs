//! Whether a disk takes writes: one is made all the time, by a thread that may hang with the disk.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tracing::warn;

/// Between two writes.
const BEAT_EVERY: Duration = Duration::from_secs(1);

pub(super) struct Pulse {
    beats: Arc<AtomicU64>,
}

impl Pulse {
    /// Begins to write to that file, for as long as somebody asks.
    pub(super) fn of(path: PathBuf) -> Self {
        let beats = Arc::new(AtomicU64::new(0));
        let counted = Arc::downgrade(&beats);
        let beat = move || {
            while let Some(beats) = counted.upgrade() {
                // A refusal is an answer too: of a disk that is full or broken the engine says so.
                if let Err(error) = write(&path) {
                    tracing::debug!("the disk refuses: {error}");
                }
                beats.fetch_add(1, Ordering::Relaxed);
                drop(beats);
                std::thread::sleep(BEAT_EVERY);
            }
        };
        if let Err(error) = std::thread::Builder::new().name("pulse".to_owned()).spawn(beat) {
            warn!("a disk that hangs will not be noticed: {error}");
        }
        Self { beats }
    }

    pub(super) fn beats(&self) -> u64 {
        self.beats.load(Ordering::Relaxed)
    }
}

fn write(path: &Path) -> std::io::Result<()> {
    let mut file =
        std::fs::OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
    file.write_all(b"still here\n")?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_answers_beats() {
        let directory = tempfile::tempdir().expect("a directory");
        for path in [directory.path().join("pulse"), directory.path().join("missing/pulse")] {
            let pulse = Pulse::of(path);
            while pulse.beats() == 0 {
                std::thread::yield_now();
            }
        }
    }
}
