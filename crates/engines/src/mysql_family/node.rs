//! An engine's hands on this node, as far as they are alike.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bellwether_contracts::Failure;
use bellwether_model::divergence::Divergence;
use bellwether_model::replication::Position;
use bellwether_model::{NodeId, Target, Term};
use bellwether_protocol::Assignment;
use bellwether_protocol::assignment::Member;
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::Command;

use super::OS_USER;
use super::peers::Peers;
use super::place::{Mark, config_file, log_in, root, socket_directory};
use super::probe::Cache;
use super::session::Session;
use super::words::{Replication, Words};
use crate::files::at;
use crate::process::Processes;
use crate::room::release_reserve;
use crate::settings::Settings;

/// The engine starts to answer; recovery after a crash may take its time.
const START_MAX: Duration = Duration::from_secs(600);

/// Between two questions whether it does.
const ASK_EVERY: Duration = Duration::from_millis(20);

/// Of the log so many files are looked through, from the end.
const FILES_MAX: usize = 8;

/// An orderly stop takes at most so long.
const STOP_MAX: Duration = Duration::from_secs(25);

/// The engine of this node.
pub(crate) struct Node {
    pub(crate) words: &'static Words,
    pub(crate) port: u16,
    /// It is of a group whose nodes all accept writes.
    pub(crate) is_of_group: bool,
    members: Mutex<Vec<Member>>,
    /// For looking, and for what may take its time.
    pub(crate) look: Session,
    pub(crate) act: Session,
    pub(crate) processes: Processes,
    pub(super) cache: Mutex<Cache>,
    pub(crate) peers: Peers,
    /// When the configuration's settings became active: its version, and the place every voter has
    /// to pass.
    pub(super) armed: Mutex<Option<(u64, u64)>>,
    /// Whether the user of a member is locked, where it is known.
    pub(super) locks: Mutex<BTreeMap<NodeId, bool>>,
    /// The version of the configuration under which waiting commits were looked for at once.
    pub(super) released: AtomicU64,
    /// The engine is being told what voters hold.
    pub(super) is_standing_in: Arc<AtomicBool>,
    /// What the chosen settings shall be, and are.
    pub(super) settings: Settings,
    /// What only this node held and is kept, the newest first.
    diverged: Mutex<Vec<Divergence>>,
    /// A step is under way that ends with the engine accepting writes.
    pub(super) is_opening: AtomicBool,
    /// New data is refused, for want of room.
    pub(super) is_refusing: AtomicBool,
    /// When the engine was last asked for open transactions.
    pub(super) asked_transactions: tokio::sync::Mutex<Option<Instant>>,
}

/// While it is there, the engine is being opened.
pub(crate) struct Opening<'a>(&'a AtomicBool);

impl Drop for Opening<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

impl Node {
    pub(crate) fn new(assignment: &Assignment, words: &'static Words) -> Self {
        let local = || Session::local_saying(words.of_group.filter(|_| assignment.multi_primary));
        Self {
            words,
            port: assignment.engine.ports.private,
            is_of_group: assignment.multi_primary,
            members: Mutex::new(assignment.group.members.clone()),
            look: local(),
            act: local(),
            processes: Processes::new(OS_USER, words.process),
            cache: Mutex::default(),
            peers: Peers::new(words),
            armed: Mutex::default(),
            locks: Mutex::default(),
            released: AtomicU64::default(),
            is_standing_in: Arc::default(),
            settings: Settings::default(),
            diverged: Mutex::new(crate::findings::findings()),
            is_opening: AtomicBool::new(false),
            is_refusing: AtomicBool::new(false),
            asked_transactions: tokio::sync::Mutex::default(),
        }
    }

    /// What is seen of the engine until this is dropped is not yet how it shall be.
    pub(crate) fn begin_opening(&self) -> Opening<'_> {
        self.is_opening.store(true, Ordering::Relaxed);
        Opening(&self.is_opening)
    }

    pub(crate) fn member_at(&self, address: &str) -> Option<NodeId> {
        let members = self.members.lock().expect("nothing panics while it is held");
        let found = members.iter().find(|m| m.address == address || m.address6 == address);
        found.map(|member| member.node.clone())
    }

    /// Remembers who the members are.
    pub(crate) fn note_members(&self, assignment: &Assignment) {
        *self.members.lock().expect("nothing panics while it is held") =
            assignment.group.members.clone();
    }

    pub(crate) fn diverged(&self) -> Vec<Divergence> {
        self.diverged.lock().expect("nothing panics while it is held").clone()
    }

    /// Reads again what is kept.
    pub(crate) fn note_diverged(&self) {
        *self.diverged.lock().expect("nothing panics while it is held") =
            crate::findings::findings();
    }

    /// The engine's process, if it lives: one that makes a copy or new data is none.
    pub(crate) fn server(&self) -> Option<Pid> {
        let config = config_file();
        let config = config.to_string_lossy();
        self.processes.all().into_iter().find(|pid| {
            let line = std::fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero()));
            line.is_ok_and(|line| String::from_utf8_lossy(&line).contains(&*config))
        })
    }

    /// A program, to run as the engine's user.
    pub(crate) fn command(&self, name: &str) -> Command {
        self.processes.command(Path::new("/usr/bin").join(name))
    }

    /// Starts the engine, fenced, and waits until it answers.
    pub(crate) async fn start(&self, arguments: &[String]) -> Result<(), Failure> {
        if self.server().is_none() {
            self.processes.kill_all().await?;
            release_reserve();
            // Left by a process of an earlier life of the machine.
            crate::files::remove(socket_directory())?;
            OS_USER.own_directory(socket_directory())?;
            if relay_logs().is_ok_and(|logs| !logs.is_empty()) {
                Mark::Unapplied.set("")?;
            }
            let mut command = self.processes.command(self.words.program);
            command.arg(format!("--defaults-file={}", config_file().display())).args(arguments);
            self.processes.start(&mut command)?;
            self.forget_sessions().await;
            self.settings.forget();
        }
        let end = Instant::now() + START_MAX;
        while Instant::now() < end {
            if self.look.query("SELECT 1").await.is_ok() {
                return Ok(());
            }
            if self.server().is_none() {
                return Err(self.processes.ended_saying("the engine ended while it started"));
            }
            tokio::time::sleep(ASK_EVERY).await;
        }
        Err(Failure::transient("the engine does not come to answer"))
    }

    async fn forget_sessions(&self) {
        self.look.forget().await;
        self.act.forget().await;
    }

    /// Stops in an orderly way. Whether it did; also when it did not run.
    pub(crate) async fn stop_server(&self) -> Result<bool, Failure> {
        let Some(pid) = self.server() else { return Ok(false) };
        self.forget_sessions().await;
        let _ = kill_process(pid, Signal::TERM);
        if tokio::time::timeout(STOP_MAX, self.processes.until_ended(pid)).await.is_ok() {
            return Ok(true);
        }
        self.kill_server().await?;
        Ok(false)
    }

    pub(crate) async fn kill_server(&self) -> Result<(), Failure> {
        self.forget_sessions().await;
        self.processes.kill_all().await
    }

    /// Where the log of the running engine ends.
    pub(crate) async fn logged(&self) -> Result<Position, Failure> {
        let rows = self.act.query(self.words.logged).await?;
        Ok(rows.first().map(self.words.place).unwrap_or_default())
    }

    /// What the running engine says of itself as a replica.
    pub(crate) async fn replication(&self) -> Result<Replication, Failure> {
        let rows = self.act.query(self.words.replica_status).await?;
        Ok(self.words.replication(rows.first()))
    }
}

/// The files of the relay log, the oldest first.
pub(crate) fn relay_logs() -> Result<Vec<PathBuf>, Failure> {
    files_of("relay")
}

/// The last files of the binary log, the oldest first.
pub(crate) fn binlogs() -> Result<Vec<PathBuf>, Failure> {
    let mut logs = all_binlogs()?;
    let first = logs.len().saturating_sub(FILES_MAX);
    Ok(logs.split_off(first))
}

/// Every file of the binary log, the oldest first.
pub(crate) fn all_binlogs() -> Result<Vec<PathBuf>, Failure> {
    files_of("binlog")
}

fn files_of(log: &str) -> Result<Vec<PathBuf>, Failure> {
    let directory = log_in(root());
    let entries = std::fs::read_dir(&directory).map_err(|e| at(&directory, &e))?;
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| is_numbered(path, log))
        .collect();
    files.sort();
    Ok(files)
}

/// Whether it is a file of that log: `relay.000012`.
pub(crate) fn is_numbered(path: &Path, log: &str) -> bool {
    let is_of_log = path.file_stem().is_some_and(|stem| stem == log);
    let number = path.extension().and_then(|extension| extension.to_str());
    is_of_log && number.is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

pub(crate) fn own(assignment: &Assignment) -> Result<&Member, Failure> {
    assignment
        .group
        .member(&assignment.node)
        .ok_or_else(|| Failure::permanent("this node is no member of its own cluster"))
}

/// The term that this node is to be primary of.
pub(crate) fn term(assignment: &Assignment) -> Result<Term, Failure> {
    match assignment.target {
        Target::Primary { term, .. } => Ok(term),
        _ => Err(Failure::transient("this node is not to be primary any more")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_a_log_are_numbered() {
        assert!(is_numbered(Path::new("/data/db/log/relay.000012"), "relay"));
        for other in ["relay.index", "relay", "binlog.000001", "relay.000001.idx"] {
            assert!(!is_numbered(Path::new(other), "relay"), "{other}");
        }
    }
}
