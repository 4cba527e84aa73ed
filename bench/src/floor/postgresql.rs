//! PostgreSQL's floor.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use bellwether_testkit::docker::{docker, inside};
use tokio_postgres::{Client, NoTls};

const IMAGE: &str = "bellwether/node-postgresql:17";
const PROGRAMS: &str = "/usr/lib/postgresql/17/bin";

/// A container with an engine in it; removed when dropped.
struct Bare {
    container: String,
    address: String,
}

impl Bare {
    fn start() -> anyhow::Result<Self> {
        let run = ["run", "--detach", "--rm", "--entrypoint", "sleep", IMAGE, "600"];
        let container = docker(&run)?;
        let format = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
        let address = docker(&["inspect", "--format", format, &container])?;
        let bare = Self { container, address };
        bare.run("install -d -o postgres /bare")?;
        Ok(bare)
    }

    fn run(&self, line: &str) -> anyhow::Result<String> {
        inside(&self.container, line)
    }

    fn engine(&self, line: &str) -> anyhow::Result<String> {
        self.run(&format!(
            "setpriv --reuid=postgres --regid=postgres --clear-groups {PROGRAMS}/{line}"
        ))
    }

    async fn connect(&self) -> anyhow::Result<Client> {
        let text = format!("host={} user=postgres dbname=postgres connect_timeout=2", self.address);
        let (client, task) = tokio_postgres::connect(&text, NoTls).await?;
        tokio::spawn(task);
        Ok(client)
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        let _ = docker(&["rm", "--force", "--volumes", &self.container]);
    }
}

/// Milliseconds from the last write that the killed primary acknowledged to the first that the
/// promoted replica did.
pub(crate) async fn measure() -> anyhow::Result<f64> {
    let (primary, replica) = tokio::task::block_in_place(pair)?;
    let writer = primary.connect().await?;
    let promoter = replica.connect().await?;
    writer.batch_execute("CREATE TABLE written (id bigint)").await?;
    let container = primary.container.clone();
    let mut kill = tokio::task::spawn_blocking(move || docker(&["kill", &container]));
    let mut last = Instant::now();
    while writer.batch_execute("INSERT INTO written VALUES (1)").await.is_ok() {
        last = Instant::now();
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    promoter.query_one("SELECT pg_promote(true, 10)", &[]).await?;
    let writer = replica.connect().await?;
    writer.batch_execute("INSERT INTO written VALUES (2)").await.context("the first write")?;
    let gap = last.elapsed();
    (&mut kill).await??;
    Ok(gap.as_secs_f64() * 1_000.0)
}

fn pair() -> anyhow::Result<(Bare, Bare)> {
    let primary = Bare::start()?;
    primary.engine("initdb -D /bare/data -U postgres --auth=trust --no-instructions")?;
    primary.run("echo 'host all,replication all 0.0.0.0/0 trust' >>/bare/data/pg_hba.conf")?;
    // A promotion that is asked for just before the replica begins to wait for its primary to come
    // back is noticed after that wait only: 5 s, unless it is told otherwise.
    let options = "-c listen_addresses=* -c wal_retrieve_retry_interval=200ms";
    let start = &format!("pg_ctl -D /bare/data -w -l /bare/log -o '{options}' start");
    primary.engine(start)?;
    let replica = Bare::start()?;
    let from = &primary.address;
    replica.engine(&format!("pg_basebackup -D /bare/data -R -h {from} -U postgres -c fast"))?;
    replica.engine(start)?;
    Ok((primary, replica))
}
