//! A driver is an engine's hands on one node. The worker decides what is to be done
//! (`agent::converge`); the driver knows how this engine does it. Every method may be called again
//! after it was interrupted at any point.

use async_trait::async_trait;
use bellwether_model::backup::BackupResult;
use bellwether_model::divergence::Divergence;
use bellwether_model::log::StoredPiece;
use bellwether_model::member::Standing;
use bellwether_model::replication::Position;
use bellwether_model::restore::Checked;
use bellwether_model::settings::SettingsReport;
use bellwether_model::shard::MoveReport;
use bellwether_model::transaction::Transaction;
use bellwether_model::{NodeId, Timestamp};
use bellwether_protocol::Assignment;
use bellwether_protocol::assignment::{BackupAssignment, LogAssignment, Member, RestoreAssignment};
use bellwether_protocol::databases::{Kind, LoginUse, Refused, WantedDatabases};
use bellwether_protocol::local::{EngineFigures, Follower};

use crate::repository::Progress;
use crate::{Failure, Repository};

/// What a probe found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Probe {
    pub process: ProcessState,
    pub data: DataState,
    /// The engine answers and says it is in recovery (`Some(true)`) or accepts writes.
    pub in_recovery: Option<bool>,
    /// Whom it is configured to follow.
    pub upstream: Option<NodeId>,
    pub streaming: bool,
    pub position: Option<Position>,
    /// `position` is where the log here ends. A replica that has just started may hold more than it
    /// has looked through.
    pub is_end_known: bool,
    pub applied: Option<Position>,
    pub upstream_age_ms: Option<u64>,
    pub followers: Vec<Follower>,
    pub figures: EngineFigures,
    /// The token of the order that the data was copied under.
    pub copied: Option<String>,
    /// There is former data that a copy replaced.
    pub keeps_former: bool,
    /// The token of the order under which the data that is aside was brought, and of the one under
    /// which the data in use was.
    pub aside: Option<String>,
    pub replaced: Option<String>,
    /// What only this node held and is kept aside, the newest first.
    pub diverged: Vec<Divergence>,
    /// What of the chosen settings (`EngineAssignment::parameters`) is not in force.
    pub settings: Option<SettingsReport>,
    /// How far slots have come that leave this shard.
    pub moving: Option<MoveReport>,
    /// The primary has given its role up without a stop (`Driver::hand_over`): it takes no writes,
    /// and waits to be told whom to follow.
    pub handed_over: bool,
    /// What the engine says of the group of equals that it is a member of.
    pub standing: Option<Standing>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProcessState {
    /// Not looked at yet.
    #[default]
    Unknown,
    Down,
    /// The process lives but does not answer yet: starting, recovering or hung.
    Starting,
    Up,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DataState {
    #[default]
    Unknown,
    Absent,
    /// A copy that was never completed: worthless.
    Partial,
    /// `was_primary`: last ran accepting writes; `clean`: was stopped in an orderly way.
    Present {
        was_primary: bool,
        clean: bool,
    },
}

/// How a former primary was made fit to follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repair {
    /// Its history is part of the upstream's: it just follows.
    CatchUp,
    /// What only it held was set aside and the rest rewound.
    Rewound,
    /// It cannot be repaired: a full copy is needed.
    NeedsCopy,
}

/// What came of joining a group of equals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Joined {
    /// It is a member that has everything.
    Member,
    /// No member that can be reached belongs to a majority.
    NobodyThere,
}

/// Which databases and users an engine has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// The version of what was asked for that it has, but for what is refused. It may be later
    /// than the assignment's, which then changes nothing: the server's store is an older copy.
    pub version: u64,
    pub refused: Vec<Refused>,
}

impl Kept {
    /// The data has later ones than the server knows of, whose store is an older copy.
    #[must_use]
    pub fn later(version: u64, wanted: &WantedDatabases) -> Self {
        let why = "the server's store is an older copy: the data has later users and databases \
                   than it knows of; ask for the change once more";
        Self { version, refused: wanted.all_refused(why) }
    }

    /// Notes what cannot be had; the rest goes on.
    pub fn note(&mut self, kind: Kind, name: &str, done: Result<(), Failure>) {
        if let Err(failure) = done {
            self.refused.push(Refused { kind, name: name.to_owned(), why: failure.text });
        }
    }
}

/// What came of storing the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Logged {
    /// It is stored to its end of then.
    Stored(StoredPiece),
    /// It ends where it ended: what was acknowledged before that moment is stored.
    Same(Timestamp),
    /// What was to be stored next is gone, in words.
    Gap(String),
}

/// What of the log is to be stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogSpan {
    /// From there on; none: from its end on.
    pub from: Option<Position>,
    /// Where it ended when this was done last.
    pub stored: Option<Position>,
}

/// An engine's hands on one node.
#[async_trait]
pub trait Driver: Send + Sync {
    /// Looks, with deadlines of its own; never fails, says what it could not find out by `None`.
    async fn probe(&self) -> Probe;

    /// Ends when the engine's process ends; at once when it does not run.
    async fn ended(&self);

    /// Makes a new, empty database with the cluster's users in place, stopped again at the end.
    async fn bootstrap(&self, assignment: &Assignment) -> Result<(), Failure>;

    /// Copies the data from that member into a new directory, which replaces the old only when it
    /// is complete and verified. Under an order (`Assignment::copy`) the data bears its token, and
    /// what it replaces is kept aside until `drop_former`, or goes first when the order says so and
    /// that member answers.
    /// `progress` is told bytes done and bytes in all.
    async fn seed(
        &self,
        assignment: &Assignment,
        upstream: &Member,
        progress: &(dyn Fn(u64, u64) + Send + Sync),
    ) -> Result<(), Failure>;

    /// Writes the settings for the assignment; reloads a running engine. Idempotent and cheap when
    /// nothing changed.
    async fn configure(&self, assignment: &Assignment) -> Result<(), Failure>;

    /// Starts the engine to accept writes. Returns once the process runs, not once it answers.
    async fn start_primary(&self, assignment: &Assignment) -> Result<(), Failure>;

    /// Starts the engine in recovery, following that member, or nobody.
    async fn start_replica(
        &self,
        assignment: &Assignment,
        upstream: Option<&Member>,
    ) -> Result<(), Failure>;

    /// Makes a running replica, or a primary that has handed over, follow that member, or nobody
    /// (the promise).
    async fn follow(
        &self,
        assignment: &Assignment,
        upstream: Option<&Member>,
    ) -> Result<(), Failure>;

    /// Makes a running replica a primary; returns once it accepts writes. Where the log ended that
    /// it took over, which is all that it shows and did not write as primary; none: not known.
    async fn promote(&self, assignment: &Assignment) -> Result<Option<Position>, Failure>;

    /// Begins a group of equals with the data here, whose engine is stopped, for the others to
    /// join; returns once it accepts writes. Asked at most once for each term.
    async fn found(&self, _assignment: &Assignment) -> Result<(), Failure> {
        Err(Failure::permanent("this engine's nodes do not all accept writes"))
    }

    /// Starts the engine as a member of the group that is there, with what it lacks taken from the
    /// others; never begins one.
    async fn join(&self, _assignment: &Assignment) -> Result<Joined, Failure> {
        Err(Failure::permanent("this engine's nodes do not all accept writes"))
    }

    /// Prepares for a quick handover (a checkpoint); no effect on clients.
    async fn prepare_handover(&self) -> Result<(), Failure>;

    /// Gives the role of a primary up, so that replicas that stream hold everything: by an orderly
    /// stop, or by refusing writes for good and saying so (`Probe::handed_over`), where the engine
    /// can go on as a replica without a stop (`follow`) or be primary again of a later term
    /// (`configure`). Returns where the log ends; none when that is not known, for the engine died.
    async fn hand_over(&self, _assignment: &Assignment) -> Result<Option<Position>, Failure> {
        self.stop().await
    }

    /// Whether a primary that was down may be started again as the primary of the term that it had
    /// while others could take over: not where the engine loses its place in history with a stop.
    fn resumes_term(&self) -> bool {
        true
    }

    /// Open transactions of clients, the oldest first; not more than can be shown.
    async fn transactions(&self) -> Result<Vec<Transaction>, Failure>;

    /// Ends the connections of clients, not those of replication.
    async fn end_clients(&self) -> Result<(), Failure>;

    /// Stops the engine in an orderly way, so that replicas that stream hold everything. Returns
    /// where the log ends.
    async fn stop(&self) -> Result<Option<Position>, Failure>;

    /// Where the log of the stopped engine ends, read from its files. `from`: a place in it that is
    /// known, from which it is read on. Asked only where the profile says that there is such a log
    /// (`LogFacts::keeps_tail`).
    async fn log_end(&self, from: Position) -> Result<Position, Failure>;

    /// Kills every process of the engine, whatever it does.
    async fn kill(&self) -> Result<(), Failure>;

    /// Makes stopped data fit to follow that member; what only this node held is set aside first.
    async fn repair(&self, assignment: &Assignment, upstream: &Member) -> Result<Repair, Failure>;

    /// Removes the data for good. The engine must be stopped.
    async fn erase(&self) -> Result<(), Failure>;

    /// Removes the former data that a copy under an order replaced. The engine may run.
    async fn drop_former(&self) -> Result<(), Failure>;

    /// Whether each engine keeps its users by itself: not where they are data, which replicas have
    /// from their primary.
    fn keeps_own_users(&self) -> bool {
        false
    }

    /// Gives the engine the databases and users of the assignment (`Assignment::databases`): on a
    /// primary, or everywhere where each keeps its own. What one of them is refused for keeps none
    /// of the others waiting. The passwords that are there already stay as they are stored: held
    /// sessions enter the next primary by them.
    async fn keep_databases(&self, _assignment: &Assignment) -> Result<Kept, Failure> {
        Err(Failure::permanent("this engine's databases cannot be managed yet"))
    }

    /// The sessions of clients under these logins, and under no login those whose user is dropped.
    async fn uses(&self, _logins: &[String]) -> Result<Vec<LoginUse>, Failure> {
        Err(Failure::permanent("this engine's logins cannot be looked at yet"))
    }

    /// Ends the sessions of clients under these logins and of those whose user is dropped, on a
    /// replica too.
    async fn end_uses(&self, _logins: &[String]) -> Result<(), Failure> {
        Err(Failure::permanent("this engine's sessions cannot be ended yet"))
    }

    /// Stores the data of a running engine as it is at one moment, beside whatever it does.
    async fn back_up(
        &self,
        _assignment: &Assignment,
        _backup: &BackupAssignment,
        _repository: &dyn Repository,
        _progress: Progress<'_>,
    ) -> Result<BackupResult, Failure> {
        Err(Failure::permanent("this engine cannot be backed up yet"))
    }

    /// Stores a piece of the log of a running primary, to its end, beside whatever it does.
    /// `configure` holds what is not stored yet, on every node (`Assignment::log`).
    async fn store_log(
        &self,
        _assignment: &Assignment,
        _log: &LogAssignment,
        _span: LogSpan,
        _repository: &dyn Repository,
    ) -> Result<Logged, Failure> {
        Err(Failure::permanent("this engine's log cannot be kept yet"))
    }

    /// Brings a backup's data into a new directory, which becomes the data only when it is
    /// complete: a replica's that follows nobody, so that its promotion begins a history of its
    /// own. Under `RestoreAssignment::log` the log that leads to a moment is brought, too, and cut
    /// off before what was committed later. The users' passwords become the assignment's before
    /// anybody can enter.
    async fn restore(
        &self,
        _assignment: &Assignment,
        _restore: &RestoreAssignment,
        _repository: &dyn Repository,
        _progress: Progress<'_>,
    ) -> Result<(), Failure> {
        Err(Failure::permanent("this engine cannot be restored yet"))
    }

    /// Brings a backup's data in beside a running engine's, complete and bearing the token, to
    /// where former data is kept aside; without a backup, what is aside already gets the token. It
    /// is a replica's, as after `restore`.
    async fn bring(
        &self,
        _assignment: &Assignment,
        _token: &str,
        _source: Option<(&RestoreAssignment, &dyn Repository)>,
        _progress: Progress<'_>,
    ) -> Result<(), Failure> {
        Err(Failure::permanent("this engine's data cannot be replaced yet"))
    }

    /// Exchanges the stopped engine's data with what is aside under this token, at one blow.
    async fn exchange(&self, _assignment: &Assignment, _token: &str) -> Result<(), Failure> {
        Err(Failure::permanent("this engine's data cannot be replaced yet"))
    }

    /// Looks through the restored data of this running primary, and compares it with what it was
    /// when the backup was taken.
    async fn check(&self) -> Result<Checked, Failure> {
        Err(Failure::permanent("this engine's data cannot be looked through yet"))
    }

    /// Whether the settings of this assignment's configuration are active on this primary, and
    /// every voter it newly requires has passed the position the primary had then.
    async fn is_configuration_active(&self, assignment: &Assignment) -> Result<bool, Failure>;
}
