//! The driver: each method short, and safe to call again after an interruption.

use std::path::Path;

use async_trait::async_trait;
use bellwether_contracts::driver::{Kept, Probe, Repair};
use bellwether_contracts::repository::Progress;
use bellwether_contracts::{Driver, Failure, Repository};
use bellwether_model::Target;
use bellwether_model::backup::BackupResult;
use bellwether_model::replication::Position;
use bellwether_model::restore::Checked;
use bellwether_model::transaction::Transaction;
use bellwether_protocol::Assignment;
use bellwether_protocol::assignment::{BackupAssignment, Member, RestoreAssignment};
use bellwether_protocol::databases::LoginUse;

use super::replication::{Copying, primary_term};
use super::{Handed, Redis, conf, damaged_data, data, former_data, new_data};
use crate::files::{DATA, at, remove};

#[async_trait]
impl Driver for Redis {
    async fn probe(&self) -> Probe {
        self.look().await
    }

    async fn ended(&self) {
        self.until_ended().await;
    }

    async fn bootstrap(&self, assignment: &Assignment) -> Result<(), Failure> {
        self.note_members(assignment);
        self.kill_everything().await?;
        remove(new_data())?;
        remove(data())?;
        self.kind.user().own_directory(Path::new(DATA))?;
        self.kind.user().own_directory(new_data())?;
        self.write_config(assignment)?;
        // The engine itself makes the files that say that there is data.
        let making = Copying::begin(&self.is_copying);
        self.start(new_data()).await?;
        self.stop_clean().await?;
        drop(making);
        std::fs::rename(new_data(), data()).map_err(|e| at(data(), &e))?;
        self.set_primary(true)
    }

    async fn seed(
        &self,
        assignment: &Assignment,
        upstream: &Member,
        progress: &(dyn Fn(u64, u64) + Send + Sync),
    ) -> Result<(), Failure> {
        self.note_members(assignment);
        self.write_config(assignment)?;
        self.until_leads(assignment, upstream).await;
        self.copy_from(assignment, upstream, progress).await
    }

    async fn configure(&self, assignment: &Assignment) -> Result<(), Failure> {
        self.note_members(assignment);
        let changed = self.write_config(assignment)?;
        if changed.users {
            self.tell_users(assignment).await?;
        }
        if changed.identity {
            let file = |name: &str| conf().join(name).to_string_lossy().into_owned();
            let (certificate, key) = (file("engine.pem"), file("engine.key"));
            let set = ["CONFIG", "SET", "tls-cert-file", &certificate, "tls-key-file", &key];
            self.link.run(&set).await?;
            self.kind.user().note_identity(conf())?;
        }
        self.keep_moves(assignment).await?;
        let Some(term) = primary_term(&assignment.target) else { return Ok(()) };
        let is_over = match self.handed() {
            Handed::Unknown => true,
            Handed::Over(handed) => handed < term,
            Handed::No => false,
        };
        if is_over {
            self.resume_writes().await?;
            self.keep_moves(assignment).await?;
        }
        self.adopt_term(assignment, term).await
    }

    async fn start_primary(&self, assignment: &Assignment) -> Result<(), Failure> {
        self.note_members(assignment);
        self.write_config(assignment)?;
        self.start(data()).await?;
        self.lead(assignment).await
    }

    async fn start_replica(
        &self,
        assignment: &Assignment,
        upstream: Option<&Member>,
    ) -> Result<(), Failure> {
        self.note_members(assignment);
        self.write_config(assignment)?;
        self.set_primary(false)?;
        if let Some(upstream) = upstream {
            self.until_leads(assignment, upstream).await;
        }
        let started = self.start(data()).await;
        if upstream.is_some()
            && started.as_ref().is_err_and(|failure| is_about_the_files(&failure.text))
        {
            return self.set_damaged_aside();
        }
        started?;
        self.repoint(assignment, upstream).await
    }

    async fn follow(
        &self,
        assignment: &Assignment,
        upstream: Option<&Member>,
    ) -> Result<(), Failure> {
        self.note_members(assignment);
        self.repoint(assignment, upstream).await
    }

    /// Nobody confirms writes here: where the log began is asked by nobody.
    async fn promote(&self, assignment: &Assignment) -> Result<Option<Position>, Failure> {
        self.lead(assignment).await?;
        Ok(None)
    }

    /// Whoever follows holds everything within milliseconds.
    async fn prepare_handover(&self) -> Result<(), Failure> {
        Ok(())
    }

    /// As planned without a stop. Otherwise there may be what only this node holds, which is looked
    /// at once it is stopped.
    async fn hand_over(&self, assignment: &Assignment) -> Result<Option<Position>, Failure> {
        match assignment.target {
            Target::Demoted { term } => self.give_up(term).await.map(Some),
            _ => self.stop_clean().await,
        }
    }

    fn resumes_term(&self) -> bool {
        false
    }

    /// None are ever open: each command is by itself, and so is a `MULTI` with what it encloses.
    async fn transactions(&self) -> Result<Vec<Transaction>, Failure> {
        Ok(Vec::new())
    }

    async fn end_clients(&self) -> Result<(), Failure> {
        for kind in ["normal", "pubsub"] {
            self.link.run(&["CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes"]).await?;
        }
        Ok(())
    }

    async fn stop(&self) -> Result<Option<Position>, Failure> {
        self.stop_clean().await
    }

    async fn log_end(&self, _from: Position) -> Result<Position, Failure> {
        Err(Failure::permanent("what the engine wrote last cannot be told from its files"))
    }

    async fn kill(&self) -> Result<(), Failure> {
        self.kill_everything().await
    }

    async fn repair(&self, assignment: &Assignment, upstream: &Member) -> Result<Repair, Failure> {
        self.note_members(assignment);
        self.write_config(assignment)?;
        self.make_fit(assignment, upstream).await
    }

    async fn erase(&self) -> Result<(), Failure> {
        self.kill_everything().await?;
        remove(data())?;
        remove(new_data())
    }

    async fn drop_former(&self) -> Result<(), Failure> {
        let removed = tokio::task::spawn_blocking(|| remove(former_data())).await;
        removed.unwrap_or_else(|_| Err(Failure::transient("the removal broke")))
    }

    fn keeps_own_users(&self) -> bool {
        true
    }

    async fn keep_databases(&self, assignment: &Assignment) -> Result<Kept, Failure> {
        self.give_users(assignment).await
    }

    async fn uses(&self, logins: &[String]) -> Result<Vec<LoginUse>, Failure> {
        self.sessions_of(logins).await
    }

    async fn end_uses(&self, logins: &[String]) -> Result<(), Failure> {
        self.end_sessions_of(logins).await
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

    async fn restore(
        &self,
        assignment: &Assignment,
        restore: &RestoreAssignment,
        repository: &dyn Repository,
        progress: Progress<'_>,
    ) -> Result<(), Failure> {
        self.note_members(assignment);
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
        self.note_members(assignment);
        self.exchange_data(assignment, token).await
    }

    async fn check(&self) -> Result<Checked, Failure> {
        self.look_through().await
    }

    /// Nobody has to confirm anything, whatever the configuration.
    async fn is_configuration_active(&self, _assignment: &Assignment) -> Result<bool, Failure> {
        Ok(true)
    }
}

impl Redis {
    /// The engine cannot read its data: it goes aside, and a copy takes its place.
    fn set_damaged_aside(&self) -> Result<(), Failure> {
        remove(damaged_data())?;
        std::fs::rename(data(), damaged_data()).map_err(|e| at(damaged_data(), &e))?;
        Err(Failure::transient("its data cannot be read any more; it is copied anew"))
    }
}

/// Whether the engine ended because of what its files hold.
fn is_about_the_files(said: &str) -> bool {
    let words = ["append only", "append-only", "AOF", "RDB", "short read", "Short read", "DB load"];
    words.iter().any(|word| said.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_cannot_be_read_are_told_from_other_reasons() {
        assert!(is_about_the_files(
            "the engine ended: Bad file format reading the append only file"
        ));
        assert!(!is_about_the_files("the engine ended: Failed listening on port 6378"));
    }
}
