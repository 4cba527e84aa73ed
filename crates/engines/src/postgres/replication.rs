//! Copies, followers, and who has to confirm a commit.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use bellwether_contracts::Failure;
use bellwether_contracts::driver::Probe;
use bellwether_model::Target;
use bellwether_model::node::CopyOrder;
use bellwether_model::replication::Position;
use bellwether_protocol::Assignment;
use bellwether_protocol::assignment::Member;
use tokio::io::{AsyncBufReadExt as _, BufReader};

use super::config::{conninfo, synchronous_names};
use super::{
    COPIED, OS_USER, Postgres, REPLICATION_USER, data, former_data, log_directory, new_data,
    rewinding, slot, timelines,
};
use crate::files::{DATA, at, remove, remove_file};
use crate::process::NO_ROOM;

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
        let order = assignment.copy.as_ref();
        if order.is_some_and(is_complete) {
            return put_in_place(order);
        }
        remove(new_data())?;
        if rewinding().exists() {
            // Worth nothing.
            remove(data())?;
        }
        if order.is_some_and(|order| order.erase_first) && data().exists() {
            // Worth less than the room that the copy needs, but only while there is what to copy:
            // the order may have come late.
            self.ask_source(assignment, upstream).await?;
            remove(data())?;
        }
        OS_USER.own_directory(Path::new(DATA))?;
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
            if said.contains(NO_ROOM) {
                // Every attempt copies as much as there is room for.
                return Err(Failure::permanent(
                    "the node's disk is full: it is too small for a copy of the data",
                ));
            }
            return Err(Failure::transient(format!("the copy failed: {}", said.trim())));
        }
        let mut verify = self.command("pg_verifybackup");
        // The log that was streamed along is not in the manifest and is read at the start.
        verify.args(["-q", "-n"]).arg(new_data());
        self.run(&mut verify, "the copy is not what was sent").await?;
        write_signal(new_data())?;
        match order {
            Some(order) => OS_USER.write_durably(&new_data().join(COPIED), &order.token)?,
            // Whoever it was copied from may have been a copy itself.
            None => remove_file(&new_data().join(COPIED))?,
        }
        put_in_place(order)
    }

    /// Fails when the engine that is to be copied from does not answer.
    async fn ask_source(&self, assignment: &Assignment, upstream: &Member) -> Result<(), Failure> {
        let from = conninfo(assignment, upstream, REPLICATION_USER);
        let mut ask = self.command("psql");
        ask.args(["-X", "-q", "-A", "-t", "-c", "IDENTIFY_SYSTEM", "-d"])
            .arg(format!("{from} replication=true"));
        let what = "nothing is removed, for the source of the copy does not answer";
        self.run(&mut ask, what).await.map(|_| ())
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

    /// Where the log ended that it took over, as far as that is known.
    pub(super) async fn become_primary(
        &self,
        assignment: &Assignment,
    ) -> Result<Option<Position>, Failure> {
        self.note_members(assignment);
        let mut seen = Probe::default();
        self.ask(&mut seen).await;
        if let (Some(true), Some(position), Target::Primary { term, .. }) =
            (seen.in_recovery, seen.position, &assignment.target)
        {
            timelines::reserve(&log_directory(), position.timeline, *term)?;
        }
        let promote = "SELECT CASE WHEN pg_is_in_recovery() THEN pg_promote(false) END";
        self.sql.execute(promote, Duration::from_secs(2)).await?;
        // While the engine is busy with that. No client is let in before this returns, so who has
        // to confirm is in force for the first commit. The reloading also wakes a replica that
        // began to wait for its upstream just when it was asked to be promoted.
        self.write_config(assignment)?;
        self.write_upstream(assignment, None)?;
        self.reload().await?;
        let question = "SELECT NOT pg_is_in_recovery(), CASE WHEN NOT pg_is_in_recovery() THEN \
                        substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8) END";
        for _ in 0..6_000 {
            let rows = self.sql.query(question).await.unwrap_or_default();
            if let Some(row) = rows.first().filter(|row| row.get(0)) {
                let directory = log_directory();
                timelines::forget(&directory)?;
                self.keep_slots(assignment, true).await?;
                return Ok(timelines::beginning(&directory, row.get(1)));
            }
            if self.postmaster().is_none() {
                return Err(Failure::transient("the engine ended during its promotion"));
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Err(Failure::transient("the promotion does not end"))
    }

    /// One slot for each other member where they are wanted, none for those who are none any more.
    pub(super) async fn keep_slots(
        &self,
        assignment: &Assignment,
        are_wanted: bool,
    ) -> Result<(), Failure> {
        let members = assignment.group.members.iter().filter(|_| are_wanted);
        let others = members.filter(|member| member.node != assignment.node);
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
        if !joint.confirms() {
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

    /// What `pg_controldata` prints.
    pub(super) async fn control(&self) -> Result<Control, Failure> {
        let mut command = self.command("pg_controldata");
        command.arg(data());
        self.run(&mut command, "pg_controldata").await.map(Control)
    }
}

/// The line of the control file that says how the engine ended.
pub(super) const STATE: &str = "Database cluster state";

/// The control file, in the words of `pg_controldata`.
pub(super) struct Control(String);

impl Control {
    /// The value in the line of that name; empty when there is none.
    pub(super) fn line(&self, name: &str) -> &str {
        let mut lines = self.0.lines();
        let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        value.unwrap_or_default().trim()
    }
}

fn own(assignment: &Assignment) -> Result<&Member, Failure> {
    assignment
        .group
        .member(&assignment.node)
        .ok_or_else(|| Failure::permanent("this node is no member of its own cluster"))
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
    OS_USER.write_durably(&directory.join("standby.signal"), "")
}

/// Whether a complete copy under this order waits to be put in place.
fn is_complete(order: &CopyOrder) -> bool {
    std::fs::read_to_string(new_data().join(COPIED)).is_ok_and(|token| token == order.token)
}

/// Puts the complete copy in the place of the old data. That goes only now, or is kept aside while
/// an order stands; of several the first, which is the one that once followed.
fn put_in_place(order: Option<&CopyOrder>) -> Result<(), Failure> {
    let keeps = order.is_some_and(|order| !order.erase_first)
        && data().exists()
        && !former_data().exists()
        && !rewinding().exists();
    if keeps {
        std::fs::rename(data(), former_data()).map_err(|e| at(former_data(), &e))?;
    } else {
        remove(data())?;
    }
    std::fs::rename(new_data(), data()).map_err(|e| at(data(), &e))?;
    remove_file(rewinding())
}
