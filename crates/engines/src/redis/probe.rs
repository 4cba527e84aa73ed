//! Looking at the engine: its process, its data, and what it says itself.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Instant;

use bellwether_contracts::driver::{Probe, ProcessState};
use bellwether_model::Term;
use bellwether_model::replication::Position;
use bellwether_protocol::local::{EngineFigures, Follower};
use tracing::warn;

use super::place::{self, Place};
use super::resp::info;
use super::{Handed, Redis, data, former_data};
use crate::room::{keep_reserve, release_reserve, room};

/// Nobody listens there: whom a replica of nobody follows.
pub(super) const NOBODY: (&str, &str) = ("127.0.0.1", "1");

/// What was seen before.
#[derive(Default)]
pub(super) struct Seen {
    place: Option<Place>,
    /// What has come from the upstream, and when it last became more.
    heard: Option<(u64, Instant)>,
}

/// Whether the data is what was here in that term: it tells so, or tells no term any more, for a
/// client has removed that, but is not empty.
pub(super) fn is_whole(said: &str, told: Option<Term>, known: Term) -> bool {
    let has_keys = said.lines().any(|line| line.starts_with("db") && line.contains(":keys="));
    told.map_or(known == 0 || has_keys, |told| told >= known)
}

impl Redis {
    pub(super) async fn look(&self) -> Probe {
        let is_running = self.main_process().is_some();
        let process = if is_running { ProcessState::Starting } else { ProcessState::Down };
        let mut probe = Probe {
            process,
            data: place::data_state(),
            copied: place::copied(),
            keeps_former: place::keeps_former(),
            aside: place::brought(former_data()),
            replaced: place::brought(data()),
            diverged: self.diverged.lock().expect("nothing panics while it is held").clone(),
            ..Probe::default()
        };
        if !is_running {
            release_reserve();
            probe.position = place::place().map(|place| place.position());
            return probe;
        }
        let Ok(said) = self.link.info().await else { return probe };
        match self.is_in_place().await {
            Some(true) => {}
            Some(false) if !self.is_copying.load(Ordering::Relaxed) => {
                // A copy that nobody waits for any more is worthless.
                let killed = self.kill_everything().await;
                killed.unwrap_or_else(|failure| warn!("the rest of a copy: {failure}"));
                return probe;
            }
            Some(false) | None => return probe,
        }
        let is_loading = info(&said, "loading") == Some("1");
        // One that is only being started says so as whatever it will be.
        if is_loading && info(&said, "master_host").is_none_or(|host| host == NOBODY.0) {
            return probe;
        }
        let Some((is_replica, follows)) = self.role(&said).await else { return probe };
        let place = if is_loading { None } else { self.place_now(&said, is_replica).await };
        self.read(&said, is_replica, is_loading, &mut probe);
        if !follows {
            probe.upstream = None;
        }
        probe.position = place.as_ref().map(Place::position);
        if is_replica {
            probe.applied = probe.position;
            probe.is_end_known = place.is_some();
        } else {
            probe.is_end_known = true;
            probe.followers = self.followers(&said, probe.position);
        }
        self.note(place);
        self.tend().await;
        probe.moving = self.move_report().filter(|_| !is_replica);
        probe.settings = self.look_at_settings().await;
        if let Some((free, size)) = room() {
            keep_reserve(free, size);
        }
        probe
    }

    /// Whether it is a replica, and whether it follows the one that it names. In a shard one that
    /// names nobody yet is told from a primary by what it says of itself.
    async fn role(&self, said: &str) -> Option<(bool, bool)> {
        let is_replica = info(said, "role") == Some("slave");
        if !self.is_sharded() {
            return Some((is_replica, true));
        }
        if is_replica {
            return Some((true, self.may_follow().await));
        }
        // The name it has for whom it follows comes a moment later.
        let own = self.own_peer().await.ok()?;
        (!own.is_replica).then_some((false, false))
    }

    fn read(&self, said: &str, is_replica: bool, is_loading: bool, probe: &mut Probe) {
        let number = |name: &str| info(said, name).and_then(|text| text.parse::<u64>().ok());
        probe.process = ProcessState::Up;
        let is_promoting = self.is_promoting.load(Ordering::Relaxed);
        probe.in_recovery = Some(is_replica).filter(|_| !is_promoting);
        let is_linked = info(said, "master_link_status") == Some("up") && !is_loading;
        let is_copying = info(said, "master_sync_in_progress") == Some("1");
        probe.streaming = is_replica && is_linked && !is_copying;
        let host = info(said, "master_host").filter(|_| is_replica);
        probe.upstream = host.and_then(|host| self.member_at(host));
        probe.upstream_age_ms = self.heard_ms_ago(number("slave_read_repl_offset"), is_linked);
        probe.handed_over = !is_replica && matches!(self.handed(), Handed::Over(_));
        // The agent's own, and those by which every member's endpoint measures.
        let measuring = self.members.lock().expect("nothing panics while it is held").len();
        let ours = if is_replica { 1 } else { 1 + measuring as u64 };
        probe.figures = EngineFigures {
            version: info(said, self.kind.version_name()).map(str::to_owned),
            uptime_seconds: number("uptime_in_seconds"),
            connections: number("connected_clients").map(|n| n.saturating_sub(ours) as u32),
            data_bytes: number("used_memory"),
            refuses_data: info(said, "aof_last_write_status") == Some("err"),
            refuses_writes: self.refusal().filter(|_| !is_replica),
            ..EngineFigures::default()
        };
    }

    /// Milliseconds since something came from the upstream, which says something every second.
    fn heard_ms_ago(&self, read: Option<u64>, is_linked: bool) -> Option<u64> {
        let mut seen = self.seen.lock().expect("nothing panics while it is held");
        let Some(read) = read.filter(|_| is_linked) else {
            seen.heard = None;
            return None;
        };
        let at = match seen.heard {
            Some((known, at)) if known == read => at,
            _ => Instant::now(),
        };
        seen.heard = Some((read, at));
        Some(at.elapsed().as_millis() as u64)
    }

    /// Where the data is in the stream that it belongs to. An engine that was started again and has
    /// not heard a primary since knows of none: then it is where it was.
    async fn place_now(&self, said: &str, is_replica: bool) -> Option<Place> {
        let stream = info(said, "master_replid")?.to_owned();
        let offset: u64 = info(said, "master_repl_offset")?.parse().ok()?;
        let term = self.term_of_data().await.ok()?;
        if is_replica && offset == 0 {
            // What does not tell the term that it had is not what was here.
            return place::place().filter(|place| is_whole(said, term, place.term));
        }
        let known = || self.known_place().map_or(0, |place| place.term);
        let is_promoting = self.is_promoting.load(Ordering::Relaxed);
        if !is_replica && term.is_none() && known() > 0 && !is_promoting {
            // A client has removed what tells it.
            let memory = info(said, "maxmemory").and_then(|text| text.parse().ok());
            let told = self.tell_term(known(), memory.unwrap_or_default()).await;
            told.unwrap_or_else(|failure| warn!("the term of the data: {failure}"));
        }
        let term = term.unwrap_or_else(known);
        let log_bytes = info(said, "aof_current_size").and_then(|text| text.parse().ok());
        let log_bytes = log_bytes.unwrap_or_default();
        Some(Place { stream, term, offset, log_bytes, is_end: false })
    }

    /// Whether the engine works in the data directory; none when it does not say.
    async fn is_in_place(&self) -> Option<bool> {
        let answer = self.link.run(&["CONFIG", "GET", "dir"]).await.ok()?;
        answer.after("dir").map(|directory| Path::new(directory) == data())
    }

    fn known_place(&self) -> Option<Place> {
        let seen = self.seen.lock().expect("nothing panics while it is held");
        seen.place.clone().or_else(place::place)
    }

    fn note(&self, place: Option<Place>) {
        let Some(place) = place else { return };
        {
            let mut seen = self.seen.lock().expect("nothing panics while it is held");
            if seen.place.as_ref() == Some(&place) {
                return;
            }
            seen.place = Some(place.clone());
        }
        if let Err(error) = place::note_place(&place) {
            warn!("the place of the data cannot be noted: {error}");
        }
    }

    /// Another one begins: what was seen of the one before is no news of it.
    pub(super) fn forget_seen(&self) {
        *self.seen.lock().expect("nothing panics while it is held") = Seen::default();
    }

    /// `slave0:ip=10.0.0.2,port=6378,state=online,offset=42,lag=0`.
    fn followers(&self, said: &str, own: Option<Position>) -> Vec<Follower> {
        let timeline = own.map_or(0, |own| own.timeline);
        let follower = |line: &str| {
            let rest = line.strip_prefix("slave")?.split_once(':')?.1;
            let value = |name: &str| {
                rest.split(',').find_map(|part| part.strip_prefix(name)?.strip_prefix('='))
            };
            let offset = value("offset")?.trim().parse().ok()?;
            Some(Follower {
                node: self.member_at(value("ip")?)?,
                flushed: Position { timeline, offset },
                streaming: value("state") == Some("online"),
            })
        };
        said.lines().filter_map(follower).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_that_is_empty_or_of_an_earlier_term_is_not_what_was_here() {
        let (empty, full) = ("# Keyspace\r\n", "# Keyspace\r\ndb3:keys=1,expires=0\r\n");
        assert!(is_whole(empty, Some(4), 4) && is_whole(empty, None, 0));
        assert!(!is_whole(full, Some(3), 4) && !is_whole(empty, None, 4));
        assert!(is_whole(full, None, 4), "its term was removed by a client");
    }
}
