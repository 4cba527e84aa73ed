//! Copies, followers, rewinding, and who has to confirm a commit.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use bellwether_contracts::Failure;
use bellwether_contracts::driver::Repair;
use bellwether_model::Target;
use bellwether_protocol::Assignment;
use bellwether_protocol::assignment::Member;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tracing::{info, warn};

use super::config::{at, conninfo, synchronous_names};
use super::{
    Postgres, REPLICATION_USER, REWIND_USER, conf, data, log_directory, new_data, process, slot,
    timelines,
};

/// Log of a diverged node that is set aside before it is rewound: the newest segments.
const DIVERGED_SEGMENTS: usize = 8;

/// Where it is set aside.
const DIVERGED: &str = "/data/diverged";

/// Starting a former primary to end its crash recovery.
const RECOVERY_MAX: Duration = Duration::from_secs(600);

/// When a configuration's settings became active.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    version: u64,
    names: String,
    /// The position every voter has to pass.
    offset: u64,
}

impl Postgres {
    /// Copies the data into a new directory, verifies it, and puts it in the place of the old.
    pub(super) async fn copy_from(
        &self,
        assignment: &Assignment,
        upstream: &Member,
        progress: &(dyn Fn(u64, u64) + Send + Sync),
    ) -> Result<(), Failure> {
        let own = own(assignment)?;
        remove(new_data())?;
        process::own_directory(Path::new("/data"))?;
        let mut command = self.command("pg_basebackup");
        command
            .env("PGOPTIONS", "-c wal_sender_timeout=0")
            .arg("-d")
            .arg(conninfo(assignment, upstream, REPLICATION_USER))
            .arg("-D")
            .arg(new_data())
            .args(["-X", "stream", "-c", "fast", "-P", "-S", &slot(own)])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command
            .spawn()
            .map_err(|error| Failure::permanent(format!("pg_basebackup: {error}")))?;
        let said = match child.stderr.take() {
            Some(errors) => follow_progress(BufReader::new(errors), progress).await,
            None => String::new(),
        };
        let status = child.wait().await;
        if !status.is_ok_and(|status| status.success()) {
            remove(new_data())?;
            if said.contains("No space left on device") {
                return Err(Failure::needs_person("the node's disk is too small for the data"));
            }
            return Err(Failure::transient(format!("the copy failed: {}", said.trim())));
        }
        let mut verify = self.command("pg_verifybackup");
        // The log that was streamed along is not in the manifest and is read at the start.
        verify.args(["-q", "-n"]).arg(new_data());
        self.run(&mut verify, "the copy is not what was sent").await?;
        write_signal(new_data())?;
        // The old data goes only now that the new is complete.
        remove(data())?;
        std::fs::rename(new_data(), data()).map_err(|e| at(data(), &e))
    }

    /// Writes on whom to follow and lets the running engine know.
    pub(super) async fn repoint(
        &self,
        assignment: &Assignment,
        upstream: Option<&Member>,
    ) -> Result<(), Failure> {
        self.note_members(assignment);
        self.write_config(assignment)?;
        timelines::forget(&log_directory())?;
        self.write_upstream(assignment, upstream)?;
        self.reload().await?;
        if upstream.is_none() {
            self.until_cut().await?;
        }
        Ok(())
    }

    /// Waits until nothing is received any more.
    async fn until_cut(&self) -> Result<(), Failure> {
        for _ in 0..400 {
            let rows = self.sql.query("SELECT 1 FROM pg_stat_wal_receiver").await?;
            if rows.is_empty() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Err(Failure::transient("the engine goes on receiving"))
    }

    pub(super) async fn reload(&self) -> Result<(), Failure> {
        self.sql.execute("SELECT pg_reload_conf()", Duration::from_secs(2)).await
    }

    pub(super) async fn become_primary(&self, assignment: &Assignment) -> Result<(), Failure> {
        self.note_members(assignment);
        // Ignored in recovery, in force from the first commit on.
        self.write_config(assignment)?;
        self.write_upstream(assignment, None)?;
        let seen = self.look().await;
        if let (Some(true), Some(position), Target::Primary { term, .. }) =
            (seen.in_recovery, seen.position, &assignment.target)
        {
            timelines::reserve(&log_directory(), position.timeline, *term)?;
        }
        let second = Duration::from_secs(2);
        let promote = "SELECT pg_reload_conf(); \
                       SELECT CASE WHEN pg_is_in_recovery() THEN pg_promote(false) END";
        self.sql.execute(promote, second).await?;
        for _ in 0..6_000 {
            let rows = self.sql.query("SELECT NOT pg_is_in_recovery()").await;
            if rows.is_ok_and(|rows| rows.first().is_some_and(|row| row.get(0))) {
                timelines::forget(&log_directory())?;
                self.keep_slots(assignment).await?;
                return Ok(());
            }
            if self.postmaster().is_none() {
                return Err(Failure::transient("the engine ended during its promotion"));
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Err(Failure::transient("the promotion does not end"))
    }

    /// One slot for each other member, none for those who are none any more.
    pub(super) async fn keep_slots(&self, assignment: &Assignment) -> Result<(), Failure> {
        let others = assignment.group.members.iter().filter(|m| m.node != assignment.node);
        let wanted: Vec<String> = others.map(slot).collect();
        let rows = self
            .sql
            .query(
                "SELECT slot_name::text, active, wal_status = 'lost' FROM pg_replication_slots \
                 WHERE slot_type = 'physical' AND slot_name LIKE 'bw\\_%'",
            )
            .await?;
        let mut statements = String::new();
        let mut known = Vec::new();
        for row in &rows {
            let (name, active): (String, bool) = (row.get(0), row.get(1));
            let is_lost = row.get::<_, Option<bool>>(2).unwrap_or(false);
            if !active && (is_lost || !wanted.contains(&name)) {
                statements += &format!("SELECT pg_drop_replication_slot('{name}'); ");
            } else {
                known.push(name);
            }
        }
        for name in wanted.iter().filter(|name| !known.contains(name)) {
            statements += &format!("SELECT pg_create_physical_replication_slot('{name}', true); ");
        }
        if statements.is_empty() {
            return Ok(());
        }
        self.sql.execute(&statements, Duration::from_secs(2)).await
    }

    /// Whether the settings of the newest configuration are active, and every voter of it has
    /// passed the position at which they became so.
    pub(super) async fn is_armed(&self, assignment: &Assignment) -> Result<bool, Failure> {
        let joint = &assignment.group.config;
        let config = joint.next.as_ref().unwrap_or(&joint.current);
        let names = synchronous_names(assignment);
        let rows = self
            .sql
            .query(
                "SELECT current_setting('synchronous_standby_names'), \
                 (pg_current_wal_insert_lsn() - '0/0')::bigint",
            )
            .await?;
        let Some(row) = rows.first() else { return Ok(false) };
        if row.get::<_, String>(0) != names {
            return Ok(false);
        }
        if config.acks == 0 {
            return Ok(true);
        }
        let now = row.get::<_, i64>(1).max(0) as u64;
        let known = self.mark.lock().expect("nothing panics while it is held").clone();
        let mark = match known.filter(|m| m.version == config.version && m.names == names) {
            Some(mark) => mark,
            None => {
                // Something to confirm, should nobody write.
                let emit = "SELECT pg_logical_emit_message(false, 'bellwether', 'mark')";
                self.sql.execute(emit, Duration::from_secs(2)).await?;
                let fresh = Mark { version: config.version, names, offset: now };
                *self.mark.lock().expect("nothing panics while it is held") = Some(fresh.clone());
                fresh
            }
        };
        let followers = self.sql.query(
            "SELECT application_name, (flush_lsn - '0/0')::bigint FROM pg_stat_replication \
             WHERE flush_lsn IS NOT NULL",
        );
        let passed: Vec<_> = followers
            .await?
            .iter()
            .filter(|row| row.get::<_, i64>(1).max(0) as u64 >= mark.offset)
            .filter_map(|row| self.member_named(row.get(0)))
            .collect();
        Ok(config.voters.iter().all(|voter| passed.contains(voter)))
    }

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
        let state = self.control("Database cluster state").await?;
        let is_clean = state.starts_with("shut down");
        // Ending a replica's recovery would make a primary of it, with log of its own on a timeline
        // that is another's. It recovers when it is started as what it is.
        if !is_clean && data().join("standby.signal").exists() {
            return Ok(Repair::CatchUp);
        }
        if !is_clean {
            self.end_recovery().await?;
        }
        set_aside(assignment.group.term)?;
        let source = format!("{} dbname=postgres", conninfo(assignment, upstream, REWIND_USER));
        let mut command = self.command("pg_rewind");
        command
            .arg("-D")
            .arg(data())
            .arg(format!("--source-server={source}"))
            .arg(format!("--config-file={}/postgresql.conf", conf().display()))
            .arg("--no-ensure-shutdown");
        match tokio::time::timeout(RECOVERY_MAX, self.run(&mut command, "pg_rewind")).await {
            Ok(Ok(said)) => {
                write_signal(data())?;
                let has_diverged = !said.contains("no rewind required");
                if !has_diverged {
                    remove(&diverged(assignment.group.term))?;
                }
                info!("pg_rewind: {}", said.lines().last().unwrap_or_default());
                Ok(if has_diverged { Repair::Rewound } else { Repair::CatchUp })
            }
            Ok(Err(failure)) if is_about_the_source(&failure.text) => Err(failure),
            Ok(Err(failure)) => {
                // What a failed rewind leaves is neither the old nor the new.
                warn!("{failure}; a full copy is needed");
                Ok(Repair::NeedsCopy)
            }
            Err(_) => Ok(Repair::NeedsCopy),
        }
    }

    /// Ends the recovery after a crash without letting anybody in: the engine alone, for itself.
    async fn end_recovery(&self) -> Result<(), Failure> {
        self.kill_everything().await?;
        let _ = std::fs::remove_file(data().join("postmaster.pid"));
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
            .map(|_| ())
    }

    /// A line of `pg_controldata`.
    pub(super) async fn control(&self, name: &str) -> Result<String, Failure> {
        let mut command = self.command("pg_controldata");
        command.arg(data());
        let text = self.run(&mut command, "pg_controldata").await?;
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        Ok(value.unwrap_or_default().trim().to_owned())
    }
}

fn own(assignment: &Assignment) -> Result<&Member, Failure> {
    assignment
        .group
        .member(&assignment.node)
        .ok_or_else(|| Failure::permanent("this node is no member of its own cluster"))
}

/// The source cannot be reached, or has not written its new timeline yet: trying again helps, and
/// nothing was changed.
fn is_about_the_source(text: &str) -> bool {
    ["could not connect", "connection to server", "source server", "timeout expired"]
        .iter()
        .any(|words| text.contains(words))
}

/// Tells progress as `pg_basebackup` prints it: `12345/67890 kB (18%)`; the rest of what it says.
async fn follow_progress(
    mut errors: BufReader<tokio::process::ChildStderr>,
    progress: &(dyn Fn(u64, u64) + Send + Sync),
) -> String {
    let mut said = String::new();
    let mut line = Vec::new();
    // Its lines end with a carriage return, so that a terminal shows one.
    while errors.read_until(b'\r', &mut line).await.is_ok_and(|read| read > 0) {
        let text = String::from_utf8_lossy(&line).trim().to_owned();
        line.clear();
        let numbers = text.split_once(" kB").and_then(|(numbers, _)| numbers.split_once('/'));
        let parsed = numbers.and_then(|(done, all)| {
            Some((done.trim().parse::<u64>().ok()?, all.trim().parse::<u64>().ok()?))
        });
        match parsed {
            Some((done, all)) => progress(done << 10, all << 10),
            None => said.push_str(&text),
        }
    }
    said
}

pub(super) fn write_signal(directory: &Path) -> Result<(), Failure> {
    let path = directory.join("standby.signal");
    std::fs::write(&path, b"").map_err(|e| at(&path, &e))?;
    process::give_to_engine(&path)
}

pub(super) fn remove(path: &Path) -> Result<(), Failure> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(at(path, &error)),
        _ => Ok(()),
    }
}

fn diverged(term: u64) -> std::path::PathBuf {
    Path::new(DIVERGED).join(term.to_string())
}

/// Copies the newest log segments aside: what only this node holds can still be looked at.
fn set_aside(term: u64) -> Result<(), Failure> {
    let target = diverged(term);
    std::fs::create_dir_all(&target).map_err(|e| at(&target, &e))?;
    let from = data().join("pg_wal");
    let entries = std::fs::read_dir(&from).map_err(|e| at(&from, &e))?;
    let mut segments: Vec<_> = entries
        .filter_map(|entry| entry.ok())
        .filter(|entry| entry.file_name().len() == 24)
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry)))
        .collect();
    segments.sort_by_key(|(modified, _)| std::cmp::Reverse(*modified));
    for (_, segment) in segments.iter().take(DIVERGED_SEGMENTS) {
        let to = target.join(segment.file_name());
        if let Err(error) = std::fs::copy(segment.path(), &to) {
            // No room: the node's return is worth more than what only it holds is certain to be.
            warn!("diverged log could not be set aside: {error}");
            break;
        }
    }
    Ok(())
}
