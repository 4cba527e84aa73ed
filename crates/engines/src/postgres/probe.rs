//! Looking at the engine: its process, its data, and what it says itself.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bellwether_contracts::driver::{DataState, Probe, ProcessState};
use bellwether_model::replication::Position;
use bellwether_protocol::local::{EngineFigures, Follower};
use tokio_postgres::Row;

use super::{BROUGHT, COPIED, Postgres, data, former_data, new_data, rewinding};
use crate::room;

/// Everything in one question. Timelines are read off the names of log segments: the control file
/// lags behind.
const QUESTION: &str = "
SELECT pg_is_in_recovery() AS in_recovery,
    (SELECT max(('x' || substr(name, 1, 8))::bit(32)::int::bigint) FROM pg_ls_waldir()
        WHERE name ~ '^[0-9A-F]{24}$') AS timeline,
    CASE WHEN pg_is_in_recovery() THEN NULL ELSE pg_current_wal_flush_lsn() - '0/0' END::bigint
        AS written,
    (pg_last_wal_receive_lsn() - '0/0')::bigint AS received,
    (pg_last_wal_replay_lsn() - '0/0')::bigint AS replayed,
    EXISTS (SELECT 1 FROM pg_stat_activity WHERE backend_type = 'startup' AND wait_event IN
        ('RecoveryWalStream', 'RecoveryRetrieveRetryInterval')) AS waits_for_log,
    r.status = 'streaming' AS streaming,
    (extract(epoch FROM clock_timestamp() - r.last_msg_receipt_time) * 1000)::bigint
        AS message_age_ms,
    current_setting('primary_conninfo') AS conninfo,
    extract(epoch FROM clock_timestamp() - pg_postmaster_start_time())::bigint AS uptime,
    (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'
        AND application_name <> 'bellwether-agent'
        AND usename IS DISTINCT FROM 'bellwether_probe') AS connections,
    current_setting('server_version') AS version
FROM (SELECT 1) one LEFT JOIN pg_stat_wal_receiver r ON true";

const FOLLOWERS: &str = "
SELECT application_name, (flush_lsn - '0/0')::bigint AS flushed, state = 'streaming' AS streaming
FROM pg_stat_replication WHERE flush_lsn IS NOT NULL";

/// Facts that change slowly; `$1` stands for the engine's extension.
const SLOW: &str = "
SELECT (SELECT system_identifier FROM pg_control_system())::text AS system_id,
    (SELECT sum(pg_database_size(oid))::bigint FROM pg_database) AS bytes,
    (SELECT sum(checksum_failures)::bigint FROM pg_stat_database) AS damaged,
    (SELECT name || ' ' || default_version FROM pg_available_extensions WHERE name = '$1')
        AS library";

const SLOW_EVERY: Duration = Duration::from_secs(10);

/// What changes slowly.
#[derive(Clone, Default)]
struct Slow {
    system_id: Option<String>,
    bytes: Option<u64>,
    /// The extension of this node's files.
    library: Option<String>,
    /// Blocks that were read and are not what was written.
    damaged: u64,
}

#[derive(Default)]
pub(super) struct Cache {
    slow: Option<(Instant, Slow)>,
    last_position: Option<Position>,
}

impl Postgres {
    pub(super) async fn look(&self) -> Probe {
        let process = match self.postmaster() {
            None => ProcessState::Down,
            Some(_) => ProcessState::Starting,
        };
        let mut probe = Probe {
            process,
            data: data_state(),
            copied: std::fs::read_to_string(data().join(COPIED)).ok(),
            keeps_former: former_data().exists(),
            aside: std::fs::read_to_string(former_data().join(BROUGHT)).ok(),
            replaced: std::fs::read_to_string(data().join(BROUGHT)).ok(),
            diverged: self.diverged.lock().expect("nothing panics while it is held").clone(),
            ..Probe::default()
        };
        if process == ProcessState::Down {
            room::release_reserve();
            let cache = self.cache.lock().expect("nothing panics while it is held");
            probe.position = cache.last_position;
            return probe;
        }
        let mut seen = probe.clone();
        if !self.ask(&mut seen).await {
            return probe;
        }
        if seen.in_recovery == Some(false) {
            // Half an answer would say that nobody follows.
            let Some(followers) = self.followers(seen.position).await else { return probe };
            seen.followers = followers;
        }
        self.watch_room().await;
        seen.figures.refuses_data = self.refusing.load(Ordering::Relaxed);
        let mut probe = seen;
        self.add_slow(&mut probe).await;
        probe.settings = self.look_at_settings().await;
        self.cache.lock().expect("nothing panics while it is held").last_position = probe.position;
        probe
    }

    /// Adds what the engine says of itself in one answer; whether it answered.
    pub(super) async fn ask(&self, probe: &mut Probe) -> bool {
        let rows = self.sql.query(QUESTION).await.unwrap_or_default();
        let row = rows.first();
        row.inspect(|row| self.read(row, probe)).is_some()
    }

    fn read(&self, row: &Row, probe: &mut Probe) {
        let number = |name: &str| row.get::<_, Option<i64>>(name).map(|n| n.max(0) as u64);
        let in_recovery: bool = row.get("in_recovery");
        let timeline = number("timeline").unwrap_or(0);
        let at = |offset: u64| Position { timeline, offset };
        let (received, replayed) = (number("received"), number("replayed"));
        probe.process = ProcessState::Up;
        probe.in_recovery = Some(in_recovery);
        probe.position =
            if in_recovery { received.max(replayed).map(at) } else { number("written").map(at) };
        // What is in the local log is replayed before a stream begins, or is waited for.
        let waits_for_log = row.get::<_, Option<bool>>("waits_for_log").unwrap_or(false);
        probe.is_end_known = !in_recovery || received.is_some() || waits_for_log;
        probe.applied = replayed.filter(|_| in_recovery).map(at);
        probe.streaming = row.get::<_, Option<bool>>("streaming").unwrap_or(false);
        probe.upstream_age_ms = number("message_age_ms");
        let conninfo: String = row.get("conninfo");
        let host = conninfo.split(' ').find_map(|part| part.strip_prefix("host="));
        probe.upstream = host.filter(|_| in_recovery).and_then(|name| self.member_named(name));
        probe.figures = EngineFigures {
            version: Some(short_version(row.get("version"))),
            uptime_seconds: number("uptime"),
            connections: number("connections").map(|n| n as u32),
            ..EngineFigures::default()
        };
    }

    async fn followers(&self, own: Option<Position>) -> Option<Vec<Follower>> {
        let timeline = own.map_or(0, |own| own.timeline);
        let rows = self.sql.query(FOLLOWERS).await.ok()?;
        let follower = |row: &Row| {
            let offset = row.get::<_, i64>("flushed").max(0) as u64;
            Some(Follower {
                node: self.member_named(row.get("application_name"))?,
                flushed: Position { timeline, offset },
                streaming: row.get("streaming"),
            })
        };
        Some(rows.iter().filter_map(follower).collect())
    }

    async fn add_slow(&self, probe: &mut Probe) {
        let known = {
            let cache = self.cache.lock().expect("nothing panics while it is held");
            cache.slow.clone().filter(|(at, _)| at.elapsed() < SLOW_EVERY).map(|(_, slow)| slow)
        };
        let known = match known {
            Some(known) => known,
            None => {
                let extension = self.flavour.extension.as_ref().map_or("", |e| e.name);
                let question = SLOW.replace("$1", extension);
                let rows = self.sql.query(&question).await.unwrap_or_default();
                let fresh = rows.first().map_or_else(Slow::default, |row| Slow {
                    system_id: row.get("system_id"),
                    bytes: row.get::<_, Option<i64>>("bytes").map(|n| n.max(0) as u64),
                    library: row.get("library"),
                    damaged: row.get::<_, Option<i64>>("damaged").map_or(0, |n| n.max(0) as u64),
                });
                let mut cache = self.cache.lock().expect("nothing panics while it is held");
                cache.slow = Some((Instant::now(), fresh.clone()));
                fresh
            }
        };
        probe.figures.system_id = known.system_id;
        probe.figures.data_bytes = known.bytes;
        probe.figures.library = known.library;
        probe.figures.fault = (known.damaged > 0).then(|| {
            let times = if known.damaged == 1 { "once" } else { "more than once" };
            format!("damaged data was read {times} (a checksum does not match)")
        });
    }
}

/// `17.11 (Debian 17.11-1)` is `17.11`.
fn short_version(text: &str) -> String {
    text.split(' ').next().unwrap_or_default().to_owned()
}

fn data_state() -> DataState {
    if rewinding().exists() {
        return DataState::Partial;
    }
    let is_present =
        data().join("PG_VERSION").exists() && data().join("global/pg_control").exists();
    if is_present {
        let was_primary = !data().join("standby.signal").exists();
        return DataState::Present { was_primary, clean: false };
    }
    if new_data().exists() || data().exists() { DataState::Partial } else { DataState::Absent }
}
