//! Brings data that is to take the place of the primary's, beside the loop and beside every step.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bellwether_contracts::{Class, Driver};
use bellwether_model::Target;
use bellwether_model::restore::{BringReport, ReplaceStage};
use bellwether_protocol::Assignment;
use bellwether_protocol::assignment::ReplaceAssignment;
use tokio::time::Instant;
use tracing::{info, warn};

use super::Worker;
use super::backup::{Aside, Running};

/// Between two attempts.
const PAUSE: Duration = Duration::from_secs(5);

impl Aside {
    pub(super) fn is_bringing(&self) -> bool {
        self.bringing.is_some()
    }
}

impl Worker {
    /// Whether what is aside is to take the place of the data now.
    pub(super) fn is_to_exchange(&self, assignment: &Assignment) -> bool {
        let Some(order) = &assignment.replace else { return false };
        let is_now = matches!((order.stage, &assignment.target),
            (ReplaceStage::Exchange { term }, Target::Demoted { term: given }) if term == *given);
        is_now && self.probe.replaced.as_ref() != Some(&order.token)
    }

    pub(super) async fn bring(&mut self, driver: &Arc<dyn Driver>, assignment: &Assignment) {
        let order = assignment.replace.as_ref();
        let order = order.filter(|order| order.stage == ReplaceStage::Bring);
        let token = order.map(|order| order.token.as_str());
        if self.aside.bringing.as_ref().is_some_and(|running| Some(running.token()) != token) {
            info!("data that was being brought is not wanted any more");
            (self.aside.bringing, self.aside.not_brought) = (None, None);
        }
        let ended = self.aside.bringing.take_if(|running| running.is_finished());
        if let Some(running) = ended {
            match running.end().await {
                Some(Ok(())) => info!("data is set aside, to take the place of what is here"),
                Some(Err(failure)) => {
                    warn!("data cannot be brought: {failure}");
                    self.aside.not_brought = Some((failure, Instant::now()));
                }
                None => warn!("the work that brings data broke"),
            }
            // What is there now is seen by the next look.
            return;
        }
        let Some(order) = order else {
            self.aside.not_brought = None;
            return;
        };
        let is_too_early =
            self.aside.not_brought.as_ref().is_some_and(|(_, at)| at.elapsed() < PAUSE);
        let is_there = self.probe.aside.as_ref() == Some(&order.token);
        let is_dropping = self.dropping.as_ref().is_some_and(|task| !task.is_finished());
        if is_there || is_too_early || is_dropping || self.aside.bringing.is_some() {
            return;
        }
        self.begin_to_bring(driver, assignment, order);
    }

    fn begin_to_bring(
        &mut self,
        driver: &Arc<dyn Driver>,
        assignment: &Assignment,
        order: &ReplaceAssignment,
    ) {
        info!("data is brought, to take the place of what is here");
        let open = self.aside.open();
        let (driver, assignment, order) = (driver.clone(), assignment.clone(), order.clone());
        let token = order.token.clone();
        let work = move |progress: Arc<Mutex<(u64, u64)>>| {
            tokio::spawn(async move {
                let tell = move |done: u64, all: u64| {
                    *progress.lock().expect("nothing panics while it is held") = (done, all);
                };
                let repository = order.restore.as_ref().map(|restore| open(&restore.access));
                let source = order.restore.as_ref().zip(repository.as_deref());
                driver.bring(&assignment, &order.token, source, &tell).await
            })
        };
        self.aside.bringing = Some(Running::begin(&token, self.waker.clone(), work));
    }

    /// How far the data that is ordered has come.
    pub(super) fn bring_report(&self) -> Option<BringReport> {
        let token = &self.assignment()?.replace.as_ref()?.token;
        let running = self.aside.bringing.as_ref().filter(|running| running.token() == token);
        let (done, all) = running.map_or((0, 0), Running::progress);
        let failure = self.aside.not_brought.as_ref().map(|(failure, _)| failure);
        Some(BringReport {
            token: token.clone(),
            done,
            all,
            is_there: self.probe.aside.as_ref() == Some(token),
            failure: failure.map(|failure| failure.text.clone()),
            is_hopeless: failure.is_some_and(|failure| failure.class != Class::Transient),
        })
    }
}
