//! A client that writes all the time, one autocommit insert about every 5 ms, through the
//! endpoints, and remembers what it was told.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use bellwether_model::connection::Connection;
use tokio_postgres::{Client, SimpleQueryMessage};

use crate::history::{Attempt, History};
use crate::sql;
use crate::wait::until;

/// Between the beginnings of two writes.
const PERIOD: Duration = Duration::from_millis(5);

/// A write, or a connection, that takes longer is given up.
const DEADLINE: Duration = Duration::from_secs(1);

/// The timeline of the log, in hexadecimal digits.
const TIMELINE: &str = "substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8)";

/// The writer's task and what it has seen so far.
pub struct Writer {
    connection: Connection,
    table: String,
    history: Arc<Mutex<History>>,
    stop: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<()>,
}

impl Writer {
    /// Makes the table and begins to write; returns once the first write was acknowledged.
    ///
    /// # Errors
    /// When the cluster cannot be written to.
    pub async fn start(connection: Connection) -> anyhow::Result<Self> {
        Self::through(connection, 0, "written").await
    }

    /// The same, to a table of that name, and beginning with the endpoint of that place among the
    /// cluster's.
    ///
    /// # Errors
    /// When the cluster cannot be written to.
    pub async fn through(
        connection: Connection,
        place: usize,
        table: &str,
    ) -> anyhow::Result<Self> {
        let client = sql::read_write(&connection).await?;
        let create = format!("CREATE TABLE IF NOT EXISTS {table} (id bigint PRIMARY KEY)");
        client.batch_execute(&create).await?;
        let last = format!("SELECT coalesce(max(id), 0) FROM {table}");
        let row = client.query_one(&last, &[]).await?;
        let first: i64 = row.get::<_, i64>(0) + 1;
        let table = table.to_owned();
        let history = Arc::new(Mutex::new(History::default()));
        let stop = Arc::new(AtomicBool::new(false));
        let shared = (history.clone(), stop.clone());
        let ids = (table.clone(), first);
        let task = tokio::spawn(write(connection.clone(), place, ids, shared));
        let writer = Self { connection, table, history, stop, task };
        writer.progress(1).await?;
        Ok(writer)
    }

    /// Waits for so many more acknowledged writes.
    ///
    /// # Errors
    /// When they do not come within a minute.
    pub async fn progress(&self, count: usize) -> anyhow::Result<()> {
        let acknowledged = || self.history().acknowledged().len();
        let goal = acknowledged() + count;
        until("writes go on", Duration::from_secs(60), || async {
            anyhow::ensure!(acknowledged() >= goal, "{} of {goal} writes", acknowledged());
            Ok(())
        })
        .await
    }

    /// What it has seen so far.
    #[must_use]
    pub fn history(&self) -> History {
        self.history.lock().expect("the writer does not panic").clone()
    }

    /// Stops, and reads back what is there.
    ///
    /// # Errors
    /// When the cluster cannot be read.
    pub async fn stop(self) -> anyhow::Result<(History, BTreeSet<i64>)> {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await?;
        let found = until("the rows are read back", Duration::from_secs(30), || async {
            let client = sql::read_write(&self.connection).await?;
            let rows = client.query(&format!("SELECT id FROM {}", self.table), &[]).await?;
            Ok(rows.iter().map(|row| row.get(0)).collect())
        })
        .await?;
        let history = self.history.lock().expect("the writer does not panic").clone();
        Ok((history, found))
    }
}

async fn write(
    connection: Connection,
    place: usize,
    (table, first): (String, i64),
    (history, stop): (Arc<Mutex<History>>, Arc<AtomicBool>),
) {
    let mut client: Option<Client> = None;
    let mut address = place % connection.read_write.len();
    for id in first.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let began = Instant::now();
        let insert = format!("INSERT INTO {table} VALUES ({id}) RETURNING {TIMELINE}");
        let result = attempt(&connection, &mut client, address, &insert).await;
        // The same endpoint leads to the next primary; only one that does not answer is left.
        if result.is_err() && client.take().is_none() {
            address = (address + 1) % connection.read_write.len();
        }
        let attempt = Attempt {
            id,
            began,
            ended: Instant::now(),
            acknowledged: result.is_ok(),
            timeline: result.as_ref().ok().copied(),
            error: result.err().map(|error| format!("{error:#}")).unwrap_or_default(),
        };
        history.lock().expect("nobody panics holding it").attempts.push(attempt);
        tokio::time::sleep(PERIOD.saturating_sub(began.elapsed())).await;
    }
}

async fn attempt(
    connection: &Connection,
    client: &mut Option<Client>,
    address: usize,
    insert: &str,
) -> anyhow::Result<u32> {
    if client.is_none() {
        // A new connection may be held while the primary changes, so it gets more time.
        let address = &connection.read_write[address];
        *client = Some(sql::connect(connection, address, DEADLINE * 5).await?);
    }
    let client = client.as_ref().expect("connected above");
    let answers = tokio::time::timeout(DEADLINE, client.simple_query(insert)).await??;
    let timeline = answers.iter().find_map(|answer| match answer {
        SimpleQueryMessage::Row(row) => u32::from_str_radix(row.get(0)?, 16).ok(),
        _ => None,
    });
    timeline.context("the write said nothing of its timeline")
}
