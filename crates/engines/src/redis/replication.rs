//! Starts, copies, followers, promotions and handovers.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bellwether_contracts::Failure;
use bellwether_model::node::CopyOrder;
use bellwether_model::replication::Position;
use bellwether_model::{Target, Term};
use bellwether_protocol::Assignment;
use bellwether_protocol::assignment::Member;
use rustix::process::{Pid, Signal, kill_process};

use super::config::{PING_SECONDS, memory_for_data};
use super::place::{COPIED, Place, note_place, place};
use super::probe::{NOBODY, is_whole};
use super::resp::info;
use super::{Handed, Redis, conf, data, former_data, new_data, socket};
use crate::files::{DATA, at, remove, remove_file};

/// The engine reads its data before it answers.
const START_MAX: Duration = Duration::from_secs(600);

/// An orderly stop takes at most so long; the engine waits 10 s of them for its replicas.
const STOP_MAX: Duration = Duration::from_secs(25);

/// A copy of everything.
const COPY_MAX: Duration = Duration::from_secs(3600);

/// Writes wait at most so long for what comes after a handover.
const PAUSE_MS: &str = "60000";

/// No ping moves the end of the stream while a handover is under way.
const NO_PING_SECONDS: &str = "86400";

impl Redis {
    /// The engine's process, if it lives; its children write the data down.
    pub(super) fn main_process(&self) -> Option<Pid> {
        let all = self.processes.all();
        all.iter().copied().find(|pid| {
            parent(*pid)
                .is_none_or(|parent| !all.iter().any(|p| p.as_raw_nonzero().get() == parent))
        })
    }

    pub(super) async fn until_ended(&self) {
        if let Some(pid) = self.main_process() {
            self.processes.until_ended(pid).await;
        }
    }

    /// Starts the engine as a replica of nobody over that directory, and waits until it has read
    /// its data.
    pub(super) async fn start(&self, directory: &Path) -> Result<(), Failure> {
        if self.main_process().is_none() {
            self.kill_everything().await?;
            remove_file(&socket().join("engine.sock"))?;
            crate::room::release_reserve();
            self.forget_seen();
            self.settings.forget();
            *self.lets_in.lock().expect("nothing panics while it is held") = None;
            self.write_first_words()?;
            self.is_refusing.store(self.is_sharded(), Ordering::Relaxed);
            let mut command = self.processes.command(self.kind.server());
            command.arg(conf().join("engine.conf")).arg("--dir").arg(directory);
            self.processes.start(&mut command)?;
        }
        self.until_answers().await
    }

    async fn until_answers(&self) -> Result<(), Failure> {
        let end = Instant::now() + START_MAX;
        while Instant::now() < end {
            tokio::time::sleep(Duration::from_millis(10)).await;
            if self.link.run(&["PING"]).await.is_ok() && self.has_its_role().await {
                return Ok(());
            }
            if self.main_process().is_none() {
                return Err(self.processes.ended_saying("the engine ended while it started"));
            }
        }
        Err(Failure::transient("the engine does not come to answer"))
    }

    /// In a shard the engine knows only a moment after its start that it is a replica.
    async fn has_its_role(&self) -> bool {
        if !self.is_sharded() {
            return true;
        }
        let said = self.link.info().await;
        said.is_ok_and(|said| info(&said, "role") == Some("slave"))
    }

    pub(super) async fn kill_everything(&self) -> Result<(), Failure> {
        self.link.forget().await;
        self.set_handed(Handed::No);
        self.processes.kill_all().await
    }

    /// Follows that member, or nobody; ends with nobody's word coming in.
    pub(super) async fn repoint(
        &self,
        assignment: &Assignment,
        upstream: Option<&Member>,
    ) -> Result<(), Failure> {
        self.abandon_move().await?;
        let was_primary = super::place::was_primary();
        if let (true, Some(upstream)) = (was_primary, upstream)
            && !self.is_history_of(assignment, upstream).await?
        {
            // What only this node holds is kept before it is overwritten.
            self.stop_clean().await?;
            return Err(Failure::transient("its data is no part of the other's; it is looked at"));
        }
        self.set_upstream(assignment, upstream).await?;
        self.set_primary(false)?;
        self.resume_writes().await
    }

    async fn set_upstream(
        &self,
        assignment: &Assignment,
        upstream: Option<&Member>,
    ) -> Result<(), Failure> {
        match (upstream, &assignment.sharding) {
            (Some(upstream), Some(_)) => return self.replicate(upstream).await,
            (None, Some(_)) => return self.cut().await,
            (_, None) => {}
        }
        let port = assignment.engine.ports.private.to_string();
        let (host, port) = match upstream {
            Some(upstream) => (upstream.address.as_str(), port.as_str()),
            None => NOBODY,
        };
        self.link.run(&["REPLICAOF", host, port]).await.map(|_| ())
    }

    /// Follows nobody, and accepts writes.
    async fn follow_no_more(&self, assignment: &Assignment, term: Term) -> Result<(), Failure> {
        match &assignment.sharding {
            Some(sharding) => self.take_over(assignment, sharding, term).await,
            None => self.link.run(&["REPLICAOF", "NO", "ONE"]).await.map(|_| ()),
        }
    }

    /// Makes a running engine the primary that is assigned; returns once it accepts writes.
    pub(super) async fn lead(&self, assignment: &Assignment) -> Result<(), Failure> {
        self.note_members(assignment);
        let term = primary_term(&assignment.target)
            .ok_or_else(|| Failure::transient("it shall not be primary any more"))?;
        self.become_primary(assignment, term).await
    }

    async fn become_primary(&self, assignment: &Assignment, term: Term) -> Result<(), Failure> {
        self.abandon_move().await?;
        let known = place().map_or(0, |place| place.term);
        let told = self.term_of_data().await?;
        if !is_whole(&self.link.info().await?, told, known) {
            self.kill_everything().await?;
            let told = told.unwrap_or_default();
            return Err(Failure::permanent(format!(
                "the data here is of term {told}, and was of term {known}: it is not what was here"
            )));
        }
        self.set_primary(true)?;
        self.is_promoting.store(true, Ordering::Relaxed);
        let memory = memory_for_data(assignment.engine.size.memory);
        let told = match self.follow_no_more(assignment, term).await {
            Ok(()) => self.tell_term(term, memory).await,
            Err(failure) => Err(failure),
        };
        self.is_promoting.store(false, Ordering::Relaxed);
        told?;
        self.resume_writes().await
    }

    /// A primary that goes on under a later term lets its data tell that one.
    pub(super) async fn adopt_term(
        &self,
        assignment: &Assignment,
        term: Term,
    ) -> Result<(), Failure> {
        let said = self.link.info().await?;
        if info(&said, "role") != Some("master") || self.term_of_data().await? >= Some(term) {
            return Ok(());
        }
        self.tell_term(term, memory_for_data(assignment.engine.size.memory)).await
    }

    /// Refuses writes for good: where the stream ends.
    pub(super) async fn give_up(&self, term: Term) -> Result<Position, Failure> {
        self.abandon_move().await?;
        let paused = async {
            let ping = ["CONFIG", "SET", "repl-ping-replica-period", NO_PING_SECONDS];
            self.link.run(&ping).await?;
            self.link.run(&["CLIENT", "PAUSE", PAUSE_MS, "WRITE"]).await?;
            let said = self.link.info().await?;
            let offset = info(&said, "master_repl_offset").and_then(|text| text.parse().ok());
            let timeline = self.term_of_data().await?;
            match (info(&said, "role"), offset, timeline) {
                (Some("master"), Some(offset), Some(timeline)) => Ok(Position { timeline, offset }),
                _ => Err(Failure::transient("the engine does not say where its data ends")),
            }
        };
        match paused.await {
            Ok(position) => {
                self.set_handed(Handed::Over(term));
                Ok(position)
            }
            Err(failure) => {
                self.resume_writes().await?;
                Err(failure)
            }
        }
    }

    pub(super) async fn resume_writes(&self) -> Result<(), Failure> {
        self.link.run(&["CLIENT", "UNPAUSE"]).await?;
        let ping = ["CONFIG", "SET", "repl-ping-replica-period", PING_SECONDS];
        self.link.run(&ping).await?;
        self.set_handed(Handed::No);
        Ok(())
    }

    /// Stops in an orderly way, so that replicas that listen hold everything; where the stream
    /// ends.
    pub(super) async fn stop_clean(&self) -> Result<Option<Position>, Failure> {
        let Some(pid) = self.main_process() else { return Ok(None) };
        // An engine that stops takes no writes to anything.
        let _ = self.abandon_move().await;
        // Nothing is written between the look and the end.
        let _ = self.link.run(&["CLIENT", "PAUSE", PAUSE_MS, "WRITE"]).await;
        let last = self.look().await.position;
        self.link.forget().await;
        let _ = kill_process(pid, Signal::TERM);
        let is_clean = tokio::time::timeout(STOP_MAX, self.until_ended()).await.is_ok();
        self.kill_everything().await?;
        if !is_clean {
            return Ok(None);
        }
        if let Some(place) = place() {
            let end = Place { is_end: true, ..place };
            note_place(&end).map_err(|e| at(data(), &e))?;
        }
        Ok(last)
    }

    /// Copies everything from that member into a new directory, by following it; the engine goes on
    /// as its replica.
    pub(super) async fn copy_from(
        &self,
        assignment: &Assignment,
        upstream: &Member,
        progress: &(dyn Fn(u64, u64) + Send + Sync),
    ) -> Result<(), Failure> {
        let order = assignment.copy.as_ref();
        remove(new_data())?;
        if order.is_some_and(|order| order.erase_first) && data().exists() {
            // Worth less than the room that the copy needs, but only while there is what to copy.
            self.ask(assignment, upstream, &["PING"]).await?;
            remove(data())?;
        }
        let user = self.kind.user();
        user.own_directory(Path::new(DATA))?;
        user.own_directory(new_data())?;
        let copying = Copying::begin(&self.is_copying);
        let copied = self.copy(assignment, upstream, progress).await;
        if let Err(failure) = copied {
            self.kill_everything().await?;
            remove(new_data())?;
            return Err(failure);
        }
        if let Some(order) = order {
            user.write_durably(&new_data().join(COPIED), &order.token)?;
        }
        put_in_place(order)?;
        drop(copying);
        self.forget_seen();
        Ok(())
    }

    async fn copy(
        &self,
        assignment: &Assignment,
        upstream: &Member,
        progress: &(dyn Fn(u64, u64) + Send + Sync),
    ) -> Result<(), Failure> {
        self.start(new_data()).await?;
        self.set_upstream(assignment, Some(upstream)).await?;
        self.until_copied(progress).await
    }

    async fn until_copied(
        &self,
        progress: &(dyn Fn(u64, u64) + Send + Sync),
    ) -> Result<(), Failure> {
        let end = Instant::now() + COPY_MAX;
        while Instant::now() < end {
            tokio::time::sleep(Duration::from_millis(50)).await;
            if self.main_process().is_none() {
                return Err(self.processes.ended_saying("the engine ended while it copied"));
            }
            let Ok(said) = self.link.info().await else { continue };
            let number = |name: &str| info(&said, name).and_then(|text| text.parse::<u64>().ok());
            if let (Some(done), Some(all)) =
                (number("master_sync_read_bytes"), number("master_sync_total_bytes"))
            {
                progress(done, all.max(done));
            }
            let is_linked = info(&said, "master_link_status") == Some("up");
            // The file that survives a stop is written once everything has come.
            let is_written = info(&said, "aof_rewrite_in_progress") == Some("0")
                && info(&said, "aof_rewrite_scheduled") == Some("0");
            if is_linked && is_written {
                return Ok(());
            }
        }
        Err(Failure::transient("the copy does not come to an end"))
    }

    /// Whether the engine's data, up to its end, is part of that member's.
    async fn is_history_of(
        &self,
        assignment: &Assignment,
        upstream: &Member,
    ) -> Result<bool, Failure> {
        let said = self.link.info().await?;
        let own = Place {
            stream: info(&said, "master_replid").unwrap_or_default().to_owned(),
            offset: info(&said, "master_repl_offset").and_then(|o| o.parse().ok()).unwrap_or(0),
            ..Place::default()
        };
        let theirs = self.ask(assignment, upstream, &["INFO", "replication"]).await?;
        Ok(fork(&theirs, &own.stream).is_some_and(|fork| own.offset <= fork))
    }

    /// Asks another member's engine; what it says.
    pub(super) async fn ask(
        &self,
        assignment: &Assignment,
        member: &Member,
        words: &[&str],
    ) -> Result<String, Failure> {
        let password = &assignment.secrets.rewind_password;
        let mut command = self.processes.command(self.kind.client());
        command
            .env("REDISCLI_AUTH", password)
            .args(["-h", &member.address, "-p", &assignment.engine.ports.private.to_string()])
            .args(["--tls", "--cacert"])
            .arg(conf().join("ca.pem"))
            .args(["--user", super::AGENT_USER, "--no-auth-warning", "-e"])
            .args(words);
        let asking = self.processes.run(&mut command, "the other engine");
        match tokio::time::timeout(Duration::from_secs(3), asking).await {
            Ok(answer) => answer,
            Err(_) => Err(Failure::transient("the other engine does not answer")),
        }
    }
}

/// As long as it is there, the engine works in the directory of a copy.
pub(super) struct Copying<'a>(&'a AtomicBool);

impl<'a> Copying<'a> {
    pub(super) fn begin(flag: &'a AtomicBool) -> Self {
        flag.store(true, Ordering::Relaxed);
        Self(flag)
    }
}

impl Drop for Copying<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// Where that stream ends within what an engine holds that says this of itself; none when it is no
/// part of it.
pub(super) fn fork(said: &str, stream: &str) -> Option<u64> {
    let number = |name: &str| info(said, name).and_then(|text| text.parse::<u64>().ok());
    if info(said, "master_replid") == Some(stream) {
        return number("master_repl_offset");
    }
    let is_former = info(said, "master_replid2") == Some(stream);
    number("second_repl_offset").filter(|_| is_former).map(|next| next.saturating_sub(1))
}

/// The term of a target that has one for a primary.
pub(super) fn primary_term(target: &Target) -> Option<Term> {
    match target {
        Target::Primary { term, .. } => Some(*term),
        _ => None,
    }
}

fn parent(pid: Pid) -> Option<i32> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    stat.rsplit(") ").next()?.split(' ').nth(1)?.parse().ok()
}

/// Puts the complete copy in the place of the old data, which goes only now, or is kept aside while
/// an order stands. The engine works in the directory, whatever it is called.
fn put_in_place(order: Option<&CopyOrder>) -> Result<(), Failure> {
    let keeps =
        order.is_some_and(|order| !order.erase_first) && data().exists() && !former_data().exists();
    if keeps {
        std::fs::rename(data(), former_data()).map_err(|e| at(former_data(), &e))?;
    } else {
        remove(data())?;
    }
    std::fs::rename(new_data(), data()).map_err(|e| at(data(), &e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_histories_part_is_what_the_other_says() {
        let said = "master_replid:b\r\nmaster_replid2:a\r\nmaster_repl_offset:90\r\n\
                    second_repl_offset:51\r\n";
        assert_eq!((fork(said, "a"), fork(said, "b"), fork(said, "c")), (Some(50), Some(90), None));
    }
}
