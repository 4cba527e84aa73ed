//! A backup of the data directory, taken while the engine runs.
//!
//! The directory is stored as it lies, so that what did not change is not stored again; the log
//! from the beginning of the backup to its end mends what was written meanwhile. It is stored in
//! two parts: the data, and then the end, without which the data is worth nothing: the control
//! file, which says how far a replica's log has to be replayed, the label, and the log.
//!
//! A replica's replay stands still for the moment that is the backup's end. So it is known to the
//! byte what the backup holds: the log that is kept ends there, and what tables hold is read as of
//! there.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bellwether_contracts::Failure;
use bellwether_contracts::Repository;
use bellwether_contracts::repository::{Part, Progress};
use bellwether_model::Timestamp;
use bellwether_model::backup::BackupResult;
use bellwether_model::replication::Position;
use bellwether_protocol::Assignment;
use bellwether_protocol::assignment::BackupAssignment;
use tokio_postgres::{Client, Row};
use tracing::{info, warn};

use super::driver::parse_lsn;
use super::fingerprint::{Fingerprint, Moment};
use super::sql::of;
use super::{OS_USER, Postgres, data, log_directory};
use crate::backup::{Begun, DATA_PART, Held, facts};
use crate::files::at;

mod end;

/// Beginning waits for a checkpoint.
const START_MAX: Duration = Duration::from_secs(600);

/// Everything else that is asked.
const QUESTION_MAX: Duration = Duration::from_secs(20);

/// Tables are read for so long.
const FINGERPRINT_MAX: Duration = Duration::from_secs(20);

/// What holds the log while a backup needs it; it goes with its connection.
const SLOT: &str = "bellwether_backup";

/// The second part of a backup.
pub(super) const END_PART: &str = "end";

/// What is not stored: the log, which is stored with the end, and what the engine makes anew.
const LEFT_OUT: &[&str] = &[
    "/pg_wal/*",
    "/global/pg_control",
    "/backup_label",
    "/tablespace_map",
    "/standby.signal",
    "/recovery.signal",
    "/postmaster.pid",
    "/postmaster.opts",
    "/bellwether_*",
    "/pg_replslot/*",
    "/pg_dynshmem/*",
    "/pg_notify/*",
    "/pg_serial/*",
    "/pg_snapshots/*",
    "/pg_stat_tmp/*",
    "/pg_subtrans/*",
    "/current_logfiles",
    "pgsql_tmp*",
    "pg_internal.init*",
];

/// The end of a backup, as the engine told it.
struct Ended {
    /// The log is kept to here.
    offset: u64,
    label: String,
    tablespaces: String,
    at: Timestamp,
}

impl Postgres {
    pub(super) async fn take_backup(
        &self,
        assignment: &Assignment,
        backup: &BackupAssignment,
        repository: &dyn Repository,
        progress: Progress<'_>,
    ) -> Result<BackupResult, Failure> {
        let begun = Begun::now();
        repository.open(true).await?;
        refuse_tablespaces()?;
        let client = self.sql.open("postgres", "").await?;
        let is_replica: bool =
            ask(&client, "SELECT pg_is_in_recovery()", QUESTION_MAX).await?.get(0);
        let hold = format!("SELECT pg_create_physical_replication_slot('{SLOT}', true, true)");
        ask(&client, &hold, QUESTION_MAX).await?;
        ask(&client, "SELECT pg_backup_start('bellwether', true)", START_MAX).await?;
        let size = self.look().await.figures.data_bytes.unwrap_or(0);
        let order = &backup.order;
        let part = Part {
            backup: order.backup.clone(),
            name: DATA_PART,
            directory: data().to_owned(),
            leave_out: LEFT_OUT.iter().map(|pattern| (*pattern).to_owned()).collect(),
            host: assignment.node_name.clone(),
            size,
            rate_kib: order.rate_kib,
            facts: String::new(),
        };
        let stored = repository.put(&part, progress).await?;
        let staging = end::Staging::make()?;
        let (ended, fingerprint) = self.end_backup(&client, is_replica, &staging).await?;
        let timeline = staging.keep_log(&ended.label, ended.offset)?;
        let held = Held {
            from_primary: !is_replica,
            taken_at: ended.at,
            position: Position { timeline, offset: ended.offset },
            engine_version: self.look().await.figures.version,
        };
        let facts = facts(assignment, backup, &begun, held, stored.size);
        staging.finish(&ended, &fingerprint)?;
        let facts_text = serde_json::to_string(&facts).expect("plain data");
        let part = Part {
            name: END_PART,
            directory: staging.directory().to_owned(),
            leave_out: Vec::new(),
            size: 0,
            facts: facts_text,
            ..part
        };
        let end = repository.put(&part, &|_, _| {}).await?;
        // Until here the log had to be held.
        drop(client);
        let took_ms = begun.took_ms();
        info!("backup {}: {} bytes, {} ms", order.backup, stored.size, took_ms);
        Ok(BackupResult {
            facts,
            stored: stored.added + end.added,
            took_ms,
            archives: vec![stored.archive, end.archive],
        })
    }

    /// Ends the backup at one moment, and reads what tables hold at that moment.
    async fn end_backup(
        &self,
        client: &Client,
        is_replica: bool,
        staging: &end::Staging,
    ) -> Result<(Ended, Fingerprint), Failure> {
        let pause = if is_replica { Some(self.pause(client).await?) } else { None };
        let moments = match self.moments().await {
            Ok(moments) => moments,
            Err(failure) => {
                warn!("what tables hold is not read: {failure}");
                Vec::new()
            }
        };
        // In this order: how far the control file says the log has to be replayed is then in it.
        staging.keep_control(self).await?;
        let stop = "SELECT lsn::text, labelfile, spcmapfile FROM pg_backup_stop(false)";
        let row = ask(client, stop, QUESTION_MAX).await?;
        let stopped = parse_lsn(row.get(0))
            .ok_or_else(|| Failure::permanent("the engine does not say where the backup ends"))?;
        let offset = match &pause {
            Some(pause) => pause.at.max(stopped),
            None => stopped,
        };
        let ended =
            Ended { offset, label: row.get(1), tablespaces: row.get(2), at: Timestamp::now() };
        let is_exact = pause.is_some();
        if let Some(pause) = pause {
            pause.end().await?;
        }
        Ok((ended, take_fingerprint(&moments, is_exact).await))
    }

    /// Lets the replay of the log stand still.
    async fn pause(&self, client: &Client) -> Result<Pause, Failure> {
        self.pausing.store(true, Ordering::SeqCst);
        let mut pause = Pause { postgres: self.pause_handle(), at: 0, is_over: false };
        ask(client, "SELECT pg_wal_replay_pause()", QUESTION_MAX).await?;
        for _ in 0..1_000 {
            let state = "SELECT pg_get_wal_replay_pause_state(), \
                         (pg_last_wal_replay_lsn() - '0/0')::bigint";
            let row = ask(client, state, QUESTION_MAX).await?;
            if row.get::<_, String>(0) == "paused" {
                pause.at = row.get::<_, i64>(1).max(0) as u64;
                return Ok(pause);
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Err(Failure::transient("the replay of the log does not stand still"))
    }

    fn pause_handle(&self) -> PauseHandle {
        PauseHandle { port: self.port, pausing: self.pausing.clone() }
    }

    /// Ends a pause that an agent left which did not come to end it.
    pub(super) async fn end_pause(&self) -> Result<(), Failure> {
        if self.pausing.load(Ordering::SeqCst) {
            return Ok(());
        }
        self.sql.execute(RESUME, Duration::from_secs(2)).await
    }
}

const RESUME: &str = "SELECT CASE WHEN pg_is_in_recovery() AND pg_is_wal_replay_paused() \
                      THEN pg_wal_replay_resume() END";

/// The replay stands still for as long as there is one.
struct Pause {
    postgres: PauseHandle,
    /// Where it stands.
    at: u64,
    is_over: bool,
}

#[derive(Clone)]
struct PauseHandle {
    port: u16,
    pausing: Arc<AtomicBool>,
}

impl PauseHandle {
    async fn resume(&self) -> Result<(), Failure> {
        let session = super::sql::Session::new(self.port);
        let result = session.execute(RESUME, QUESTION_MAX).await;
        self.pausing.store(false, Ordering::SeqCst);
        result
    }
}

impl Pause {
    async fn end(mut self) -> Result<(), Failure> {
        self.is_over = true;
        self.postgres.resume().await
    }
}

impl Drop for Pause {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        // Whatever ended the backup: a replica whose replay stands still serves old data.
        let handle = self.postgres.clone();
        tokio::spawn(async move {
            if let Err(failure) = handle.resume().await {
                warn!("the replay of the log does not go on: {failure}");
            }
        });
    }
}

async fn take_fingerprint(moments: &[Moment], exact: bool) -> Fingerprint {
    Fingerprint { exact, ..Fingerprint::take(moments, FINGERPRINT_MAX).await }
}

async fn ask(client: &Client, question: &str, limit: Duration) -> Result<Row, Failure> {
    match tokio::time::timeout(limit, client.query_one(question, &[])).await {
        Ok(row) => row.map_err(|error| of(&error)),
        Err(_) => Err(Failure::transient("the engine does not answer")),
    }
}

/// What lies outside the data directory would be missing from the backup.
fn refuse_tablespaces() -> Result<(), Failure> {
    let directory = data().join("pg_tblspc");
    let mut entries = std::fs::read_dir(&directory).map_err(|e| at(&directory, &e))?;
    match entries.next() {
        None => Ok(()),
        Some(_) => {
            let words = "there are tablespaces, which are not backed up; move what is in them";
            Err(Failure::needs_person(words))
        }
    }
}
