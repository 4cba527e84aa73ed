//! A client that writes all the time, one row about every 5 ms, through the endpoints, and
//! remembers what it was told. How an engine is written to is its client's.

use std::collections::BTreeSet;
use std::future::Future;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bellwether_model::connection::Connection;

use crate::history::{Attempt, History};
use crate::wait::until;

/// Between the beginnings of two writes.
const PERIOD: Duration = Duration::from_millis(5);

/// A write that takes longer is given up.
const DEADLINE: Duration = Duration::from_secs(1);

/// A new connection may be held while the primary changes, so it gets more time.
const CONNECT_MAX: Duration = Duration::from_secs(5);

/// An engine's client, as far as a writer needs it. `table`: where it writes, by any name.
pub trait RowClient: Sized + Send + 'static {
    /// Connects to one of the addresses (`address:port`), with TLS and everything verified.
    fn connect(
        connection: &Connection,
        address: &str,
        limit: Duration,
    ) -> impl Future<Output = anyhow::Result<Self>> + Send;

    /// Makes the table, where it is not there; the first id to write.
    fn begin(&mut self, table: &str) -> impl Future<Output = anyhow::Result<i64>> + Send;

    /// Writes one id; what tells the primary that took it from others.
    fn write(&mut self, table: &str, id: i64) -> impl Future<Output = anyhow::Result<u32>> + Send;

    /// All that are there.
    fn read(&mut self, table: &str) -> impl Future<Output = anyhow::Result<BTreeSet<i64>>> + Send;
}

/// Connects to the primary through the first endpoint that leads there.
///
/// # Errors
/// When none does within the limit.
pub async fn read_write<C: RowClient>(connection: &Connection) -> anyhow::Result<C> {
    let mut last = anyhow::anyhow!("there is no endpoint");
    for address in &connection.read_write {
        match C::connect(connection, address, CONNECT_MAX).await {
            Ok(client) => return Ok(client),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// The writer's task and what it has seen so far.
pub struct WriterOf<C> {
    connection: Connection,
    table: String,
    history: Arc<Mutex<History>>,
    stop: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<()>,
    client: PhantomData<C>,
}

impl<C: RowClient> WriterOf<C> {
    /// Begins to write; returns once the first write was acknowledged.
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
        let first = read_write::<C>(&connection).await?.begin(table).await?;
        let (history, stop) = (Arc::default(), Arc::default());
        let shared = (Arc::clone(&history), Arc::clone(&stop));
        let table = table.to_owned();
        let ids = (table.clone(), first);
        let task = tokio::spawn(write::<C>(connection.clone(), place, ids, shared));
        let writer = Self { connection, table, history, stop, task, client: PhantomData };
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
        let found = until("what was written is read back", Duration::from_secs(30), || async {
            read_write::<C>(&self.connection).await?.read(&self.table).await
        })
        .await?;
        let history = self.history.lock().expect("the writer does not panic").clone();
        Ok((history, found))
    }
}

async fn write<C: RowClient>(
    connection: Connection,
    place: usize,
    (table, first): (String, i64),
    (history, stop): (Arc<Mutex<History>>, Arc<AtomicBool>),
) {
    let mut client: Option<C> = None;
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

async fn attempt<C: RowClient>(
    connection: &Connection,
    client: &mut Option<C>,
    address: usize,
    (table, id): (&str, i64),
) -> anyhow::Result<u32> {
    if client.is_none() {
        let address = &connection.read_write[address];
        *client = Some(C::connect(connection, address, CONNECT_MAX).await?);
    }
    let client = client.as_mut().expect("connected above");
    tokio::time::timeout(DEADLINE, client.write(table, id)).await?
}
