//! Databases and users, kept as they were asked for, and who uses which login. All of it beside the
//! loop: making a database takes longer than the loop may wait.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bellwether_contracts::driver::Kept;
use bellwether_contracts::{Driver, Failure};
use bellwether_model::Target;
use bellwether_protocol::Assignment;
use bellwether_protocol::databases::{DatabasesReport, LoginUse, WantedDatabases};
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;
use tracing::warn;

use super::{ProcessState, Worker};

/// Between two looks at who is connected.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// What was seen longer ago says nothing of who is connected.
const USES_AGE_MAX: Duration = Duration::from_secs(8);

/// More are told by their logins alone: none of them may be left out.
const USES_MAX: usize = 200;

/// After which what was refused is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(10);

type Keeping = AbortOnDropHandle<Result<Kept, Failure>>;
type Looking = AbortOnDropHandle<Result<Vec<LoginUse>, Failure>>;

#[derive(Default)]
pub(super) struct Databases {
    /// Whether it is this node's to see to what its engine has.
    is_own: bool,
    keeping: Option<(WantedDatabases, Keeping)>,
    /// What was seen to last, and how that ended.
    kept: Option<(WantedDatabases, Kept)>,
    retry_at: Option<Instant>,
    looking: Option<Looking>,
    looked_at: Option<Instant>,
    /// When it was looked, and what was seen then.
    uses: Option<(Instant, Vec<LoginUse>)>,
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
        let serves = matches!(assignment.target, Target::Primary { term, .. }
            if self.served == Some(term));
        let is_own = serves || driver.keeps_own_users();
        self.databases.keep(driver, assignment, is_own).await;
    }
}

impl Databases {
    /// Begins what is missing, and takes in what has ended. `is_own`: the engine that runs here is
    /// to be given databases and users.
    pub(super) async fn keep(
        &mut self,
        driver: &Arc<dyn Driver>,
        assignment: &Assignment,
        is_own: bool,
    ) {
        let wanted = &assignment.databases;
        if wanted.version == 0 {
            return;
        }
        self.collect().await;
        self.is_own = is_own;
        if !is_own {
            (self.keeping, self.kept, self.retry_at) = (None, None, None);
        } else if self.keeping.is_none() && self.is_due(wanted) {
            let (driver, assignment) = (driver.clone(), assignment.clone());
            let work = async move { driver.keep_databases(&assignment).await };
            self.keeping = Some((wanted.clone(), AbortOnDropHandle::new(tokio::spawn(work))));
        }
        let is_recent = self.looked_at.is_some_and(|at| at.elapsed() < LOOK_EVERY);
        if self.looking.is_none() && !is_recent {
            let (driver, names) = (driver.clone(), wanted.logins().map(str::to_owned).collect());
            let names: Vec<String> = names;
            let work = async move { driver.uses(&names).await };
            self.looking = Some(AbortOnDropHandle::new(tokio::spawn(work)));
            self.looked_at = Some(Instant::now());
        }
    }

    /// The engine does not run: nobody is connected to it, and what it has is seen to anew.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    fn is_due(&self, wanted: &WantedDatabases) -> bool {
        let is_done = self.kept.as_ref().is_some_and(|(of, _)| of == wanted);
        !is_done || self.retry_at.is_some_and(|at| at <= Instant::now())
    }

    async fn collect(&mut self) {
        if let Some((wanted, task)) = self.keeping.take_if(|(_, task)| task.is_finished()) {
            let ended = task.await;
            let ended = ended.unwrap_or_else(|_| Err(Failure::transient("the work broke")));
            let kept = ended.unwrap_or_else(|failure| {
                warn!("databases and users cannot be seen to: {failure}");
                Kept { version: 0, refused: wanted.all_refused(&failure.text) }
            });
            for one in &kept.refused {
                warn!("{:?} {} cannot be as it was asked for: {}", one.kind, one.name, one.why);
            }
            self.retry_at = (!kept.refused.is_empty()).then(|| Instant::now() + RETRY_AFTER);
            self.kept = Some((wanted, kept));
        }
        if let Some(task) = self.looking.take_if(|task| task.is_finished()) {
            let seen = task.await.ok().and_then(Result::ok).map(bounded);
            self.uses = self.looked_at.zip(seen);
        }
    }

    /// For the server; none where nothing was ever asked for.
    pub(super) fn report(&self, wanted: &WantedDatabases) -> Option<DatabasesReport> {
        if wanted.version == 0 {
            return None;
        }
        let kept = self.kept.as_ref().map(|(_, kept)| kept.clone()).unwrap_or_default();
        let recent = self.uses.as_ref().filter(|(at, _)| at.elapsed() < USES_AGE_MAX);
        Some(DatabasesReport {
            version: self.is_own.then_some(kept.version),
            refused: kept.refused,
            logins: recent.map(|(_, uses)| uses.clone()),
        })
    }
}

/// What a report has room for. Clients may call themselves anything.
fn bounded(uses: Vec<LoginUse>) -> Vec<LoginUse> {
    if uses.len() <= USES_MAX {
        return uses;
    }
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    for one in uses {
        let count = counts.entry(one.login).or_default();
        *count = count.saturating_add(one.count);
    }
    let by_login = |(login, count)| LoginUse {
        login,
        address: String::new(),
        application: String::new(),
        count,
    };
    counts.into_iter().map(by_login).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_many_sessions_there_are_none_is_left_out() {
        let one = |place: usize| LoginUse {
            login: "shop".to_owned(),
            address: format!("10.0.0.{place}"),
            application: String::new(),
            count: 1,
        };
        assert_eq!(bounded((0..3).map(one).collect()).len(), 3);
        let all = bounded((0..=USES_MAX).map(one).collect());
        assert_eq!((all.len(), all[0].count), (1, 201));
    }

    fn wanted(version: u64) -> WantedDatabases {
        WantedDatabases { version, ..WantedDatabases::default() }
    }

    #[test]
    fn what_was_refused_is_tried_again_and_what_was_done_is_not() {
        let mut databases = Databases { is_own: true, ..Databases::default() };
        assert!(databases.is_due(&wanted(1)));
        databases.kept = Some((wanted(1), Kept { version: 1, refused: Vec::new() }));
        assert!(!databases.is_due(&wanted(1)));
        assert!(databases.is_due(&wanted(2)), "something else is asked for");
        databases.retry_at = Some(Instant::now());
        assert!(databases.is_due(&wanted(1)));
    }

    #[test]
    fn a_node_speaks_for_its_engine_only_where_that_is_its_own_to_see_to() {
        let mut databases = Databases::default();
        assert_eq!(databases.report(&wanted(0)), None);
        assert_eq!(databases.report(&wanted(1)).and_then(|report| report.version), None);
        databases.is_own = true;
        assert_eq!(databases.report(&wanted(1)).and_then(|report| report.version), Some(0));
        databases.kept = Some((wanted(1), Kept { version: 1, refused: Vec::new() }));
        assert_eq!(databases.report(&wanted(2)).and_then(|report| report.version), Some(1));
    }
}
