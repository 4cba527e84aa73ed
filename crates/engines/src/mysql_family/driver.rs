//! The driver of both: each method short, and safe to call again after an interruption.

use std::ops::Deref;
use std::path::Path;
use std::time::Instant;

use async_trait::async_trait;
use bellwether_contracts::driver::{Joined, Kept, LogSpan, Logged, Probe, Repair};
use bellwether_contracts::repository::Progress;
use bellwether_contracts::{Driver, Failure, Repository};
use bellwether_model::backup::BackupResult;
use bellwether_model::replication::Position;
use bellwether_model::restore::Checked;
use bellwether_model::transaction::Transaction;
use bellwether_model::{Target, Term};
use bellwether_protocol::Assignment;
use bellwether_protocol::assignment::{BackupAssignment, LogAssignment, Member, RestoreAssignment};
use bellwether_protocol::databases::LoginUse;

use super::backup::Copied;
use super::kept_log::Written;
use super::node::Node;
use super::place::{
    Mark, conf, config_file, former_root, handed_over, new_root, root, socket_directory, temporary,
};
use super::{OS_USER, clients, databases};
use crate::files::remove;

/// What each of them does in its own way, on the node that they have in common.
#[async_trait]
pub(crate) trait Hands: Deref<Target = Node> + Send + Sync + 'static {
    /// How the engine is told to refuse writes, and to wait so long for commits under way.
    fn refuse(seconds: u64) -> Vec<String>;

    /// The text of the engine's configuration.
    fn settings(&self, assignment: &Assignment) -> String;

    /// Writes the configuration and what it names.
    fn write_config(&self, assignment: &Assignment) -> Result<(), Failure> {
        for directory in [conf(), socket_directory(), temporary()] {
            OS_USER.own_directory(directory)?;
        }
        OS_USER.take_identity(conf())?;
        OS_USER.write(&config_file(), self.settings(assignment).as_bytes())?;
        Ok(())
    }

    async fn look(&self) -> Probe {
        self.probe().await
    }

    /// Begins a group whose nodes all accept writes, where the engine has such.
    async fn found_group(&self, _assignment: &Assignment) -> Result<(), Failure> {
        Err(Failure::permanent("this engine's nodes do not all accept writes"))
    }

    /// Joins the group that is there.
    async fn join_a_group(&self, _assignment: &Assignment) -> Result<Joined, Failure> {
        Err(Failure::permanent("this engine's nodes do not all accept writes"))
    }

    /// Lets other members copy from here, where the engine itself does not.
    fn offer_copies(&self, _assignment: &Assignment) {}

    async fn make_database(&self, assignment: &Assignment) -> Result<(), Failure>;

    async fn copy_from(
        &self,
        assignment: &Assignment,
        upstream: &Member,
        progress: &(dyn Fn(u64, u64) + Send + Sync),
    ) -> Result<(), Failure>;

    /// What the engine is started with, beside its configuration.
    fn arguments(&self, _assignment: &Assignment) -> Result<Vec<String>, Failure> {
        Ok(Vec::new())
    }

    /// What makes a fenced engine the primary of a term, short of accepting clients' writes.
    fn opening(term: Term) -> Vec<String>;

    /// What makes a primary's engine a replica's.
    fn closing(own: &Member) -> Vec<String>;

    /// What makes an engine follow that member, from where its own log ends.
    fn following(
        assignment: &Assignment,
        own: &Member,
        upstream: &Member,
        logged: Position,
    ) -> Vec<String>;

    /// Applies what a replica received before its engine ended: it may have been confirmed, and
    /// the upstream that sent it may be gone.
    async fn apply_received(&self) -> Result<(), Failure>;

    /// Where the log of the stopped engine ends.
    async fn find_log_end(&self, from: Position) -> Result<Position, Failure>;

    /// Copies the running engine's data, as it is at one moment, into that directory, which is not
    /// there yet.
    async fn copy_here(&self, directory: &Path) -> Result<Copied, Failure>;

    /// What the engine is to be told of where a copy in that directory begins.
    fn begins_at(_directory: &Path) -> Result<Option<String>, Failure> {
        Ok(None)
    }

    /// Notes when the log is written, where the log does not say it and is to be kept.
    fn watch_log(&self, _assignment: &Assignment) {}

    /// What is noted of a file of the log.
    fn written(_log: &Path) -> Vec<Written> {
        Vec::new()
    }

    /// Notes where copied data ends that a log was run on, as a copy that was made there says it.
    fn note_end(_data: &Path, _end: Position) -> Result<(), Failure> {
        Ok(())
    }

    async fn make_fit(&self, assignment: &Assignment, upstream: &Member)
    -> Result<Repair, Failure>;
}

/// The driver that has them.
pub(crate) struct FamilyDriver<H>(pub(crate) H);

#[async_trait]
impl<H: Hands> Driver for FamilyDriver<H> {
    async fn probe(&self) -> Probe {
        Hands::look(&self.0).await
    }

    async fn ended(&self) {
        if let Some(pid) = self.0.server() {
            self.0.processes.until_ended(pid).await;
        }
    }

    async fn bootstrap(&self, assignment: &Assignment) -> Result<(), Failure> {
        self.0.note_members(assignment);
        self.0.make_database(assignment).await
    }

    async fn seed(
        &self,
        assignment: &Assignment,
        upstream: &Member,
        progress: &(dyn Fn(u64, u64) + Send + Sync),
    ) -> Result<(), Failure> {
        self.0.note_members(assignment);
        self.0.copy_from(assignment, upstream, progress).await
    }

    async fn configure(&self, assignment: &Assignment) -> Result<(), Failure> {
        let hands = &self.0;
        hands.note_members(assignment);
        hands.write_config(assignment)?;
        if OS_USER.take_identity(conf())? {
            hands.unlogged(hands.words.read_certificate).await?;
            let of_group = hands.words.read_certificate_of_group.filter(|_| hands.is_of_group);
            if let Some(statement) = of_group {
                hands.unlogged(statement).await?;
            }
            OS_USER.note_identity(conf())?;
        }
        hands.offer_copies(assignment);
        if hands.is_of_group {
            // Everything else is the group's.
            return Ok(());
        }
        hands.watch_log(assignment);
        if Mark::Replica.is_set() {
            hands.keep_users(assignment).await?;
            return hands.confirm_or_not(assignment).await;
        }
        if hands.must_open(assignment).await? {
            return self.open(assignment).await;
        }
        if handed_over().is_some() {
            return Ok(());
        }
        hands.peers.ask(assignment, hands.port);
        hands.keep_users(assignment).await
    }

    async fn start_primary(&self, assignment: &Assignment) -> Result<(), Failure> {
        self.0.note_members(assignment);
        if Mark::Replica.is_set() {
            return Err(Failure::permanent("a replica's data is promoted, never just started"));
        }
        self.start_serving(assignment).await
    }

    async fn start_replica(
        &self,
        assignment: &Assignment,
        upstream: Option<&Member>,
    ) -> Result<(), Failure> {
        self.0.note_members(assignment);
        self.start_following(assignment, upstream).await
    }

    async fn follow(
        &self,
        assignment: &Assignment,
        upstream: Option<&Member>,
    ) -> Result<(), Failure> {
        self.0.note_members(assignment);
        self.follow_member(assignment, upstream).await
    }

    async fn promote(&self, assignment: &Assignment) -> Result<Option<Position>, Failure> {
        self.0.note_members(assignment);
        self.become_primary(assignment).await?;
        Ok(None)
    }

    async fn found(&self, assignment: &Assignment) -> Result<(), Failure> {
        self.0.note_members(assignment);
        self.0.found_group(assignment).await
    }

    async fn join(&self, assignment: &Assignment) -> Result<Joined, Failure> {
        self.0.note_members(assignment);
        self.0.join_a_group(assignment).await
    }

    async fn prepare_handover(&self) -> Result<(), Failure> {
        Ok(())
    }

    async fn hand_over(&self, assignment: &Assignment) -> Result<Option<Position>, Failure> {
        match assignment.target {
            Target::Demoted { .. } => self.0.give_over(assignment, H::refuse).await,
            // Whoever was replaced meanwhile may hold what nobody else does.
            _ => self.stop().await,
        }
    }

    async fn transactions(&self) -> Result<Vec<Transaction>, Failure> {
        // Kept over the question: of two that ask, the second waits for longer.
        let mut asked = self.0.asked_transactions.lock().await;
        clients::until_anew(*asked).await;
        *asked = Some(Instant::now());
        clients::transactions(&self.0.look, self.0.words.running_ms).await
    }

    async fn end_clients(&self) -> Result<(), Failure> {
        clients::end(&self.0.act).await
    }

    async fn stop(&self) -> Result<Option<Position>, Failure> {
        self.0.stop_telling().await
    }

    async fn log_end(&self, from: Position) -> Result<Position, Failure> {
        self.0.find_log_end(from).await
    }

    async fn kill(&self) -> Result<(), Failure> {
        self.0.kill_server().await
    }

    async fn repair(&self, assignment: &Assignment, upstream: &Member) -> Result<Repair, Failure> {
        self.0.note_members(assignment);
        self.0.make_fit(assignment, upstream).await
    }

    async fn erase(&self) -> Result<(), Failure> {
        self.0.kill_server().await?;
        remove(root())?;
        remove(new_root())
    }

    async fn drop_former(&self) -> Result<(), Failure> {
        let removed = tokio::task::spawn_blocking(|| remove(former_root())).await;
        removed.unwrap_or_else(|_| Err(Failure::transient("the removal broke")))
    }

    async fn keep_databases(&self, assignment: &Assignment) -> Result<Kept, Failure> {
        databases::give(self.0.words, assignment).await
    }

    async fn uses(&self, logins: &[String]) -> Result<Vec<LoginUse>, Failure> {
        databases::uses(&self.0.look, logins).await
    }

    async fn end_uses(&self, logins: &[String]) -> Result<(), Failure> {
        clients::end_of(&self.0.look, &databases::are_of(logins)).await
    }

    async fn back_up(
        &self,
        assignment: &Assignment,
        backup: &BackupAssignment,
        repository: &dyn Repository,
        progress: Progress<'_>,
    ) -> Result<BackupResult, Failure> {
        self.take_backup(assignment, backup, repository, progress).await
    }

    async fn store_log(
        &self,
        assignment: &Assignment,
        log: &LogAssignment,
        span: LogSpan,
        repository: &dyn Repository,
    ) -> Result<Logged, Failure> {
        self.keep_log(assignment, log, span, repository).await
    }

    async fn restore(
        &self,
        assignment: &Assignment,
        restore: &RestoreAssignment,
        repository: &dyn Repository,
        progress: Progress<'_>,
    ) -> Result<(), Failure> {
        self.bring_back(assignment, restore, repository, progress).await
    }

    async fn bring(
        &self,
        _: &Assignment,
        token: &str,
        source: Option<(&RestoreAssignment, &dyn Repository)>,
        progress: Progress<'_>,
    ) -> Result<(), Failure> {
        self.set_aside(token, source, progress).await
    }

    async fn exchange(&self, assignment: &Assignment, token: &str) -> Result<(), Failure> {
        self.exchange_data(assignment, token).await
    }

    async fn check(&self) -> Result<Checked, Failure> {
        self.look_through().await
    }

    async fn is_configuration_active(&self, assignment: &Assignment) -> Result<bool, Failure> {
        // In a group nobody confirms to a primary, and what concerns users is told to all.
        if self.0.is_of_group {
            return Ok(true);
        }
        self.0.is_armed(assignment).await
    }
}
