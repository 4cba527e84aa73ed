//! Databases and users, kept as they were asked for, and who uses which login. All of it beside the
//! loop: making a database takes longer than the loop may wait.

use std::sync::Arc;
use std::time::Duration;

use bellwether_contracts::driver::Kept;
use bellwether_contracts::{Driver, Failure};
use bellwether_model::Target;
use bellwether_protocol::Assignment;
use bellwether_protocol::databases::{DatabasesReport, WantedDatabases};
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;
use tracing::warn;

use self::looks::{Looks, Watched};
use super::{ProcessState, Worker};

mod looks;

/// After which what was refused is tried again, and how often that doubles: what needs a person is
/// not to keep an engine busy.
const RETRY_AFTER: Duration = Duration::from_secs(10);
const DOUBLINGS_MAX: u32 = 3;

type Keeping = AbortOnDropHandle<Result<Kept, Failure>>;

#[derive(Default)]
pub(super) struct Databases {
    /// Whether it is this node's to see to what its engine has.
    is_own: bool,
    keeping: Option<(WantedDatabases, Keeping)>,
    /// What was seen to last, and how that ended.
    kept: Option<(WantedDatabases, Kept)>,
    retry: Option<Retry>,
    looks: Looks,
}

/// When what was refused is tried again.
#[derive(Clone, Copy)]
struct Retry {
    at: Instant,
    doublings: u32,
}

impl Worker {
    /// The engine of a primary that serves has the databases and users that were asked for, or any
    /// engine where each keeps its own users.
    pub(super) async fn keep_databases(
        &mut self,
        driver: &Arc<dyn Driver>,
        assignment: &Assignment,
    ) {
        if self.probe.process != ProcessState::Up {
            return self.databases.forget();
        }
        let serves = match assignment.target {
            Target::Primary { term, .. } => self.served == Some(term),
            // They are data, which one writes for all.
            Target::Member { .. } => {
                self.served.is_some() && assignment.group.primary.as_ref() == Some(&assignment.node)
            }
            _ => false,
        };
        self.databases.keep(driver, assignment, serves).await;
    }
}

impl Databases {
    /// Begins what is missing, and takes in what has ended. `serves`: the engine that runs here is
    /// that of a primary that lets clients in.
    async fn keep(&mut self, driver: &Arc<dyn Driver>, assignment: &Assignment, serves: bool) {
        let wanted = &assignment.databases;
        if wanted.version == 0 {
            return;
        }
        self.collect().await;
        self.is_own = serves || driver.keeps_own_users();
        if !self.is_own {
            (self.keeping, self.kept, self.retry) = (None, None, None);
        } else if self.keeping.is_none() && self.is_due(wanted) {
            let (driver, assignment) = (driver.clone(), assignment.clone());
            let work = async move { driver.keep_databases(&assignment).await };
            self.keeping = Some((wanted.clone(), AbortOnDropHandle::new(tokio::spawn(work))));
        }
        let watched = Watched::of(wanted, assignment.target.clone(), serves);
        self.looks.go_on(driver, watched).await;
    }

    /// The engine does not run: nobody is connected to it, and what it has is seen to anew.
    fn forget(&mut self) {
        *self = Self::default();
    }

    fn is_due(&self, wanted: &WantedDatabases) -> bool {
        let is_done = self.kept.as_ref().is_some_and(|(of, _)| of == wanted);
        !is_done || self.retry.is_some_and(|retry| retry.at <= Instant::now())
    }

    async fn collect(&mut self) {
        let Some((wanted, task)) = self.keeping.take_if(|(_, task)| task.is_finished()) else {
            return;
        };
        let ended = task.await;
        let ended = ended.unwrap_or_else(|_| Err(Failure::transient("the work broke")));
        let kept = ended.unwrap_or_else(|failure| {
            warn!("databases and users cannot be seen to: {failure}");
            Kept { version: 0, refused: wanted.all_refused(&failure.text) }
        });
        for one in &kept.refused {
            warn!("{:?} {} cannot be as it was asked for: {}", one.kind, one.name, one.why);
        }
        self.note(wanted, kept);
    }

    fn note(&mut self, wanted: WantedDatabases, kept: Kept) {
        let is_same = self.kept.as_ref().is_some_and(|(of, _)| *of == wanted);
        let before = self.retry.filter(|_| is_same).map(|retry| retry.doublings + 1);
        let doublings = before.unwrap_or(0).min(DOUBLINGS_MAX);
        let at = Instant::now() + RETRY_AFTER * 2_u32.pow(doublings);
        self.retry = (!kept.refused.is_empty()).then_some(Retry { at, doublings });
        self.kept = Some((wanted, kept));
    }

    /// For the server; none where nothing was ever asked for. `is_down`: no engine runs here.
    pub(super) fn report(
        &self,
        wanted: &WantedDatabases,
        is_down: bool,
    ) -> Option<DatabasesReport> {
        if wanted.version == 0 {
            return None;
        }
        let kept = self.kept.as_ref().map(|(_, kept)| kept.clone()).unwrap_or_default();
        Some(DatabasesReport {
            version: self.is_own.then_some(kept.version),
            refused: kept.refused,
            logins: if is_down { Some(Vec::new()) } else { self.looks.seen(wanted) },
        })
    }
}

#[cfg(test)]
mod tests {
    use bellwether_protocol::databases::{Kind, Refused, WantedLogin, WantedUser};

    use super::*;

    fn wanted(version: u64) -> WantedDatabases {
        WantedDatabases { version, ..WantedDatabases::default() }
    }

    fn refused(version: u64) -> Kept {
        let (name, why) = ("shop".to_owned(), "taken".to_owned());
        Kept { version, refused: vec![Refused { kind: Kind::Database, name, why }] }
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_refused_is_tried_again_later_and_later_and_what_was_done_is_not() {
        let mut databases = Databases { is_own: true, ..Databases::default() };
        assert!(databases.is_due(&wanted(1)));
        databases.note(wanted(1), Kept { version: 1, refused: Vec::new() });
        assert!(!databases.is_due(&wanted(1)));
        assert!(databases.is_due(&wanted(2)), "something else is asked for");
        for seconds in [10, 20, 40, 80, 80] {
            databases.note(wanted(2), refused(2));
            tokio::time::advance(Duration::from_secs(seconds - 1)).await;
            assert!(!databases.is_due(&wanted(2)), "after {seconds} s");
            tokio::time::advance(Duration::from_secs(1)).await;
            assert!(databases.is_due(&wanted(2)), "after {seconds} s");
        }
        databases.note(wanted(3), refused(3));
        tokio::time::advance(RETRY_AFTER).await;
        assert!(databases.is_due(&wanted(3)));
    }

    #[test]
    fn a_node_speaks_for_its_engine_only_where_that_is_its_own_to_see_to() {
        let mut databases = Databases::default();
        let version = |databases: &Databases, wanted: &WantedDatabases| {
            databases.report(wanted, false).and_then(|report| report.version)
        };
        assert_eq!(databases.report(&wanted(0), false), None);
        assert_eq!(version(&databases, &wanted(1)), None);
        databases.is_own = true;
        assert_eq!(version(&databases, &wanted(1)), Some(0));
        databases.kept = Some((wanted(1), Kept { version: 1, refused: Vec::new() }));
        assert_eq!(version(&databases, &wanted(2)), Some(1));
    }

    #[test]
    fn nobody_is_connected_where_no_engine_runs() {
        let mut wanted = wanted(1);
        let login = WantedLogin { name: "web".to_owned(), password: None, ends: true };
        let (name, logins) = ("web".to_owned(), vec![login]);
        let (is_first, grants, dropped) = (false, Vec::new(), false);
        wanted.users.push(WantedUser { name, is_first, grants, logins, dropped });
        let seen = |is_down| Databases::default().report(&wanted, is_down).map(|all| all.logins);
        assert_eq!(seen(true), Some(Some(Vec::new())));
        assert_eq!(seen(false), Some(None), "nobody has looked yet");
    }
}
