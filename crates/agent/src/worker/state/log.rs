//! Stores the log that is to be kept, beside the loop and beside every step.
//!
//! A piece grows: it is stored again with what was written since, in the place of what it was,
//! until it is large enough. So little that is written seldom makes few pieces, and none is long
//! in coming.

use std::sync::Arc;
use std::time::Duration;

use bellwether_contracts::driver::{LogSpan, Logged};
use bellwether_contracts::{Driver, Failure};
use bellwether_model::Target;
use bellwether_model::log::{LogReport, StoredPiece};
use bellwether_model::replication::Position;
use bellwether_protocol::Assignment;
use bellwether_protocol::assignment::LogAssignment;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;
use tracing::{info, warn};

use super::{ProcessState, Worker};

/// A piece of so many bytes grows no more.
const LARGE: u64 = 64 << 20;

/// One stretch of the log, as it is stored here.
pub(super) struct Keeping {
    report: LogReport,
    /// The piece that was stored last.
    last: Option<StoredPiece>,
    /// It grows no more: not all of it is left to be stored again.
    is_last_whole: bool,
    due: Instant,
    task: Option<AbortOnDropHandle<Result<Logged, Failure>>>,
}

impl Keeping {
    fn new(stretch: &str) -> Self {
        info!("the log is kept from now on");
        let report = LogReport { stretch: stretch.to_owned(), ..LogReport::default() };
        Self { report, last: None, is_last_whole: false, due: Instant::now(), task: None }
    }

    /// What is to be stored next.
    fn span(&self, known: Option<Position>) -> LogSpan {
        let from = self.last.as_ref().map(|last| match self.grows(last) {
            true => last.piece.from,
            false => last.piece.to,
        });
        let stored = self.last.as_ref().map(|last| last.piece.to);
        LogSpan { from: from.or(known), stored }
    }

    fn grows(&self, last: &StoredPiece) -> bool {
        last.piece.size < LARGE && !self.is_last_whole
    }

    fn note(&mut self, logged: Result<Logged, Failure>) {
        let grew = self.last.as_ref().is_some_and(|last| self.grows(last));
        let report = &mut self.report;
        report.failure = None;
        match logged {
            Ok(Logged::Stored(stored)) => {
                // In the place of what it was.
                report.pieces.retain(|known| known.piece.from != stored.piece.from);
                report.until = Some(stored.piece.until);
                report.pieces.push(stored.clone());
                (self.last, self.is_last_whole) = (Some(stored), false);
            }
            Ok(Logged::Same(until)) => report.until = Some(until),
            // What is stored already is not needed once more.
            Ok(Logged::Gap(_)) if grew => {
                (self.is_last_whole, self.due) = (true, Instant::now());
            }
            Ok(Logged::Gap(why)) => {
                warn!("the log has a gap: {why}");
                report.gap = Some(why);
            }
            Err(failure) => {
                warn!("the log is not stored: {failure}");
                report.failure = Some(failure.text);
            }
        }
    }

    /// What the server knows of is not told again.
    fn forget_known(&mut self, known: Option<Position>) {
        self.report.pieces.retain(|stored| known.is_none_or(|known| stored.piece.to > known));
    }

    fn is_due(&self) -> bool {
        self.task.is_none() && self.report.gap.is_none() && Instant::now() >= self.due
    }
}

impl Worker {
    /// Stores the log while this is the primary that serves; none of it is in the way of anything.
    pub(super) async fn keep_log(&mut self, driver: &Arc<dyn Driver>, assignment: &Assignment) {
        let serves = matches!(assignment.target, Target::Primary { term, .. }
            if self.served == Some(term));
        let is_up = self.probe.process == ProcessState::Up;
        let wanted = assignment.log.as_ref().filter(|log| log.store.is_some() && serves && is_up);
        let Some(log) = wanted else {
            self.log = None;
            return;
        };
        if self.log.as_ref().is_none_or(|known| known.report.stretch != log.stretch) {
            self.log = Some(Keeping::new(&log.stretch));
        }
        let Some(keeping) = &mut self.log else { return };
        if let Some(task) = keeping.task.take_if(|task| task.is_finished()) {
            let broke = |_| Err(Failure::transient("the work on the log broke"));
            keeping.note(task.await.unwrap_or_else(broke));
        }
        keeping.forget_known(log.from);
        if keeping.is_due() {
            self.begin_log(driver, assignment, log);
        }
    }

    fn begin_log(
        &mut self,
        driver: &Arc<dyn Driver>,
        assignment: &Assignment,
        log: &LogAssignment,
    ) {
        let (Some(keeping), Some(store)) = (&mut self.log, &log.store) else { return };
        let repository = (self.aside.open())(&store.access);
        let (driver, assignment, log) = (driver.clone(), assignment.clone(), log.clone());
        let (span, waker) = (keeping.span(log.from), self.waker.clone());
        keeping.due = Instant::now() + Duration::from_secs(store.every_seconds.into());
        keeping.task = Some(AbortOnDropHandle::new(tokio::spawn(async move {
            let stored = driver.store_log(&assignment, &log, span, repository.as_ref()).await;
            waker.notify_one();
            stored
        })));
    }

    /// What is stored of the log here.
    pub(super) fn log_report(&self) -> Option<LogReport> {
        self.log.as_ref().map(|keeping| keeping.report.clone())
    }
}

#[cfg(test)]
mod tests {
    use bellwether_model::Timestamp;
    use bellwether_model::log::LogPiece;

    use super::*;

    fn place(offset: u64) -> Position {
        Position { timeline: 1, offset }
    }

    fn stored(from: u64, to: u64, size: u64) -> Result<Logged, Failure> {
        let piece = LogPiece {
            id: format!("{from}-{to}").into(),
            cluster: "c".into(),
            stretch: "s".into(),
            from: place(from),
            to: place(to),
            until: Timestamp::from_millis(0),
            history: Vec::new(),
            size,
        };
        Ok(Logged::Stored(StoredPiece { piece, archive: String::new() }))
    }

    #[tokio::test]
    async fn a_piece_grows_until_it_is_large_and_is_told_until_it_is_known() {
        let mut keeping = Keeping::new("s");
        let span = |from, stored| LogSpan { from, stored };
        assert_eq!(keeping.span(Some(place(10))), span(Some(place(10)), None));
        keeping.note(stored(10, 20, 1));
        assert_eq!(keeping.span(Some(place(10))), span(Some(place(10)), Some(place(20))));
        keeping.note(stored(10, 30, LARGE));
        assert_eq!(keeping.span(None), span(Some(place(30)), Some(place(30))));
        keeping.note(stored(30, 40, 1));
        let told = |keeping: &Keeping| keeping.report.pieces.len();
        assert_eq!(told(&keeping), 2, "the first one took the place of what it was");
        keeping.forget_known(Some(place(30)));
        assert_eq!(told(&keeping), 1);
        keeping.note(Err(Failure::transient("no answer")));
        assert_eq!(keeping.report.failure.as_deref(), Some("no answer"));
        keeping.note(Ok(Logged::Same(Timestamp::from_millis(9))));
        assert_eq!(keeping.report.failure, None);
        assert!(keeping.is_due());
        let gap = || Ok(Logged::Gap("gone".to_owned()));
        keeping.note(gap());
        assert_eq!(keeping.span(None), span(Some(place(40)), Some(place(40))));
        assert!(keeping.is_due(), "it is only the piece that does not grow");
        keeping.note(gap());
        assert!(!keeping.is_due(), "nothing comes after a gap");
    }
}
