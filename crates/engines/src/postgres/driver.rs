//! The driver: each method short, and safe to call again after an interruption.

use std::time::Duration;

use async_trait::async_trait;
use bellwether_contracts::driver::{Kept, LogSpan, Logged, Probe, Repair};
use bellwether_contracts::repository::Progress;
use bellwether_contracts::{Driver, Failure, Repository};
use bellwether_model::Target;
use bellwether_model::backup::BackupResult;
use bellwether_model::replication::Position;
use bellwether_model::restore::Checked;
use bellwether_model::transaction::Transaction;
use bellwether_protocol::Assignment;
use bellwether_protocol::assignment::{BackupAssignment, LogAssignment, Member, RestoreAssignment};
use bellwether_protocol::databases::LoginUse;

use super::kept_log::hold_log;
use super::log_end::SEGMENT_MIB;
use super::replication::{STATE, write_signal};
use super::{OS_USER, Postgres, conf, data, former_data, new_data, rewinding};
use crate::files::{DATA, at, remove, remove_file};

/// The engine starts to answer; recovery after a crash may take its time.
const START_MAX: Duration = Duration::from_secs(600);

/// Between two questions whether it does: at first, and at most.
const ASK_EVERY: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(250));

/// A checkpoint of a busy engine.
const CHECKPOINT_MAX: Duration = Duration::from_secs(280);

/// From a promotion to the checkpoint that makes its timeline the control file's.
const CHECKPOINT_AFTER: Duration = Duration::from_millis(500);

#[async_trait]
impl Driver for Postgres {
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
        remove_file(rewinding())?;
        OS_USER.own_directory(std::path::Path::new(DATA))?;
        let mut initdb = self.command("initdb");
        initdb
            .arg("-D")
            .arg(new_data())
            .args(["-U", "postgres", "-k", "--encoding=UTF8", "--locale=C.UTF-8"])
            .arg(format!("--wal-segsize={SEGMENT_MIB}"))
            .args(["--auth-local=peer", "--auth-host=scram-sha-256", "--no-instructions"]);
        self.run(&mut initdb, "initdb").await?;
        self.write_config(assignment)?;
        self.write_upstream(assignment, None)?;
        // Users first, the data's name last: with it the database exists.
        self.create_users(assignment).await?;
        self.create_extension(assignment).await?;
        std::fs::rename(new_data(), data()).map_err(|e| at(data(), &e))
    }

    async fn seed(
        &self,
        assignment: &Assignment,
        upstream: &Member,
        progress: &(dyn Fn(u64, u64) + Send + Sync),
    ) -> Result<(), Failure> {
        self.note_members(assignment);
        self.write_config(assignment)?;
        self.copy_from(assignment, upstream, progress).await
    }

    async fn configure(&self, assignment: &Assignment) -> Result<(), Failure> {
        self.note_members(assignment);
        if self.write_config(assignment)? {
            self.reload().await?;
            OS_USER.note_identity(conf())?;
            self.forget_settings();
        }
        let rows = self.sql.query("SELECT pg_is_in_recovery()").await?;
        let is_primary = rows.first().is_some_and(|row| !row.get::<_, bool>(0));
        if is_primary {
            self.adopt_restored(assignment).await?;
            self.keep_prober(assignment).await?;
        } else {
            self.end_pause().await?;
        }
        // Whoever may be primary next has the others' slots before they come.
        let may_be_next = assignment.prepare || assignment.promise > assignment.group.term;
        let is_replica = matches!(assignment.target, Target::Replica { .. });
        if is_primary || may_be_next {
            self.keep_slots(assignment, true).await?;
        } else if is_replica {
            // Of no use here, and they would keep its log for ever.
            self.keep_slots(assignment, false).await?;
        }
        // Who stores it holds it beside the loop: a primary's worker is to wait for nothing.
        let stores = assignment.log.as_ref().is_some_and(|log| log.store.is_some());
        if !stores && let Err(failure) = hold_log(&self.sql, assignment).await {
            // Nothing else waits for it; it is tried with whatever comes next.
            tracing::warn!("the log is not held: {failure}");
        }
        Ok(())
    }

    async fn start_primary(&self, assignment: &Assignment) -> Result<(), Failure> {
        self.note_members(assignment);
        self.write_config(assignment)?;
        self.write_upstream(assignment, None)?;
        let signal = data().join("standby.signal");
        if signal.exists() {
            return Err(Failure::permanent("a replica's data is promoted, never just started"));
        }
        self.spawn().await?;
        self.until_answers().await?;
        self.adopt_restored(assignment).await
    }

    async fn start_replica(
        &self,
        assignment: &Assignment,
        upstream: Option<&Member>,
    ) -> Result<(), Failure> {
        self.note_members(assignment);
        // Its data says by itself where it must not be below its primary.
        let floors = self.floors().await.unwrap_or_default();
        self.write_config_above(assignment, &floors)?;
        self.write_upstream(assignment, upstream)?;
        write_signal(data())?;
        self.spawn().await?;
        self.until_answers().await?;
        self.until_replayed().await
    }

    async fn follow(
        &self,
        assignment: &Assignment,
        upstream: Option<&Member>,
    ) -> Result<(), Failure> {
        self.repoint(assignment, upstream).await
    }

    async fn promote(&self, assignment: &Assignment) -> Result<Option<Position>, Failure> {
        let start = self.become_primary(assignment).await?;
        self.adopt_restored(assignment).await?;
        // Others rewind against the new timeline only once it is in the control file. Who waits to
        // write has the disk first.
        let port = self.port;
        tokio::spawn(async move {
            tokio::time::sleep(CHECKPOINT_AFTER).await;
            let session = super::sql::Session::new(port);
            if let Err(failure) = session.execute("CHECKPOINT", CHECKPOINT_MAX).await {
                tracing::warn!("the checkpoint after the promotion: {failure}");
            }
        });
        Ok(start)
    }

    async fn prepare_handover(&self) -> Result<(), Failure> {
        self.sql.execute("CHECKPOINT", CHECKPOINT_MAX).await
    }

    async fn transactions(&self) -> Result<Vec<Transaction>, Failure> {
        self.open_transactions().await
    }

    async fn end_clients(&self) -> Result<(), Failure> {
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                   WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
        self.sql.execute(end, Duration::from_secs(2)).await
    }

    async fn stop(&self) -> Result<Option<Position>, Failure> {
        let is_clean = self.stop_fast().await?;
        if !is_clean {
            return Ok(None);
        }
        let control = self.control().await?;
        if control.line(STATE) != "shut down" {
            return Ok(None);
        }
        // The last record is the checkpoint of the stop: who holds its beginning and streams holds
        // the rest in the same piece.
        let checkpoint = parse_lsn(control.line("Latest checkpoint location"));
        let timeline = control.line("Latest checkpoint's TimeLineID").parse().ok();
        let end = |(offset, timeline)| Position { timeline, offset: offset + 1 };
        Ok(checkpoint.zip(timeline).map(end))
    }

    async fn log_end(&self, from: Position) -> Result<Position, Failure> {
        self.find_log_end(from).await
    }

    async fn kill(&self) -> Result<(), Failure> {
        self.kill_everything().await
    }

    async fn repair(&self, assignment: &Assignment, upstream: &Member) -> Result<Repair, Failure> {
        self.make_fit(assignment, upstream).await
    }

    async fn erase(&self) -> Result<(), Failure> {
        self.kill_everything().await?;
        remove(data())?;
        remove_file(rewinding())?;
        remove(new_data())
    }

    async fn drop_former(&self) -> Result<(), Failure> {
        let removed = tokio::task::spawn_blocking(|| remove(former_data())).await;
        removed.unwrap_or_else(|_| Err(Failure::transient("the removal broke")))
    }

    async fn keep_databases(&self, assignment: &Assignment) -> Result<Kept, Failure> {
        self.give_databases(assignment).await
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

    async fn is_configuration_active(&self, assignment: &Assignment) -> Result<bool, Failure> {
        self.is_armed(assignment).await
    }
}

impl Postgres {
    async fn until_answers(&self) -> Result<(), Failure> {
        let end = std::time::Instant::now() + START_MAX;
        let mut pause = ASK_EVERY.0;
        while std::time::Instant::now() < end {
            if self.sql.query("SELECT 1").await.is_ok() {
                return Ok(());
            }
            if self.postmaster().is_none() {
                return Err(self.ended_saying("the engine ended while it started"));
            }
            // Each question that comes too early is a line in the engine's log.
            tokio::time::sleep(pause).await;
            pause = (pause * 21 / 20).min(ASK_EVERY.1);
        }
        Err(Failure::transient("the engine does not come to answer"))
    }
}

/// `0/3000028` as bytes from the beginning.
pub(super) fn parse_lsn(text: &str) -> Option<u64> {
    let (high, low) = text.trim().split_once('/')?;
    Some((u64::from_str_radix(high, 16).ok()? << 32) | u64::from_str_radix(low, 16).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_in_the_log_are_read() {
        assert_eq!(parse_lsn("0/3000028"), Some(0x300_0028));
        assert_eq!(parse_lsn("1/0"), Some(1 << 32));
        assert_eq!(parse_lsn("x"), None);
    }
}
