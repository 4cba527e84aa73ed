//! Clients of MariaDB and MySQL as their users make them, and one that writes all the time.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use bellwether_model::connection::Connection;
use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, OptsBuilder, SslOpts};

use crate::history::{Attempt, History};
use crate::wait::until;

/// Between the beginnings of two writes.
const PERIOD: Duration = Duration::from_millis(5);

/// A write that takes longer is given up.
const DEADLINE: Duration = Duration::from_secs(1);

/// Connects to one of the addresses (`address:port`), with TLS and everything verified.
///
/// # Errors
/// When nobody answers within the limit.
pub async fn connect(
    connection: &Connection,
    address: &str,
    limit: Duration,
) -> anyhow::Result<Conn> {
    let (host, port) = address.rsplit_once(':').context("an address has a port")?;
    let authority = connection.ca_certificate.clone().into_bytes();
    let tls = SslOpts::default()
        .with_root_certs(vec![authority.into()])
        .with_disable_built_in_roots(true);
    let options = OptsBuilder::default()
        .ip_or_hostname(host.trim_matches(['[', ']']))
        .tcp_port(port.parse()?)
        .user(Some(&connection.user))
        .pass(connection.password.as_deref())
        .db_name(Some(&connection.database))
        .prefer_socket(false)
        .ssl_opts(Some(tls));
    Ok(tokio::time::timeout(limit, Conn::new(options)).await??)
}

/// Connects to the primary through the first endpoint that leads there.
///
/// # Errors
/// When none does within the limit.
pub async fn read_write(connection: &Connection) -> anyhow::Result<Conn> {
    let mut last = anyhow::anyhow!("there is no endpoint");
    for address in &connection.read_write {
        match connect(connection, address, Duration::from_secs(5)).await {
            Ok(client) => return Ok(client),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// One autocommit insert about every 5 ms, through the endpoints; it remembers what it was told.
pub struct MysqlWriter {
    connection: Connection,
    table: String,
    history: Arc<Mutex<History>>,
    stop: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<()>,
}

impl MysqlWriter {
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
        let mut client = read_write(&connection).await?;
        let create = format!("CREATE TABLE IF NOT EXISTS {table} (id BIGINT PRIMARY KEY)");
        client.query_drop(create).await?;
        let last = format!("SELECT COALESCE(MAX(id), 0) FROM {table}");
        let last: Option<i64> = client.query_first(last).await?;
        let first = last.unwrap_or_default() + 1;
        let (history, stop) = (Arc::default(), Arc::default());
        let shared = (Arc::clone(&history), Arc::clone(&stop));
        let table = table.to_owned();
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
            let mut client = read_write(&self.connection).await?;
            let ids: Vec<i64> = client.query(format!("SELECT id FROM {}", self.table)).await?;
            Ok(ids.into_iter().collect())
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
    let mut client: Option<Conn> = None;
    let mut address = place % connection.read_write.len();
    for id in first.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let began = Instant::now();
        let result = attempt(&connection, &mut client, address, (&table, id)).await;
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

/// Writes one row; the server id of who took it, which tells primaries apart.
async fn attempt(
    connection: &Connection,
    client: &mut Option<Conn>,
    address: usize,
    (table, id): (&str, i64),
) -> anyhow::Result<u32> {
    if client.is_none() {
        // A new connection may be held while the primary changes, so it gets more time.
        let address = &connection.read_write[address];
        *client = Some(connect(connection, address, DEADLINE * 5).await?);
    }
    let client = client.as_mut().expect("connected above");
    let write = async {
        let row: Option<u32> = client.query_first("SELECT @@server_id").await?;
        client.query_drop(format!("INSERT INTO {table} VALUES ({id})")).await?;
        row.context("the engine did not say who it is")
    };
    tokio::time::timeout(DEADLINE, write).await?
}
