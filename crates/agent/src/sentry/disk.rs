//! Saves what the sentry must not forget, one state at a time, always the newest. The lease does
//! not wait for a disk.

use tracing::{error, info};

use super::core::{Core, Durable};
use super::hands::Hands;

/// Between two attempts when the disk refuses.
const RETRY_MS: u64 = 1_000;

/// What is known of the saving.
#[derive(Default)]
pub(super) struct Disk {
    is_saving: bool,
    failed_at: Option<u64>,
}

impl Disk {
    /// Begins to save what is not saved yet.
    pub(super) fn save<H: Hands>(&mut self, core: &Core, hands: &mut H) {
        let now = hands.now();
        let may_try = self.failed_at.is_none_or(|at| now.saturating_sub(at) >= RETRY_MS);
        let Some(durable) = core.unsaved().filter(|_| !self.is_saving && may_try).cloned() else {
            return;
        };
        self.is_saving = true;
        hands.save(durable);
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
