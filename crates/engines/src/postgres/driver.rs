//! The driver: each method short, and safe to call again after an interruption.

use std::time::Duration;

use async_trait::async_trait;
use bellwether_contracts::driver::{Probe, Repair};
use bellwether_contracts::{Driver, Failure};
use bellwether_model::replication::Position;
use bellwether_model::transaction::Transaction;
use bellwether_protocol::Assignment;
use bellwether_protocol::assignment::Member;

use super::replication::{remove, remove_file, write_signal};
use super::{
    Postgres, REPLICATION_USER, REWIND_USER, data, former_data, new_data, process, rewinding,
};

/// The engine starts to answer; recovery after a crash may take its time.
const START_MAX: Duration = Duration::from_secs(600);

/// Between two questions whether it does: at first, and at most.
const ASK_EVERY: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(250));

/// A checkpoint of a busy engine.
const CHECKPOINT_MAX: Duration = Duration::from_secs(280);

/// What `pg_rewind` calls on the node it copies from; its manual lists them.
const REWIND_FUNCTIONS: [&str; 4] = [
    "pg_ls_dir(text, boolean, boolean)",
    "pg_stat_file(text, boolean)",
    "pg_read_binary_file(text)",
    "pg_read_binary_file(text, bigint, bigint, boolean)",
];

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
        process::own_directory(std::path::Path::new("/data"))?;
        let mut initdb = self.command("initdb");
        initdb
            .arg("-D")
            .arg(new_data())
            .args(["-U", "postgres", "-k", "--encoding=UTF8", "--locale=C.UTF-8"])
            .args(["--auth-local=peer", "--auth-host=scram-sha-256", "--no-instructions"]);
        self.run(&mut initdb, "initdb").await?;
        self.write_config(assignment)?;
        self.write_upstream(assignment, None)?;
        // Users first, the data's name last: with it the database exists.
        self.create_users(assignment).await?;
        std::fs::rename(new_data(), data()).map_err(|e| super::config::at(data(), &e))
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
        }
        let rows = self.sql.query("SELECT pg_is_in_recovery()").await?;
        let is_primary = rows.first().is_some_and(|row| !row.get::<_, bool>(0));
        if is_primary {
            self.keep_slots(assignment).await?;
            self.keep_prober(assignment).await?;
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
        self.until_answers().await
    }

    async fn start_replica(
        &self,
        assignment: &Assignment,
        upstream: Option<&Member>,
    ) -> Result<(), Failure> {
        self.note_members(assignment);
        self.write_config(assignment)?;
        self.write_upstream(assignment, upstream)?;
        write_signal(data())?;
        self.spawn().await?;
        self.until_answers().await
    }

    async fn follow(
        &self,
        assignment: &Assignment,
        upstream: Option<&Member>,
    ) -> Result<(), Failure> {
        self.repoint(assignment, upstream).await
    }

    async fn promote(&self, assignment: &Assignment) -> Result<(), Failure> {
        self.become_primary(assignment).await?;
        // Others rewind against the new timeline only once it is in the control file.
        let port = self.port;
        tokio::spawn(async move {
            let session = super::sql::Session::new(port);
            if let Err(failure) = session.execute("CHECKPOINT", CHECKPOINT_MAX).await {
                tracing::warn!("the checkpoint after the promotion: {failure}");
            }
        });
        Ok(())
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
        let timeline = self.look().await.position.map_or(0, |position| position.timeline);
        let is_clean = self.stop_fast().await?;
        if !is_clean {
            return Ok(None);
        }
        let state = self.control("Database cluster state").await?;
        if state != "shut down" {
            return Ok(None);
        }
        // The last record is the checkpoint of the stop: who holds its beginning and streams holds
        // the rest in the same piece.
        let checkpoint = self.control("Latest checkpoint location").await?;
        Ok(parse_lsn(&checkpoint).map(|offset| Position { timeline, offset: offset + 1 }))
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

    async fn is_configuration_active(&self, assignment: &Assignment) -> Result<bool, Failure> {
        self.is_armed(assignment).await
    }
}

impl Postgres {
    /// Makes the users in the new database before anybody can reach it, by the engine alone.
    async fn create_users(&self, assignment: &Assignment) -> Result<(), Failure> {
        use tokio::io::AsyncWriteExt as _;
        let secrets = &assignment.secrets;
        let quote = |text: &str| text.replace('\'', "''");
        // One statement a line: the engine alone reads to the end of the line.
        let statements = format!(
            "CREATE ROLE {REPLICATION_USER} LOGIN REPLICATION PASSWORD '{replication}'\n\
             CREATE ROLE {REWIND_USER} LOGIN PASSWORD '{rewind}'\n\
             {grants}\
             CREATE ROLE \"{user}\" LOGIN CREATEDB PASSWORD '{password}'\n\
             CREATE DATABASE \"{database}\" OWNER \"{user}\"\n",
            grants = REWIND_FUNCTIONS
                .map(|function| {
                    format!("GRANT EXECUTE ON FUNCTION pg_catalog.{function} TO {REWIND_USER}\n")
                })
                .concat(),
            replication = quote(&secrets.replication_password),
            rewind = quote(&secrets.rewind_password),
            user = secrets.user,
            password = quote(&secrets.user_password),
            database = secrets.database,
        );
        let mut child = self
            .command("postgres")
            .args(["--single", "-j", "-D"])
            .arg(new_data())
            .args(["-c", "log_statement=none", "-c", "log_min_error_statement=panic", "postgres"])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| Failure::permanent(format!("the first users: {error}")))?;
        if let Some(mut input) = child.stdin.take() {
            let text = statements.replace('\n', ";\n\n");
            let written = input.write_all(text.as_bytes()).await;
            written.map_err(|error| Failure::transient(format!("the first users: {error}")))?;
        }
        let output = child.wait_with_output().await;
        let output =
            output.map_err(|error| Failure::transient(format!("the first users: {error}")))?;
        let said = String::from_utf8_lossy(&output.stderr);
        // It ends well also after a statement that failed.
        let wrong = said.lines().find(|l| l.contains("ERROR") || l.contains("FATAL"));
        match wrong {
            Some(line) => Err(Failure::permanent(format!("the first users: {line}"))),
            None if output.status.success() => Ok(()),
            None => Err(Failure::permanent("the first users could not be made")),
        }
    }

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
