//! Takes backups that are ordered, and looks through restored data, beside the loop and beside
//! every step.

use std::sync::{Arc, Mutex};

use bellwether_contracts::{Class, Driver, Failure, OpenRepository};
use bellwether_model::Target;
use bellwether_model::backup::{BackupEnd, BackupReport};
use bellwether_model::restore::{CheckReport, Checked};
use bellwether_protocol::Assignment;
use bellwether_protocol::assignment::BackupAssignment;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;
use tracing::{info, warn};

use super::{ProcessState, Worker};

/// What is under way beside the engine's steps.
pub(super) struct Aside {
    open: OpenRepository,
    backup: Option<Running<BackupEnd>>,
    check: Option<Running<Result<Checked, Failure>>>,
    checked: Option<CheckReport>,
    pub(super) bringing: Option<Running<Result<(), Failure>>>,
    /// Why the last attempt to bring data failed, and when.
    pub(super) not_brought: Option<(Failure, Instant)>,
}

pub(super) struct Running<T> {
    token: String,
    progress: Arc<Mutex<(u64, u64)>>,
    task: AbortOnDropHandle<T>,
}

impl Aside {
    pub(super) fn new(open: OpenRepository) -> Self {
        Self { open, backup: None, check: None, checked: None, bringing: None, not_brought: None }
    }

    pub(super) fn open(&self) -> OpenRepository {
        self.open.clone()
    }
}

impl<T: Send + 'static> Running<T> {
    /// Begins; whoever waits is woken at the end.
    pub(super) fn begin(
        token: &str,
        waker: Arc<Notify>,
        work: impl FnOnce(Arc<Mutex<(u64, u64)>>) -> JoinHandle<T>,
    ) -> Self {
        let progress = Arc::new(Mutex::new((0, 0)));
        let inner = AbortOnDropHandle::new(work(progress.clone()));
        let task = tokio::spawn(async move {
            let end = inner.await;
            waker.notify_one();
            end.unwrap_or_else(|broken| std::panic::resume_unwind(broken.into_panic()))
        });
        Self { token: token.to_owned(), progress, task: AbortOnDropHandle::new(task) }
    }

    pub(super) fn token(&self) -> &str {
        &self.token
    }

    pub(super) fn progress(&self) -> (u64, u64) {
        *self.progress.lock().expect("nothing panics while it is held")
    }

    pub(super) fn is_finished(&self) -> bool {
        self.task.is_finished()
    }

    /// What came of it; none when it broke.
    pub(super) async fn end(self) -> Option<T> {
        self.task.await.ok()
    }
}

impl Worker {
    /// Does what is ordered of backups; none of it is in the way of anything else.
    pub(super) async fn keep_backups(&mut self, driver: &Arc<dyn Driver>, assignment: &Assignment) {
        self.collect_backup().await;
        self.collect_check().await;
        let ordered = assignment.backup.as_ref();
        let token = ordered.map(|backup| backup.order.token.as_str());
        // What is not wanted any more ends; what was stored by then is used by the next.
        if self.aside.backup.as_ref().is_some_and(|running| Some(running.token.as_str()) != token) {
            info!("the backup is given up: it is not wanted any more");
            self.aside.backup = None;
        }
        let is_up = self.probe.process == ProcessState::Up;
        if let Some(backup) = ordered
            && is_up
            && self.aside.backup.is_none()
            && self.role.backup.as_ref().is_none_or(|done| done.token != backup.order.token)
        {
            self.begin_backup(driver, assignment, backup);
        }
        let Some(order) = &assignment.check else { return };
        let serves = matches!(assignment.target, Target::Primary { term, .. }
            if self.served == Some(term));
        let is_done = self.aside.checked.as_ref().is_some_and(|done| done.token == order.token);
        if is_up && serves && !is_done && self.aside.check.is_none() {
            let driver = driver.clone();
            let work = |_| tokio::spawn(async move { driver.check().await });
            self.aside.check = Some(Running::begin(&order.token, self.waker.clone(), work));
        }
    }

    fn begin_backup(
        &mut self,
        driver: &Arc<dyn Driver>,
        assignment: &Assignment,
        backup: &BackupAssignment,
    ) {
        info!("backup {}: begins", backup.order.backup);
        let repository = (self.aside.open)(&backup.access);
        let (driver, assignment, backup) = (driver.clone(), assignment.clone(), backup.clone());
        let token = backup.order.token.clone();
        let work = move |progress: Arc<Mutex<(u64, u64)>>| {
            tokio::spawn(async move {
                let tell = move |done: u64, all: u64| {
                    *progress.lock().expect("nothing panics while it is held") = (done, all);
                };
                let taken = driver.back_up(&assignment, &backup, repository.as_ref(), &tell).await;
                match taken {
                    Ok(result) => BackupEnd::Complete(Box::new(result)),
                    Err(failure) => failed(failure),
                }
            })
        };
        self.aside.backup = Some(Running::begin(&token, self.waker.clone(), work));
    }

    /// Notes how it ended, on the disk: a worker that is started again does not take it again.
    async fn collect_backup(&mut self) {
        let Some(running) = self.aside.backup.take_if(|running| running.task.is_finished()) else {
            return;
        };
        let (done, all) = *running.progress.lock().expect("nothing panics while it is held");
        let broke = |_| failed(Failure::transient("the work on the backup broke"));
        let end = running.task.await.unwrap_or_else(broke);
        if let BackupEnd::Failed { why, .. } = &end {
            warn!("the backup failed: {why}");
        }
        self.role.backup = Some(BackupReport { token: running.token, done, all, end: Some(end) });
        self.is_role_unsaved = true;
    }

    async fn collect_check(&mut self) {
        let Some(running) = self.aside.check.take_if(|running| running.task.is_finished()) else {
            return;
        };
        let found = match running.task.await {
            Ok(Ok(checked)) => checked,
            Ok(Err(failure)) => Checked { wrong: vec![failure.text], ..Checked::default() },
            Err(_) => Checked { wrong: vec!["the work broke".to_owned()], ..Checked::default() },
        };
        self.aside.checked = Some(CheckReport { token: running.token, end: Some(found) });
    }

    /// How far the backup that is ordered has come.
    pub(super) fn backup_report(&self) -> Option<BackupReport> {
        let ordered = &self.assignment()?.backup.as_ref()?.order.token;
        if let Some(running) = self.aside.backup.as_ref().filter(|r| r.token == *ordered) {
            let (done, all) = *running.progress.lock().expect("nothing panics while it is held");
            return Some(BackupReport { token: running.token.clone(), done, all, end: None });
        }
        self.role.backup.clone().filter(|report| report.token == *ordered)
    }

    pub(super) fn check_report(&self) -> Option<CheckReport> {
        let ordered = &self.assignment()?.check.as_ref()?.token;
        if let Some(running) = self.aside.check.as_ref().filter(|r| r.token == *ordered) {
            return Some(CheckReport { token: running.token.clone(), end: None });
        }
        self.aside.checked.clone().filter(|report| report.token == *ordered)
    }
}

fn failed(failure: Failure) -> BackupEnd {
    BackupEnd::Failed { may_help: failure.class == Class::Transient, why: failure.text }
}
