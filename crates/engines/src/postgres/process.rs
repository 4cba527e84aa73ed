//! The engine's process and its programs.

use std::time::Duration;

use bellwether_contracts::Failure;
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::Command;

use super::{Postgres, conf, data, log_directory, socket, timelines};
use crate::process::is_alive;

/// An orderly stop takes at most so long.
const STOP_MAX: Duration = Duration::from_secs(25);

impl Postgres {
    /// The postmaster, if it lives.
    pub(super) fn postmaster(&self) -> Option<Pid> {
        let text = std::fs::read_to_string(data().join("postmaster.pid")).ok()?;
        let pid: i32 = text.lines().next()?.trim().parse().ok()?;
        let is_ours = is_alive(pid)
            && std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| {
                let line = String::from_utf8_lossy(&line);
                line.contains("/bin/postgres") && line.contains(&*data().to_string_lossy())
            });
        if is_ours { Pid::from_raw(pid) } else { None }
    }

    /// Ends with the process; at once when there is none.
    pub(super) async fn until_ended(&self) {
        if let Some(pid) = self.postmaster() {
            self.processes.until_ended(pid).await;
        }
    }

    /// Starts the postmaster; in recovery when `standby.signal` is there.
    pub(super) async fn spawn(&self) -> Result<(), Failure> {
        if self.postmaster().is_some() {
            return Ok(());
        }
        self.kill_everything().await?;
        self.forget_settings();
        self.remove_locks();
        self.make_room()?;
        timelines::forget(&log_directory())?;
        let mut command = self.command("postgres");
        command
            .arg("-D")
            .arg(data())
            .arg(format!("--config-file={}/postgresql.conf", conf().display()));
        self.processes.start(&mut command)?;
        self.until_pid_file().await
    }

    /// Left by a process of an earlier life of the machine, whose number another may have now.
    /// Nothing of the engine may be running.
    pub(super) fn remove_locks(&self) {
        let named = format!(".s.PGSQL.{}", self.port);
        for path in [
            data().join("postmaster.pid"),
            socket().join(format!("{named}.lock")),
            socket().join(named),
        ] {
            let _ = std::fs::remove_file(path);
        }
    }

    async fn until_pid_file(&self) -> Result<(), Failure> {
        for turn in 1..=400 {
            if self.postmaster().is_some() {
                return Ok(());
            }
            if turn % 40 == 0 && self.processes.all().is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Err(self.ended_saying("the engine ended at once"))
    }

    /// The engine ended when it should have started: why, as far as it said.
    pub(super) fn ended_saying(&self, what: &str) -> Failure {
        self.processes.ended_saying(what)
    }

    /// A program of this version, to run as the engine's user.
    pub(super) fn command(&self, name: &str) -> Command {
        let mut command = self.processes.command(self.program(name));
        command.env("PGPASSFILE", conf().join("passfile"));
        command
    }

    /// Runs a program to its end; what it printed.
    pub(super) async fn run(&self, command: &mut Command, what: &str) -> Result<String, Failure> {
        self.processes.run(command, what).await
    }

    /// Stops in an orderly way: clients are cut off, replicas receive everything. Whether it did.
    pub(super) async fn stop_fast(&self) -> Result<bool, Failure> {
        let Some(pid) = self.postmaster() else { return Ok(false) };
        self.sql.forget().await;
        let _ = kill_process(pid, Signal::INT);
        if tokio::time::timeout(STOP_MAX, self.until_ended()).await.is_ok() {
            return Ok(true);
        }
        self.kill_everything().await?;
        Ok(false)
    }

    /// Kills the postmaster and every process it left.
    pub(super) async fn kill_everything(&self) -> Result<(), Failure> {
        self.sql.forget().await;
        self.processes.kill_all().await
    }
}

/// What the engine said last of a setting.
pub(super) fn said_of(setting: &str) -> Option<String> {
    let named = format!("parameter \"{setting}\"");
    let said = crate::process::said_last(&named)?;
    Some(said.split_once("LOG:").map_or(said.as_str(), |(_, said)| said).trim().to_owned())
}
