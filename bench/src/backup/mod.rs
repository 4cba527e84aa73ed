//! A backup and a restore of some gigabytes of PostgreSQL, beside restic alone, Borg and pgBackRest
//! with the same data on a machine of the same size; what a second backup adds after one per cent
//! of the rows has changed, and what the primary's clients notice of a backup.

mod tools;

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use bellwether_model::connection::Connection;
use bellwether_model::event::Page;
use bellwether_model::{Backup, ClusterView};
use bellwether_testkit::docker::{container_of, docker, inside};
use bellwether_testkit::s3::S3;
use bellwether_testkit::{Api, Server, sql};
use serde_json::{Value, json};

use crate::figures::median;
use crate::pgbench::{number, pgbench};
use tools::Tools;

/// Of a backup or a restore.
const WORK_MAX: Duration = Duration::from_secs(1_800);

/// Seconds of load while a backup is taken, and before it.
const LOAD_SECONDS: &str = "15";

/// Both the nodes' and the peers' machine.
const CPUS: &str = "2";

/// A row and its place in the index.
const ROW_BYTES: u64 = 260;

/// What each run has shown, in the order of the figures.
#[derive(Default)]
struct Figures(Vec<(String, Vec<f64>)>);

impl Figures {
    fn add(&mut self, name: &str, value: f64) {
        let value = (value * 1_000.0).round() / 1_000.0;
        println!("{name}: {value}");
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, values)) => values.push(value),
            None => self.0.push((name.to_owned(), vec![value])),
        }
    }

    /// How fast so many bytes were, and what it took of the processor.
    fn add_work(&mut self, name: &str, bytes: u64, work: Work) {
        let megabytes = bytes as f64 / 1e6;
        self.add(&format!("{name}_mb_s"), megabytes / work.seconds);
        self.add(&format!("{name}_cpu_s"), work.cpu_seconds);
    }
}

/// What something took.
#[derive(Clone, Copy)]
struct Work {
    seconds: f64,
    cpu_seconds: f64,
}

pub(crate) async fn run(runs: usize) -> anyhow::Result<()> {
    let megabytes = match std::env::var("MEGABYTES") {
        Ok(text) => text.parse().with_context(|| format!("MEGABYTES={text} is no number"))?,
        Err(_) => 2_000_u64,
    };
    let rows = megabytes * 1_000_000 / ROW_BYTES;
    let mut figures = Figures::default();
    for _ in 0..runs {
        let store = S3::start().await?;
        ours(&store, rows, &mut figures).await?;
        store.clear().await?;
        Tools::start(&store, rows)?.measure(&mut figures)?;
    }
    let mut line = json!({ "bench": "backup", "runs": runs, "megabytes": megabytes });
    for (name, values) in &figures.0 {
        line[name] = json!(median(values));
    }
    println!("{line}");
    Ok(())
}

/// Random text, which neither compresses to nothing nor repeats itself.
fn fill(rows: u64) -> [String; 2] {
    let random = "md5(random()::text)";
    let text = [random; 6].join(" || ");
    [
        "CREATE TABLE facts (id bigint PRIMARY KEY, text text)".to_owned(),
        format!("INSERT INTO facts SELECT n, {text} FROM generate_series(1, {rows}) n"),
    ]
}

async fn ours(store: &S3, rows: u64, figures: &mut Figures) -> anyhow::Result<()> {
    let (_server, api) = Server::start().await?;
    create(&api, json!({ "name": "bench", "nodes": 2, "replication": "strict" })).await?;
    let connection = api.connection("bench").await?;
    let client = sql::read_write(&connection).await?;
    for statement in fill(rows) {
        client.batch_execute(&statement).await?;
    }
    let load = loader(connection)?;
    load(&["-i", "-q", "-s", "10"])?;
    client.batch_execute("VACUUM ANALYZE facts").await?;
    for name in ["first", "second"] {
        let _: Value = api.post("/v1/repositories", &store.repository(name, name)).await?;
    }
    api.healthy("bench", Duration::from_secs(120)).await?;

    let (backup, work) = take(&api, "first").await?;
    let size = backup.facts.as_ref().context("it is complete")?.size;
    figures.add_work("backup", size, work);
    let change = format!("UPDATE facts SET text = reverse(text) WHERE id <= {}", rows / 100);
    client.batch_execute(&change).await?;
    let (second, _) = take(&api, "first").await?;
    figures.add("second_backup_stored_bytes", second.stored.context("it is complete")? as f64);

    let run = ["-n", "-M", "prepared", "-c", "4", "-j", "1", "-T", LOAD_SECONDS];
    let alone = number(&load(&run)?, "tps = ")?;
    let begun = Instant::now();
    let loaded = async {
        let said = tokio::task::spawn_blocking(move || load(&run)).await??;
        anyhow::Ok((said, begun.elapsed().as_secs_f64()))
    };
    let ((_, work), (said, loaded)) = tokio::try_join!(take(&api, "second"), loaded)?;
    ensure!(work.seconds > loaded * 0.8, "it was over too soon: more MEGABYTES are needed");
    figures.add("primary_tps", alone);
    figures.add("primary_tps_ratio", number(&said, "tps = ")? / alone);

    let (cluster, work) = restore(&api, &backup).await?;
    figures.add_work("restore", size, work);
    for name in [cluster.as_str(), "bench"] {
        api.delete(name).await?;
    }
    Ok(())
}

/// Runs pgbench with arguments through the first endpoint.
fn loader(connection: Connection) -> anyhow::Result<impl Fn(&[&str]) -> anyhow::Result<String>> {
    let (host, port) = connection.read_write[0].rsplit_once(':').context("a port")?;
    let (host, port) = (host.to_owned(), port.parse()?);
    Ok(move |arguments: &[&str]| pgbench(&connection, &host, port, arguments))
}

/// Makes a cluster, to its end.
async fn create(api: &Api, what: Value) -> anyhow::Result<()> {
    let mut spec = json!({
        "engine": "postgresql", "version": "17", "provider": "docker",
        "size": { "cpus": CPUS.parse::<u32>()?, "memory": "1GiB", "disk": "12GiB" },
        "allowlist": [{ "address": "server" }],
    });
    for (name, value) in what.as_object().context("an object")? {
        spec[name] = value.clone();
    }
    let cluster: ClusterView = api.post("/v1/clusters", &spec).await?;
    api.finish(cluster.operation.context("creating")?.as_str(), WORK_MAX).await?;
    Ok(())
}

/// Takes a backup into that repository.
async fn take(api: &Api, repository: &str) -> anyhow::Result<(Backup, Work)> {
    let cluster = api.cluster("bench").await?;
    let nodes = api.nodes("bench").await?;
    let replica = nodes.iter().find(|n| Some(&n.id) != cluster.primary.as_ref());
    let container = container_of(replica.context("a replica")?.id.as_str())?;
    let before = cpu_seconds(&container)?;
    let request = json!({ "kind": "backup", "repository": repository });
    let begun: bellwether_model::Operation =
        api.post("/v1/clusters/bench/operations", &request).await?;
    let ended = api.finish(begun.id.as_str(), WORK_MAX).await?;
    println!("{}", ended.message);
    let page: Page<Backup> = api.get("/v1/backups?cluster=bench").await?;
    let taken = page.items.into_iter().find(|one| one.operation.as_ref() == Some(&ended.id));
    let taken = taken.context("it is listed")?;
    ensure!(!taken.facts.as_ref().context("it is complete")?.from_primary, "of the replica");
    let seconds = taken.took_ms.context("it is complete")? as f64 / 1e3;
    Ok((taken, Work { seconds, cpu_seconds: cpu_seconds(&container)? - before }))
}

/// Makes a cluster of one from it: from the request to a database that serves.
async fn restore(api: &Api, backup: &Backup) -> anyhow::Result<(String, Work)> {
    let begun = Instant::now();
    let what = json!({
        "name": "restored", "nodes": 1, "replication": "async", "source": { "backup": backup.id },
    });
    create(api, what).await?;
    let client = sql::read_write(&api.connection("restored").await?).await?;
    client.query_one("SELECT max(id) FROM facts", &[]).await?;
    let seconds = begun.elapsed().as_secs_f64();
    let nodes = api.nodes("restored").await?;
    let container = container_of(nodes.first().context("a node")?.id.as_str())?;
    Ok(("restored".to_owned(), Work { seconds, cpu_seconds: cpu_seconds(&container)? }))
}

/// What a container has used of the processor.
fn cpu_seconds(container: &str) -> anyhow::Result<f64> {
    // By version 2 of the kernel's groups, or by version 1.
    let asked = "cd /sys/fs/cgroup && cat cpu.stat 2>/dev/null || cat cpuacct/cpuacct.usage";
    let said = inside(container, asked)?;
    match said.lines().find_map(|line| line.strip_prefix("usage_usec ")) {
        Some(micros) => Ok(micros.parse::<f64>()? / 1e6),
        None => Ok(said.trim().parse::<f64>()? / 1e9),
    }
}

/// Runs a container of the nodes' size; its name.
fn machine(name: &str, image: &str) -> anyhow::Result<()> {
    let size = ["--cpus", CPUS, "--memory", "1g"];
    let run = ["run", "--detach", "--name", name];
    docker(&[&run[..], &size, &[image, "sleep", "infinity"]].concat()).map(|_| ())
}
