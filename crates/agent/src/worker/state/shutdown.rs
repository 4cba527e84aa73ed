//! What a worker does last.

use tracing::warn;

use super::{Surrender, Worker};

impl Worker {
    /// The machine is being stopped: so is the engine, in an orderly way. Where others can lead,
    /// the role is given up with the end of the log, so that the next need not wait for this
    /// machine; whether it was. An only node goes on where it was when it is started again.
    pub(in crate::worker) async fn stop_for_shutdown(&mut self) -> bool {
        let is_idle = self.step.is_none();
        if let Some((_, task)) = self.step.take() {
            task.abort();
        }
        let Some(driver) = self.driver.clone() else { return false };
        let leads = is_idle && self.serving().is_some();
        let position = match driver.stop().await {
            Ok(position) => position,
            Err(failure) => {
                warn!("the engine did not stop: {failure}");
                return false;
            }
        };
        let config = self.orders.as_ref().map(|orders| &orders.assignment.group.config);
        let has_others = config.is_some_and(|config| !config.is_solo());
        if !leads || !has_others || position.is_none() {
            return false;
        }
        let term = self.role.primary_term;
        self.surrender(Surrender { term, position, clean: true });
        self.probe = driver.probe().await;
        true
    }
}
