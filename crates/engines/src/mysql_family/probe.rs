//! Looking at the engine: its process, its data, and what it says itself.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bellwether_contracts::driver::{Probe, ProcessState};
use bellwether_model::replication::Position;
use bellwether_protocol::local::EngineFigures;
use rustix::process::Pid;

use super::clients::are_clients;
use super::node::Node;
use super::place::{Mark, data_state, former_root, handed_over};
use super::session::{number, text};
use super::words::Replication;
use crate::room::release_reserve;

/// Facts that change slowly are asked for so often.
const SLOW_EVERY: Duration = Duration::from_secs(10);

/// Before a replica that was not let in tries again.
const KNOCK_EVERY: Duration = Duration::from_millis(500);

/// In which the kernel tells times of processes, on every machine.
const TICKS_PER_SECOND: u64 = 100;

#[derive(Default)]
pub(crate) struct Cache {
    slow: Option<(Instant, Option<u64>)>,
    last_position: Option<Position>,
    /// When it was last tried to be let in again.
    knocked: Option<Instant>,
    /// What was heard of the upstream when it last changed.
    heard: Option<(Instant, String)>,
}

impl Node {
    pub(crate) async fn probe(&self) -> Probe {
        let mut probe = self.probe_process();
        if probe.process == ProcessState::Down {
            probe.position = self.last_position();
            return probe;
        }
        if Mark::Restored.is_set() {
            // Its users are not yet those of the cluster that it is now.
            return probe;
        }
        let mut seen = probe.clone();
        if !self.ask(&mut seen).await {
            return probe;
        }
        self.add_slow(&mut seen).await;
        seen.settings = self.look_at_settings().await;
        self.cache.lock().expect("nothing panics while it is held").last_position = seen.position;
        seen
    }

    /// What is known without the engine's answer.
    pub(crate) fn probe_process(&self) -> Probe {
        let process = match self.server() {
            None => ProcessState::Down,
            Some(_) => ProcessState::Starting,
        };
        if process == ProcessState::Down {
            release_reserve();
            self.peers.forget();
        }
        Probe {
            process,
            data: data_state(),
            copied: Mark::Copied.read(),
            keeps_former: former_root().exists(),
            aside: Mark::Brought.read_in(former_root()),
            replaced: Mark::Brought.read(),
            diverged: self.diverged(),
            ..Probe::default()
        }
    }

    /// Other data begins: what was seen of the one before is no news of it.
    pub(super) fn forget_seen(&self) {
        *self.cache.lock().expect("nothing panics while it is held") = Cache::default();
    }

    /// How far the log was when the engine last said so.
    pub(crate) fn last_position(&self) -> Option<Position> {
        self.cache.lock().expect("nothing panics while it is held").last_position
    }

    /// Adds what any engine says of itself, and whether it is read-only; none: it did not answer.
    pub(crate) async fn ask_figures(&self, probe: &mut Probe) -> Option<bool> {
        let question = format!(
            "SELECT @@global.read_only AS read_only, VERSION() AS version, \
             (SELECT COUNT(*) FROM information_schema.PROCESSLIST p WHERE {}) AS connections",
            are_clients()
        );
        let rows = self.look.query(&question).await.ok()?;
        let row = rows.first()?;
        probe.process = ProcessState::Up;
        probe.figures = EngineFigures {
            version: text(row, "version").map(|version| short_version(&version)),
            uptime_seconds: self.server().and_then(uptime),
            connections: number(row, "connections").map(|n| n as u32),
            ..EngineFigures::default()
        };
        Some(number(row, "read_only") != Some(0))
    }

    /// Adds what the engine says of itself; whether it answered.
    async fn ask(&self, probe: &mut Probe) -> bool {
        let Ok(replica) = self.look.query(self.words.replica_status).await else { return false };
        let Ok(logged) = self.look.query(self.words.logged).await else { return false };
        let Some(logged) = logged.first().map(self.words.place) else { return false };
        let Some(is_read_only) = self.ask_figures(probe).await else { return false };
        if Mark::Replica.is_set() {
            let replication = self.words.replication(replica.first());
            let beats = self.heartbeats().await;
            self.read_replica(probe, &replication, beats, logged);
            self.knock_again(&replication).await;
        } else {
            probe.handed_over = is_read_only && handed_over().is_some();
            let is_opening = is_read_only && self.is_opening.load(Ordering::Relaxed);
            probe.in_recovery = (!is_opening).then_some(false);
            probe.position = Some(logged);
            probe.is_end_known = true;
            probe.followers = self.peers.followers(logged.timeline);
            if !is_opening && !probe.handed_over {
                probe.figures.refuses_data = self.watch_room().await;
            }
        }
        true
    }

    /// How many heartbeats came, where the row of the replica does not say.
    async fn heartbeats(&self) -> u64 {
        let Some(question) = self.words.heartbeats else { return 0 };
        let rows = self.look.query(question).await.unwrap_or_default();
        rows.first().and_then(|row| number(row, "beats")).unwrap_or_default()
    }

    fn read_replica(
        &self,
        probe: &mut Probe,
        replication: &Replication,
        beats: u64,
        applied: Position,
    ) {
        let is_following = !replication.host.is_empty();
        let received = replication.received;
        probe.in_recovery = Some(true);
        probe.applied = Some(applied);
        probe.position = Some(if is_following && received.offset > applied.offset {
            Position { timeline: received.timeline.max(applied.timeline), ..received }
        } else {
            applied
        });
        probe.upstream = self.member_at(&replication.host);
        probe.streaming = replication.is_receiving && replication.is_applying;
        // The engine's own sentence quotes what is in the tables.
        probe.figures.fault = replication
            .applying_error
            .as_ref()
            .filter(|_| !replication.is_applying)
            .map(|number| format!("a change cannot be applied (error {number} of the engine)"));
        if probe.streaming {
            // What it sends is all that it lacks.
            let _ = Mark::Unapplied.clear();
        }
        // Who follows nobody has applied all that it received.
        probe.is_end_known = probe.streaming || (!is_following && !Mark::Unapplied.is_set());
        probe.upstream_age_ms = replication
            .is_receiving
            .then(|| self.heard_ago(format!("{} {} {beats}", replication.host, replication.heard)));
    }

    /// A replica that was not let in tries again: the engine would not by itself.
    async fn knock_again(&self, replication: &Replication) {
        let is_due = {
            let mut cache = self.cache.lock().expect("nothing panics while it is held");
            let is_due = cache.knocked.is_none_or(|at| at.elapsed() > KNOCK_EVERY);
            let is_out = replication.is_refused && !replication.is_receiving;
            if is_due && is_out {
                cache.knocked = Some(Instant::now());
            }
            is_due && is_out
        };
        if is_due {
            let _ = self.look.query(self.words.start_receiving).await;
        }
    }

    /// Milliseconds since what is heard of the upstream last changed.
    fn heard_ago(&self, heard: String) -> u64 {
        let mut cache = self.cache.lock().expect("nothing panics while it is held");
        match &cache.heard {
            Some((at, known)) if *known == heard => {
                u64::try_from(at.elapsed().as_millis()).unwrap_or(u64::MAX)
            }
            _ => {
                cache.heard = Some((Instant::now(), heard));
                0
            }
        }
    }

    pub(crate) async fn add_slow(&self, probe: &mut Probe) {
        let known = {
            let cache = self.cache.lock().expect("nothing panics while it is held");
            cache.slow.filter(|(at, _)| at.elapsed() < SLOW_EVERY)
        };
        let bytes = match known {
            Some((_, bytes)) => bytes,
            None => {
                let rows = self.look.query(self.words.bytes).await.unwrap_or_default();
                let bytes = rows.first().and_then(|row| number(row, "bytes"));
                let mut cache = self.cache.lock().expect("nothing panics while it is held");
                cache.slow = Some((Instant::now(), bytes));
                bytes
            }
        };
        probe.figures.data_bytes = bytes;
    }
}

/// Seconds since a process was started.
fn uptime(pid: Pid) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    // The name in parentheses may hold anything; the state, which is the third field, follows it.
    let ticks: u64 = stat.rsplit(") ").next()?.split(' ').nth(19)?.parse().ok()?;
    let now = std::fs::read_to_string("/proc/uptime").ok()?;
    let now: f64 = now.split(' ').next()?.parse().ok()?;
    (now as u64).checked_sub(ticks / TICKS_PER_SECOND)
}

/// `11.8.6-MariaDB-0+deb13u1` is `11.8.6`.
fn short_version(text: &str) -> String {
    text.split('-').next().unwrap_or_default().to_owned()
}
