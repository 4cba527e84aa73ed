//! One autocommit write per 5 ms to whoever takes it: the same for every system.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::ensure;
use bellwether_testkit::wait::until;
use tokio::task::JoinHandle;
use tokio_postgres::Client;

/// Between the beginnings of two writes.
const PERIOD: Duration = Duration::from_millis(5);

/// A write that takes longer is given up.
const DEADLINE: Duration = Duration::from_secs(1);

type Opening = Pin<Box<dyn Future<Output = anyhow::Result<Client>> + Send>>;

/// Opens a connection that can write; the number counts the attempts.
pub(super) type Open = Box<dyn Fn(usize) -> Opening + Send + Sync>;

/// Acknowledged writes, and when each was.
type Acknowledged = Arc<Mutex<Vec<(i64, Instant)>>>;

pub(super) struct Writer {
    open: Arc<Open>,
    acknowledged: Acknowledged,
    task: JoinHandle<()>,
}

impl Writer {
    /// Makes the table anew and begins to write.
    pub(super) async fn start(open: Open) -> anyhow::Result<Self> {
        let open = Arc::new(open);
        let client = until("a connection", Duration::from_secs(60), || open(0)).await?;
        let make = "DROP TABLE IF EXISTS written; CREATE TABLE written (id bigint PRIMARY KEY)";
        client.batch_execute(make).await?;
        let acknowledged = Acknowledged::default();
        let task = tokio::spawn(write(open.clone(), acknowledged.clone()));
        Ok(Self { open, acknowledged, task })
    }

    pub(super) fn count(&self) -> usize {
        self.acknowledged.lock().expect("the writer does not panic").len()
    }

    /// Whether so many writes were acknowledged.
    pub(super) async fn has(&self, count: usize) -> anyhow::Result<()> {
        ensure!(self.count() >= count, "{} of {count} writes", self.count());
        Ok(())
    }

    /// This moment.
    pub(super) fn mark(&self) -> Instant {
        Instant::now()
    }

    /// Stops: the longest time without an acknowledgement that ended after that moment, and how
    /// many acknowledged writes are not there any more.
    pub(super) async fn stop(self, since: Instant) -> anyhow::Result<(Duration, usize)> {
        self.task.abort();
        let all = self.acknowledged.lock().expect("the writer does not panic").clone();
        let pairs = all.windows(2).filter(|pair| pair[1].1 > since);
        let outage = pairs.map(|pair| pair[1].1 - pair[0].1).max().unwrap_or_default();
        let found: BTreeSet<i64> = until("the rows are read", Duration::from_secs(60), || async {
            let client = (self.open)(0).await?;
            let rows = client.query("SELECT id FROM written", &[]).await?;
            Ok(rows.iter().map(|row| row.get(0)).collect())
        })
        .await?;
        Ok((outage, all.iter().filter(|(id, _)| !found.contains(id)).count()))
    }
}

async fn write(open: Arc<Open>, acknowledged: Acknowledged) {
    let mut client = None;
    let mut attempts = 0;
    for id in 1.. {
        let began = Instant::now();
        if client.is_none() {
            client = open(attempts).await.ok();
            attempts += 1;
        }
        if let Some(known) = &client {
            let insert = format!("INSERT INTO written VALUES ({id})");
            let written = tokio::time::timeout(DEADLINE, known.batch_execute(&insert)).await;
            if matches!(written, Ok(Ok(()))) {
                let mut all = acknowledged.lock().expect("nobody panics holding it");
                all.push((id, Instant::now()));
            } else {
                client = None;
            }
        }
        tokio::time::sleep(PERIOD.saturating_sub(began.elapsed())).await;
    }
}
