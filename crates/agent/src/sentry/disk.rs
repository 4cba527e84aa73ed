//! Saves what the sentry must not forget, on a thread of its own: the lease does not wait for a
//! disk.

use std::path::PathBuf;

use tokio::sync::mpsc;
use tracing::{error, info};

use super::core::{Core, Durable};
use crate::files;

/// Between two attempts when the disk refuses.
const RETRY_MS: u64 = 1_000;

/// Writes one state at a time, always the newest.
pub(super) struct Disk {
    path: PathBuf,
    is_saving: bool,
    failed_at: Option<u64>,
    sender: mpsc::Sender<std::io::Result<Durable>>,
    results: mpsc::Receiver<std::io::Result<Durable>>,
}

impl Disk {
    pub(super) fn new(path: PathBuf) -> Self {
        let (sender, results) = mpsc::channel(1);
        Self { path, is_saving: false, failed_at: None, sender, results }
    }

    /// Begins to save what is not saved yet.
    pub(super) fn save(&mut self, core: &Core, now: u64) {
        let may_try = self.failed_at.is_none_or(|at| now.saturating_sub(at) >= RETRY_MS);
        let Some(durable) = core.unsaved().filter(|_| !self.is_saving && may_try).cloned() else {
            return;
        };
        self.is_saving = true;
        let (sender, path) = (self.sender.clone(), self.path.clone());
        tokio::task::spawn_blocking(move || {
            let result = files::write_json(&path, &durable).map(|()| durable);
            let _ = sender.blocking_send(result);
        });
    }

    /// Waits for the end of a saving.
    pub(super) async fn ended(&mut self) -> std::io::Result<Durable> {
        match self.results.recv().await {
            Some(result) => result,
            // Not while this holds a sender.
            None => std::future::pending().await,
        }
    }

    /// Takes its result in; what was saved, if it was.
    pub(super) fn take(&mut self, result: std::io::Result<Durable>, now: u64) -> Option<Durable> {
        self.is_saving = false;
        match result {
            Ok(durable) => {
                if self.failed_at.take().is_some() {
                    info!("the sentry's state is saved again");
                }
                Some(durable)
            }
            Err(error) => {
                if self.failed_at.replace(now).is_none() {
                    error!("no promise can be given: the sentry's state cannot be saved: {error}");
                }
                None
            }
        }
    }
}
