//! What the worker knows, and the steps it takes.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bellwether_contracts::driver::{DataState, Joined, Probe, ProcessState, Repair};
use bellwether_contracts::{Class, Driver, Failure, OpenRepository};
use bellwether_model::mutation::{Mutation, mutated};
use bellwether_model::replication::Position;
use bellwether_model::transaction::Transaction;
use bellwether_model::{Actual, NodeId, Target, Term};
use bellwether_protocol::Assignment;
use bellwether_protocol::local::{CertificateReport, Orders};
use bellwether_protocol::session::Surrender;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;
use tracing::{info, warn};

use super::DriverFactory;
use super::converge::{Act, Facts, Mute, Plan, plan};
use super::role::{Place, Role};
use super::settings::Settings;
use super::step::{Ended, StepResult, perform, words};

/// Before a failed step is tried again: at first, and at most.
const BACK_OFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// Between attempts at what a person has to make possible first, a disk that is full by freeing
/// some: who did should see it work soon, however long it took.
const PERSON_PAUSE: Duration = Duration::from_secs(5);

/// A replica that does not stream for so long has a reason that does not go away.
const STALLED_AFTER: Duration = Duration::from_secs(10);

/// An engine that answered before and does not for so long hangs; so does a disk.
const HANG: Duration = Duration::from_secs(8);

/// Two looks at the disk are not further apart, unless this process stood still.
const LOOK_MAX: Duration = Duration::from_secs(1);

const NONE: Duration = Duration::ZERO;

/// Between two looks for a group to join.
const JOIN_EVERY: Duration = Duration::from_millis(500);

/// Recovery after a crash may take its time; an engine that nobody waits for any more has so long.
const START_MAX: Duration = Duration::from_secs(600);

/// The supervisor of one node's engine.
pub struct Worker {
    drivers: DriverFactory,
    place: Box<dyn Place>,
    driver: Option<Arc<dyn Driver>>,
    orders: Option<Orders>,
    role: Role,
    is_role_unsaved: bool,
    probe: Probe,
    step: Option<(Act, JoinHandle<StepResult>)>,
    waker: Arc<Notify>,
    progress: Arc<Mutex<Option<(u64, u64)>>>,
    failure: Option<(Failure, Instant)>,
    back_off: Duration,
    doing: String,
    cut_for: Term,
    /// When the replica was last seen to stream, or began to follow.
    streamed_at: Instant,
    repairs: u32,
    /// Where the log of the primary that died here ends, and the reading of it.
    log_end: Option<Position>,
    measuring: Option<AbortOnDropHandle<Result<Position, Failure>>>,
    /// Since when the engine's process lives without answering, and whether it ever answered.
    mute_since: Option<Instant>,
    /// When the engine last said where its log ends, and how long before it was found dead.
    positioned_at: Instant,
    dead_after: Option<Duration>,
    has_answered: bool,
    /// Something was done to the engine since this worker began.
    has_acted: bool,
    /// A start was given up, for what the engine was started to do is not wanted any more.
    is_start_over: bool,
    /// A former primary's data that was made fit to follow.
    is_repaired: bool,
    /// The engine was started or promoted as a primary: the end of its log then.
    started_at: Option<Option<Position>>,
    /// The term that was reported as served last.
    served: Option<Term>,
    prepared: bool,
    /// Open transactions, while a planned change is near.
    transactions: Option<Vec<Transaction>>,
    /// The preparation that runs: a checkpoint, which may take long.
    preparing: Option<AbortOnDropHandle<Result<(), Failure>>>,
    /// Former data is being removed, which may take long.
    dropping: Option<AbortOnDropHandle<()>>,
    config_version: u64,
    configured: Option<Assignment>,
    /// The certificate that the engine was configured with.
    certificate: Option<CertificateReport>,
    settings: Settings,
    databases: databases::Databases,
    disk: DiskWatch,
    aside: backup::Aside,
    log: Option<log::Keeping>,
    /// When it is looked again for a group to join.
    join_at: Option<Instant>,
    /// Since when its engine runs without the majority.
    lost_at: Option<Instant>,
}

/// How long the disk has taken no write, as far as it was watched: time in which this process stood
/// still itself says nothing.
struct DiskWatch {
    beats: u64,
    silence: Duration,
    looked_at: Instant,
}

impl Worker {
    /// One that knows of the engine only what it finds.
    ///
    /// # Errors
    /// When the role cannot be read.
    pub fn new(
        drivers: DriverFactory,
        repositories: OpenRepository,
        mut place: Box<dyn Place>,
    ) -> std::io::Result<Self> {
        let role = place.read_role()?;
        Ok(Self {
            drivers,
            place,
            driver: None,
            orders: None,
            role,
            is_role_unsaved: false,
            probe: Probe::default(),
            step: None,
            waker: Arc::default(),
            progress: Arc::default(),
            failure: None,
            back_off: BACK_OFF.0,
            doing: String::new(),
            cut_for: 0,
            streamed_at: Instant::now(),
            repairs: 0,
            log_end: None,
            measuring: None,
            mute_since: None,
            positioned_at: Instant::now(),
            dead_after: None,
            has_answered: false,
            has_acted: false,
            is_start_over: false,
            is_repaired: false,
            started_at: None,
            served: None,
            prepared: false,
            transactions: None,
            preparing: None,
            dropping: None,
            config_version: 0,
            configured: None,
            certificate: None,
            settings: Settings::default(),
            databases: databases::Databases::default(),
            disk: DiskWatch { beats: 0, silence: Duration::ZERO, looked_at: Instant::now() },
            aside: backup::Aside::new(repositories),
            log: None,
            join_at: None,
            lost_at: None,
        })
    }

    fn assignment(&self) -> Option<&Assignment> {
        self.orders.as_ref().map(|orders| &orders.assignment)
    }

    /// Whether writes wait: a planned switchover is under way, or this node is to be primary and
    /// does not serve yet.
    pub(super) fn is_awaited(&self) -> bool {
        self.assignment().is_some_and(|assignment| {
            let is_to_serve = matches!(assignment.target, Target::Primary { term, .. }
                if self.served != Some(term));
            let moves = assignment.sharding.as_ref().is_some_and(|sharding| {
                sharding.leaving.as_ref().is_some_and(|order| order.from.primary == assignment.node)
            });
            assignment.hold || is_to_serve || moves
        })
    }

    /// Takes new orders.
    pub(super) async fn take(&mut self, orders: Orders) -> Result<(), Failure> {
        if self.driver.is_none() {
            let engine = &orders.assignment.engine;
            self.driver = Some((self.drivers)(&orders.assignment).ok_or_else(|| {
                Failure::permanent(format!("this agent has no driver of {}", engine.name))
            })?);
        }
        let is_other = self.assignment().is_none_or(|a| a.target != orders.assignment.target);
        let settings = |a: &Assignment| a.engine.parameters_version;
        // What the engine could not be started with may have been taken back.
        let is_set_anew =
            self.assignment().is_some_and(|a| settings(a) != settings(&orders.assignment));
        if is_set_anew && self.failure.take().is_some() {
            self.back_off = BACK_OFF.0;
        }
        if is_other {
            (self.failure, self.join_at) = (None, None);
            self.back_off = BACK_OFF.0;
            self.streamed_at = Instant::now();
            // A copy from one who is not to be followed any more is worth nothing.
            let is_copying = matches!(&self.step, Some((Act::Seed(_) | Act::Repair(_), _)));
            if is_copying && let Some((_, task)) = self.step.take() {
                task.abort();
            }
        }
        // A replica that starts may wait for log which only its upstream has.
        let upstream = wanted_upstream(&orders);
        // Nor is one started with data that is to go.
        let is_to_go = self.is_to_exchange(&orders.assignment);
        if matches!(&self.step, Some((Act::StartReplica(from), _))
            if *from != upstream || is_to_go)
            && let Some((_, task)) = self.step.take()
        {
            task.abort();
            self.is_start_over = true;
        }
        // What was seen before clients were held back says nothing of now.
        self.transactions = None;
        if !orders.assignment.prepare {
            (self.prepared, self.preparing) = (false, None);
        }
        self.orders = Some(orders);
        Ok(())
    }

    /// Wakes when the step that runs has ended.
    pub(super) fn waker(&self) -> Arc<Notify> {
        self.waker.clone()
    }

    /// Ends when the engine's process ends; never when it does not run or a step handles it.
    pub(super) fn engine_end(&self) -> impl Future<Output = ()> + use<> {
        let driver = self
            .driver
            .clone()
            .filter(|_| self.probe.process == ProcessState::Up && self.step.is_none());
        async move {
            match driver {
                Some(driver) => driver.ended().await,
                None => std::future::pending().await,
            }
        }
    }

    /// One look and at most one step; whether to look again at once.
    pub(super) async fn look_and_act(&mut self) -> bool {
        let Some(driver) = self.driver.clone() else { return false };
        if self.collect().await {
            return true;
        }
        if self.is_busy() {
            self.note_disk();
            return false;
        }
        self.probe = driver.probe().await;
        self.note_death().await;
        self.note_log_end().await;
        self.note_streaming();
        self.note_mute();
        self.note_disk();
        self.note_position();
        self.note_majority();
        let Some(orders) = self.orders.clone() else { return false };
        let actual = self.actual();
        let facts = self.facts(&orders);
        self.bring(&driver, &orders.assignment).await;
        if self.step.is_some() {
            return false;
        }
        if self.drill(&driver, &orders).await {
            return true;
        }
        self.keep_backups(&driver, &orders.assignment).await;
        self.keep_log(&driver, &orders.assignment).await;
        let words = match plan(&actual, &orders.assignment.target, &facts) {
            Plan::Done => "",
            Plan::Wait(words) => words,
            // Every step brings the settings that it needs with it.
            Plan::Act(act) => return self.begin(driver, orders.assignment, act).await,
        };
        self.keep_settings(&driver, &orders.assignment).await;
        self.keep_databases(&driver, &orders.assignment).await;
        self.drop_former(&driver, &orders.assignment);
        words.clone_into(&mut self.doing);
        self.note_cut(&orders, &actual);
        false
    }

    /// Whether the engine stops, or is promoted: it has no time for questions, and whoever takes
    /// the step sees how it ends.
    fn is_busy(&self) -> bool {
        let step = self.step.as_ref().map(|(act, _)| act);
        matches!(step, Some(Act::Demote | Act::Stop | Act::Kill | Act::Promote(_)))
    }

    fn facts(&self, orders: &Orders) -> Facts {
        let is_stalled = self.streamed_at.elapsed() > STALLED_AFTER;
        Facts {
            promised: promised(orders),
            led: self.role.primary_term,
            surrendered: self
                .role
                .surrendered
                .filter(|_| !mutated(Mutation::SurrenderForgotten))
                .map_or(0, |given| given.term),
            fenced: orders.fenced,
            may_retry: self.failure.as_ref().is_none_or(|(_, due)| Instant::now() >= *due),
            stalled: is_stalled.then_some(self.repairs),
            copy: self.needs_copy(&orders.assignment),
            restore: orders.assignment.restore.is_some(),
            replace: self.is_to_exchange(&orders.assignment),
            restart: self.settings.need_restart(&orders.assignment, &self.probe),
            mute: self.mute(orders),
            handed_over: self.probe.handed_over
                && self.role.surrendered.is_some_and(|given| given.term >= self.role.primary_term),
            has_others: !orders.assignment.group.config.is_solo(),
            needs_new_term: self.driver.as_ref().is_some_and(|driver| !driver.resumes_term()),
            in_quorum: self.probe.standing.as_ref().map(|standing| standing.in_quorum),
            is_alone: self.join_at.is_some_and(|at| Instant::now() < at),
        }
    }

    /// Whether a copy was ordered that the data here is not.
    fn needs_copy(&self, assignment: &Assignment) -> bool {
        let ordered = assignment.copy.as_ref().map(|order| &order.token);
        ordered.is_some() && ordered != self.probe.copied.as_ref()
    }

    /// Removes former data once no order keeps it, beside the loop and beside every step.
    fn drop_former(&mut self, driver: &Arc<dyn Driver>, assignment: &Assignment) {
        let is_there = matches!(self.probe.data, DataState::Present { .. });
        let is_kept = assignment.copy.is_some() || assignment.replace.is_some();
        if is_kept || !self.probe.keeps_former || !is_there || self.aside.is_bringing() {
            return;
        }
        if self.dropping.as_ref().is_some_and(|task| !task.is_finished()) {
            return;
        }
        info!("the former data is removed");
        let driver = driver.clone();
        self.dropping = Some(AbortOnDropHandle::new(tokio::spawn(async move {
            if let Err(failure) = driver.drop_former().await {
                warn!("the former data cannot be removed: {failure}");
                tokio::time::sleep(PERSON_PAUSE).await;
            }
        })));
    }

    fn note_position(&mut self) {
        match self.probe.process {
            ProcessState::Up => (self.positioned_at, self.dead_after) = (Instant::now(), None),
            ProcessState::Down => {
                self.dead_after.get_or_insert_with(|| self.positioned_at.elapsed());
            }
            ProcessState::Starting | ProcessState::Unknown => {}
        }
    }

    fn note_majority(&mut self) {
        let is_up = self.probe.process == ProcessState::Up;
        let standing = self.probe.standing.as_ref().filter(|_| is_up && self.step.is_none());
        match standing.is_some_and(|standing| !standing.in_quorum) {
            true => _ = self.lost_at.get_or_insert_with(Instant::now),
            false => self.lost_at = None,
        }
    }

    fn note_disk(&mut self) {
        let passed = self.disk.looked_at.elapsed().min(LOOK_MAX);
        let beats = self.place.disk_beats();
        let silence = if beats == self.disk.beats { self.disk.silence + passed } else { NONE };
        if silence > HANG && self.disk.silence <= HANG {
            warn!("the disk under the data takes no writes");
        }
        self.disk = DiskWatch { beats, silence, looked_at: Instant::now() };
    }

    fn note_mute(&mut self) {
        match self.probe.process {
            ProcessState::Starting if self.step.is_none() => {
                self.mute_since.get_or_insert_with(Instant::now);
            }
            ProcessState::Starting | ProcessState::Unknown => self.mute_since = None,
            ProcessState::Up => {
                (self.mute_since, self.has_answered, self.is_start_over) = (None, true, false);
            }
            ProcessState::Down => {
                (self.mute_since, self.has_answered, self.is_start_over) = (None, false, false);
            }
        }
    }

    /// Whether an engine that does not answer has had its time.
    fn mute(&self, orders: &Orders) -> Option<Mute> {
        let since = self.mute_since?;
        let target = &orders.assignment.target;
        // Whom a replica was started to follow is not known to a worker that found it starting; of
        // another it may wait for log that never comes.
        let is_found = !self.has_acted && matches!(target, Target::Replica { .. });
        let limit = if self.has_answered || is_found { HANG } else { START_MAX };
        let serves = matches!(*target,
            Target::Primary { term, .. } | Target::Demoted { term }
                if self.role.primary_term == term && self.started_at.is_some());
        let word = if serves { Mute::Serving } else { Mute::Other };
        (self.is_start_over || since.elapsed() > limit).then_some(word)
    }

    /// A promise is kept once the engine follows nobody and has nothing more to take in.
    fn note_cut(&mut self, orders: &Orders, actual: &Actual) {
        let is_cut = matches!(actual, Actual::Replica { upstream: None, streaming: false })
            && self.probe.upstream_age_ms.is_none()
            && self.probe.is_end_known;
        let is_later = matches!(orders.assignment.target,
            Target::Primary { term, .. } | Target::Demoted { term } | Target::Replica { term, .. }
                if orders.promised > term);
        let is_cut = is_cut || mutated(Mutation::ReplicationNotCut);
        if !is_cut {
            // An engine that was started again looks for the end of its log anew.
            self.cut_for = 0;
        } else if is_later {
            self.cut_for = orders.promised;
        }
    }

    fn note_streaming(&mut self) {
        if self.probe.streaming {
            self.streamed_at = Instant::now();
            self.repairs = 0;
        }
        if self.probe.process != ProcessState::Up || self.probe.upstream.is_none() {
            self.streamed_at = Instant::now();
        }
    }

    /// An engine that was primary and is down without our doing has died: with voters, its term is
    /// given up at once, so that nobody waits for a lease to end.
    async fn note_death(&mut self) {
        let Some(assignment) = self.assignment() else { return };
        let Target::Primary { term, .. } = assignment.target else { return };
        let is_down = self.probe.process == ProcessState::Down
            && matches!(self.probe.data, DataState::Present { was_primary: true, .. });
        let was_serving = self.role.primary_term == term && self.started_at.is_some();
        let is_given_up = self.role.surrendered.is_some_and(|given| given.term >= term);
        if !is_down || !was_serving || is_given_up || self.step.is_some() {
            return;
        }
        if assignment.group.config.is_solo() {
            warn!("the engine has died; it is started again");
            self.started_at = None;
            return;
        }
        warn!("the engine has died; the role is given up");
        if let Some(driver) = &self.driver {
            let _ = driver.kill().await;
        }
        let position = self.probe.position;
        self.surrender(Surrender { term, position, clean: false });
        self.measure(position);
    }

    /// Begins to read where the log of the engine that died ends: what others lack of it can be
    /// told, and taken from here.
    fn measure(&mut self, from: Option<Position>) {
        let (Some(driver), Some(from)) = (self.driver.clone(), from) else { return };
        let waker = self.waker.clone();
        self.log_end = None;
        self.measuring = Some(AbortOnDropHandle::new(tokio::spawn(async move {
            let end = driver.log_end(from).await;
            waker.notify_one();
            end
        })));
    }

    async fn note_log_end(&mut self) {
        match self.measuring.take() {
            Some(task) if task.is_finished() => match task.await {
                Ok(Ok(end)) => self.log_end = Some(end),
                Ok(Err(failure)) => warn!("where the log ends is not known: {failure}"),
                Err(_) => warn!("the reading of the log broke"),
            },
            running => self.measuring = running,
        }
    }

    fn surrender(&mut self, given: Surrender) {
        self.role.surrendered = Some(given);
        self.is_role_unsaved = true;
        self.started_at = None;
    }

    /// Writes down what was surrendered, once the sentry was told, on whose disk it counts, and how
    /// a backup ended: nobody waits for these.
    pub(super) fn save_role(&mut self) {
        if !self.is_role_unsaved || self.disk.silence > HANG {
            return;
        }
        match self.place.write_role(&self.role) {
            Ok(()) => self.is_role_unsaved = false,
            Err(error) => warn!("the role cannot be saved: {error}"),
        }
    }

    fn actual(&self) -> Actual {
        if let Some((Act::Seed(upstream) | Act::Repair(upstream), _)) = &self.step {
            return Actual::Seeding { upstream: upstream.clone() };
        }
        if let Some((failure, _)) = &self.failure {
            return Actual::Failed { reason: failure.text.clone() };
        }
        match (self.probe.process, self.probe.data, self.probe.in_recovery) {
            (ProcessState::Up, _, Some(true)) => Actual::Replica {
                upstream: self.probe.upstream.clone(),
                streaming: self.probe.streaming,
            },
            (ProcessState::Up, _, Some(false)) => Actual::Primary { term: self.role.primary_term },
            (ProcessState::Down, DataState::Absent | DataState::Partial, _) => Actual::Absent,
            (ProcessState::Down, DataState::Present { was_primary, .. }, _) => {
                Actual::Stopped { was_primary: was_primary && !self.is_repaired }
            }
            (ProcessState::Unknown | ProcessState::Starting | ProcessState::Up, ..)
            | (ProcessState::Down, DataState::Unknown, _) => Actual::Unknown,
        }
    }

    /// Whether the transactions were looked at while clients are held back, and there were none.
    fn is_drained(&self) -> bool {
        let is_held = self.assignment().is_some_and(|assignment| assignment.hold);
        is_held && self.transactions.as_ref().is_some_and(Vec::is_empty)
    }

    /// Settings follow the assignment while the engine runs.
    async fn keep_settings(&mut self, driver: &Arc<dyn Driver>, assignment: &Assignment) {
        if self.probe.process != ProcessState::Up {
            return;
        }
        let certificate = self.place.certificate();
        let which = |found: CertificateReport| (found.ends_at, found.issue);
        let is_renewed = certificate.map(which) != self.certificate.map(which);
        if is_renewed || self.configured.as_ref() != Some(assignment) {
            match driver.configure(assignment).await {
                Ok(()) => self.configured = Some(assignment.clone()),
                Err(failure) => return warn!("the settings cannot be applied: {failure}"),
            }
        }
        self.certificate = certificate;
        let is_primary = self.probe.in_recovery == Some(false);
        let is_active = || async {
            let active = driver.is_configuration_active(assignment).await;
            matches!(active, Ok(true)) || mutated(Mutation::NotArmed)
        };
        if is_primary && is_active().await {
            self.config_version = assignment.group.config.version();
        }
        if assignment.prepare && is_primary && !self.prepared {
            self.prepare(driver).await;
        }
        let is_near = is_primary && (assignment.prepare || assignment.hold);
        self.transactions = if is_near { driver.transactions().await.ok() } else { None };
    }

    /// Prepares the handover beside the loop, whose reports keep the gate open meanwhile.
    async fn prepare(&mut self, driver: &Arc<dyn Driver>) {
        match self.preparing.take() {
            None => {
                let (driver, waker) = (driver.clone(), self.waker.clone());
                self.preparing = Some(AbortOnDropHandle::new(tokio::spawn(async move {
                    let result = driver.prepare_handover().await;
                    waker.notify_one();
                    result
                })));
            }
            Some(task) if task.is_finished() => match task.await {
                Ok(Ok(())) => self.prepared = true,
                Ok(Err(failure)) => warn!("the handover cannot be prepared: {failure}"),
                Err(_) => warn!("the preparation of the handover broke"),
            },
            running => self.preparing = running,
        }
    }

    /// Begins a step; whether to look again at once.
    async fn begin(&mut self, driver: Arc<dyn Driver>, assignment: Assignment, act: Act) -> bool {
        info!("step: {act:?}");
        self.has_acted = true;
        if !matches!(act, Act::StartReplica(None) | Act::Follow(None) | Act::Retry) {
            (self.log_end, self.measuring) = (None, None);
        }
        self.doing = words(&act).to_owned();
        self.settings.note_begin(&act, &assignment, &self.probe);
        match &act {
            Act::Retry => {
                self.failure = None;
                return true;
            }
            Act::GiveUp(term) => {
                warn!("what the engine led with is lost with its end; the role is given up");
                let position = self.probe.position;
                self.surrender(Surrender { term: *term, position, clean: false });
                return true;
            }
            Act::AdoptTerm(term)
            | Act::StartPrimary(term)
            | Act::Promote(term)
            | Act::Found(term) => {
                let role = Role { primary_term: *term, ..self.role.clone() };
                // On the disk before the engine is touched.
                if let Err(error) = self.place.write_role(&role) {
                    self.fail(&Failure::transient(format!("the role cannot be saved: {error}")));
                    return false;
                }
                (self.role, self.is_role_unsaved) = (role, false);
                // One that only takes a new term has shown everything it holds before.
                let is_adopted = matches!(act, Act::AdoptTerm(_));
                self.started_at = Some(is_adopted.then(Position::default));
                if matches!(act, Act::AdoptTerm(_)) {
                    return true;
                }
            }
            _ => {}
        }
        *self.progress.lock().expect("nothing panics while it is held") = None;
        let progress = self.progress.clone();
        let step = perform(driver, assignment, act.clone(), progress, self.aside.open());
        let waker = self.waker.clone();
        let task = tokio::spawn(async move {
            let result = step.await;
            waker.notify_one();
            result
        });
        self.step = Some((act, task));
        false
    }

    /// Takes in the step that has ended; whether one had.
    async fn collect(&mut self) -> bool {
        // A step says that it has ended a moment before its task has.
        if !self.step.as_ref().is_some_and(|(_, task)| task.is_finished()) {
            return false;
        }
        let Some((act, task)) = self.step.take() else { return false };
        let result = task.await.unwrap_or_else(|_| Err(Failure::permanent("the step broke")));
        match result {
            Ok(ended) => self.succeed(&act, ended).await,
            Err(failure) => {
                let version = self.assignment().map_or(0, |a| a.engine.parameters_version);
                let is_outdated = self.settings.note_failure(version, &act, &failure);
                self.fail(&failure);
                if is_outdated {
                    self.failure = None;
                }
            }
        }
        true
    }

    async fn succeed(&mut self, act: &Act, ended: Ended) {
        self.settings.note_success(act);
        self.back_off = BACK_OFF.0;
        self.failure = None;
        self.streamed_at = Instant::now();
        self.configured = None;
        match (act, ended) {
            (Act::Demote, Ended::Stopped(position)) => {
                let given =
                    Surrender { term: self.role.primary_term, position, clean: position.is_some() };
                self.surrender(given);
                if !given.clean {
                    // It died while it stopped.
                    self.measure(self.probe.position);
                }
            }
            (Act::Kill, _) => {
                let position = self.probe.position;
                let term = self.role.primary_term;
                self.surrender(Surrender { term, position, clean: false });
                self.measure(position);
            }
            (Act::Repair(_), Ended::Repaired(repair)) => {
                info!("repaired: {repair:?}");
                self.repairs += 1;
                match repair {
                    Repair::CatchUp | Repair::Rewound => self.is_repaired = true,
                    Repair::NeedsCopy => {
                        if let Some(driver) = &self.driver
                            && let Err(failure) = driver.erase().await
                        {
                            self.fail(&failure);
                        }
                    }
                }
            }
            (Act::Promote(_), Ended::Promoted(start)) => {
                self.is_repaired = false;
                if self.started_at == Some(None) {
                    self.started_at = Some(start);
                }
            }
            (Act::Join, Ended::Joined(Joined::NobodyThere)) => {
                self.join_at = Some(Instant::now() + JOIN_EVERY);
            }
            (Act::StartReplica(_), _) => self.is_start_over = false,
            (Act::StartPrimary(_) | Act::Bootstrap, _) => {
                self.is_repaired = false;
            }
            _ => {}
        }
    }

    fn fail(&mut self, failure: &Failure) {
        warn!("the step failed: {failure}");
        let pause = match failure.class {
            Class::Transient => self.back_off,
            Class::Permanent => self.back_off * 3,
            Class::NeedsPerson => PERSON_PAUSE,
        };
        self.failure = Some((failure.clone(), Instant::now() + pause));
        self.back_off = (self.back_off * 2).min(BACK_OFF.1);
    }
}

/// What binds the engine: the promise as it is asked for, or as it was given.
fn promised(orders: &Orders) -> Term {
    orders.promised.max(orders.assignment.promise)
}

/// Whom a replica shall follow under these orders: nobody once a later term was promised.
fn wanted_upstream(orders: &Orders) -> Option<NodeId> {
    match &orders.assignment.target {
        Target::Replica { upstream, term } if promised(orders) <= *term => Some(upstream.clone()),
        _ => None,
    }
}
mod backup;
mod databases;
mod drill;
mod log;
mod replace;
mod report;
mod shutdown;
