//! A former primary's data, made fit to follow: what only it held is set aside and the rest is
//! rewound, or a full copy is asked for.

use std::time::Duration;

use bellwether_contracts::driver::Repair;
use bellwether_contracts::{Class, Failure};
use bellwether_protocol::Assignment;
use bellwether_protocol::assignment::Member;
use tracing::{info, warn};

use super::config::conninfo;
use super::driver::parse_lsn;
use super::replication::{STATE, write_signal};
use super::{OS_USER, Postgres, REWIND_USER, conf, data, rewinding};
use crate::files::remove_file;

/// Starting a former primary to end its crash recovery.
const RECOVERY_MAX: Duration = Duration::from_secs(600);

impl Postgres {
    /// Makes stopped data fit to follow: nothing to do, rewound, or beyond repair.
    pub(super) async fn make_fit(
        &self,
        assignment: &Assignment,
        upstream: &Member,
    ) -> Result<Repair, Failure> {
        self.note_members(assignment);
        self.write_config(assignment)?;
        if data().join("backup_label").exists() {
            return Ok(Repair::NeedsCopy);
        }
        if self.is_unfinished_replica().await {
            return Ok(Repair::CatchUp);
        }
        match self.end_recovery().await {
            Ok(()) => {}
            Err(failure) if failure.class == Class::Permanent => {
                warn!("{failure}; a full copy is needed");
                return Ok(Repair::NeedsCopy);
            }
            Err(failure) => return Err(failure),
        }
        // What would be done is asked for first: until then nothing is changed.
        let plan = match self.rewind(assignment, upstream, true).await {
            Ok(plan) => plan,
            Err(failure) if is_about_the_source(&failure.text) => return Err(failure),
            Err(failure) => {
                // Where histories part is said before what cannot be found.
                self.keep_diverged(assignment.group.term, fork(&failure.text)).await;
                warn!("{failure}; a full copy is needed");
                return Ok(Repair::NeedsCopy);
            }
        };
        if plan.contains("no rewind required") {
            write_signal(data())?;
            return Ok(Repair::CatchUp);
        }
        self.keep_diverged(assignment.group.term, fork(&plan)).await;
        OS_USER.write_durably(rewinding(), "")?;
        match self.rewind(assignment, upstream, false).await {
            Ok(said) => {
                write_signal(data())?;
                remove_file(rewinding())?;
                info!("pg_rewind: {}", said.lines().last().unwrap_or_default());
                Ok(Repair::Rewound)
            }
            Err(failure) => {
                // What a failed rewind leaves is neither the old nor the new.
                warn!("{failure}; a full copy is needed");
                Ok(Repair::NeedsCopy)
            }
        }
    }

    /// Runs `pg_rewind`, or asks it what it would do; what it said.
    async fn rewind(
        &self,
        assignment: &Assignment,
        upstream: &Member,
        only_ask: bool,
    ) -> Result<String, Failure> {
        let source = format!("{} dbname=postgres", conninfo(assignment, upstream, REWIND_USER));
        let mut command = self.command("pg_rewind");
        command
            .arg("-D")
            .arg(data())
            .arg(format!("--source-server={source}"))
            .arg(format!("--config-file={}/postgresql.conf", conf().display()))
            .arg("--no-ensure-shutdown");
        if only_ask {
            command.arg("--dry-run");
        }
        tokio::time::timeout(RECOVERY_MAX, self.run(&mut command, "pg_rewind"))
            .await
            .unwrap_or_else(|_| Err(Failure::transient("pg_rewind does not end")))
    }

    /// Whether the data is a replica's that did not end in an orderly way. Ending its recovery
    /// would make a primary of it, with log of its own on a timeline that is another's; it recovers
    /// when it is started as what it is.
    async fn is_unfinished_replica(&self) -> bool {
        if !data().join("standby.signal").exists() {
            return false;
        }
        let control = self.control().await;
        control.is_ok_and(|control| !control.line(STATE).starts_with("shut down"))
    }

    /// Ends the recovery after a crash without letting anybody in: the engine alone, for itself.
    /// Permanent failures are those of the data.
    async fn end_recovery(&self) -> Result<(), Failure> {
        let of_the_data = |failure: Failure| match failure.class {
            Class::Transient => Failure::permanent(failure.text),
            Class::Permanent | Class::NeedsPerson => failure,
        };
        let control = self.control().await.map_err(of_the_data)?;
        if control.line(STATE).starts_with("shut down") {
            return Ok(());
        }
        self.kill_everything().await?;
        self.remove_locks();
        self.make_room()?;
        let _ = std::fs::remove_file(data().join("standby.signal"));
        let mut command = self.command("postgres");
        command
            .args(["--single", "-D"])
            .arg(data())
            .arg(format!("--config-file={}/postgresql.conf", conf().display()))
            .arg("template1");
        tokio::time::timeout(RECOVERY_MAX, self.run(&mut command, "the recovery after the crash"))
            .await
            .map_err(|_| Failure::transient("the recovery after the crash does not end"))?
            .map_err(of_the_data)
            .map(|_| ())
    }
}

/// The source cannot be reached, or has not written its new timeline yet: trying again helps, and
/// nothing was changed.
fn is_about_the_source(text: &str) -> bool {
    ["could not connect", "connection to server", "source server", "timeout expired"]
        .iter()
        .any(|words| text.contains(words))
}

/// Where histories part, as `pg_rewind` says it.
fn fork(said: &str) -> Option<u64> {
    let (_, rest) = said.split_once("diverged at WAL location ")?;
    parse_lsn(rest.split_whitespace().next()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_histories_part_is_read() {
        let said = "pg_rewind: servers diverged at WAL location 1/3A000060 on timeline 2\n\
                    pg_rewind: rewinding from last common checkpoint at 1/39000028 on timeline 2";
        assert_eq!(fork(said), Some(0x1_3a00_0060));
        assert_eq!(fork("pg_rewind: no rewind required"), None);
    }
}
