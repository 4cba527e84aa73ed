//! Valkey with Sentinel on three nodes and HAProxy before them, with a second until a primary
//! counts as down; beside Bellwether's own cluster of Valkey. Measured are a killed primary and a
//! planned change, as each system does it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use bellwether_testkit::docker::{container_of, docker, inside};
use bellwether_testkit::wait::until;
use bellwether_testkit::{Api, RedisWriter, Server};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::containers::{Containers, address};
use crate::figures::percentile;

const IMAGE: &str = "bellwether/bench-sentinel";

const READY_MAX: Duration = Duration::from_secs(120);

/// Writes before and after.
const WRITES: usize = 200;

/// A write, or a connection, that takes longer is given up.
const DEADLINE: Duration = Duration::from_secs(1);

/// What the runs of one system have shown.
#[derive(Default)]
struct Totals {
    killed: Vec<f64>,
    planned: Vec<f64>,
    lost_killed: usize,
    lost_planned: usize,
}

pub(crate) async fn run(runs: usize) -> anyhow::Result<()> {
    let (mut ours, mut theirs) = (Totals::default(), Totals::default());
    {
        let (_server, api) = Server::start().await?;
        api.create_of("valkey", "bench", 3, "async").await?;
        for run in 1..=runs {
            run_ours(&api, &mut ours).await?;
            println!("run {run}: Bellwether {}", last(&ours));
        }
    }
    let peer = Sentinel::start().await?;
    for run in 1..=runs {
        peer.run(&mut theirs).await?;
        println!("run {run}: Sentinel {}", last(&theirs));
    }
    let middle = |values: &[f64]| percentile(values, 50.0);
    let figures = json!({
        "bench": "anchors", "engine": "valkey", "runs": runs,
        "ours_ms": middle(&ours.killed),
        "ours_planned_ms": middle(&ours.planned),
        "sentinel_fast_ms": middle(&theirs.killed),
        "sentinel_planned_ms": middle(&theirs.planned),
        "sentinel_ratio": (middle(&theirs.killed) / middle(&ours.killed) * 100.0).round() / 100.0,
        "lost_acked": ours.lost_killed,
        "lost_acked_planned": ours.lost_planned,
        "sentinel_lost_acked": theirs.lost_killed,
        "sentinel_lost_acked_planned": theirs.lost_planned,
    });
    println!("{figures}");
    Ok(())
}

fn last(totals: &Totals) -> String {
    let ms = |values: &[f64]| values.last().copied().unwrap_or(0.0).round();
    format!(
        "killed {} ms, planned {} ms; lost {} and {}",
        ms(&totals.killed),
        ms(&totals.planned),
        totals.lost_killed,
        totals.lost_planned
    )
}

async fn run_ours(api: &Api, totals: &mut Totals) -> anyhow::Result<()> {
    let replica = api.promotable("bench", READY_MAX).await?.name;
    let writer = RedisWriter::start(api.connection("bench").await?).await?;
    writer.progress(WRITES).await?;
    let operation = api.operate("bench", "switchover", Some(&replica)).await?;
    api.finish(operation.id.as_str(), READY_MAX).await?;
    writer.progress(WRITES).await?;
    let (history, found) = writer.stop().await?;
    totals.planned.push(history.longest_gap().as_secs_f64() * 1_000.0);
    totals.lost_planned += history.lost(&found).len();

    let cluster = api.healthy("bench", READY_MAX).await?;
    let primary = cluster.primary.context("a primary")?;
    let nodes = api.nodes("bench").await?;
    let own = nodes.iter().find(|node| node.id == primary).context("the primary's node")?;
    let connection = api.connection("bench").await?;
    // As with HAProxy, through an address that stays.
    let is_others = |address: &String| !address.starts_with(&format!("{}:", own.address));
    let place = connection.read_write.iter().position(is_others).context("another node")?;
    let writer = RedisWriter::through(connection, place, "written").await?;
    writer.progress(WRITES).await?;
    let killed = Instant::now();
    let container = container_of(primary.as_str())?;
    tokio::task::block_in_place(|| docker(&["kill", &container]))?;
    // What was acknowledged while it was being killed is no sign of another primary.
    tokio::time::sleep(Duration::from_millis(500)).await;
    writer.progress(WRITES).await?;
    totals.killed.push(writer.history().outage(killed).as_secs_f64() * 1_000.0);
    let (history, found) = writer.stop().await?;
    totals.lost_killed += history.lost(&found).len();
    Ok(())
}

struct Sentinel {
    containers: Containers,
    /// HAProxy.
    address: String,
}

impl Sentinel {
    async fn start() -> anyhow::Result<Self> {
        let mut containers = Containers::new("sentinel")?;
        let first = containers.run("node1", IMAGE, &node(None))?;
        let first = address(&first)?;
        let mut addresses = vec![first.clone()];
        for number in 2..=3 {
            let name = containers.run(&format!("node{number}"), IMAGE, &node(Some(&first)))?;
            addresses.push(address(&name)?);
        }
        for number in 1..=3 {
            containers.run(&format!("sentinel{number}"), IMAGE, &sentinel(&first))?;
        }
        let proxy = containers.run("haproxy", IMAGE, &haproxy(&addresses))?;
        let peer = Self { address: format!("{}:6379", address(&proxy)?), containers };
        peer.whole().await?;
        Ok(peer)
    }

    fn ask(&self, short: &str, words: &str) -> anyhow::Result<String> {
        inside(&self.containers.name(short), &format!("valkey-cli {words}"))
    }

    /// Waits until all three run and every sentinel knows of all others.
    async fn whole(&self) -> anyhow::Result<()> {
        until("Sentinel is whole", READY_MAX, || async {
            let primary = self.primary()?;
            let said = self.ask(&primary, "info replication")?;
            ensure!(said.matches("state=online").count() == 2, "{said}");
            let said = self.ask("sentinel1", "-p 26379 info sentinel")?;
            ensure!(said.contains("status=ok") && said.contains("slaves=2,sentinels=3"), "{said}");
            Ok(())
        })
        .await
    }

    /// The short name of the primary, as Sentinel has it.
    fn primary(&self) -> anyhow::Result<String> {
        let said =
            self.ask("sentinel1", "-p 26379 sentinel get-master-addr-by-name bench | head -1")?;
        let mut names = (1..=3).map(|number| format!("node{number}"));
        let of = |name: &String| address(&self.containers.name(name)).is_ok_and(|a| a == said);
        names.find(of).context("nobody is primary")
    }

    async fn run(&self, totals: &mut Totals) -> anyhow::Result<()> {
        let writer = Writer::start(self.address.clone());
        writer.progress(WRITES).await?;
        self.ask("sentinel1", "-p 26379 sentinel failover bench")?;
        let former = self.primary()?;
        until("another is primary", READY_MAX, || async {
            ensure!(self.primary()? != former, "not yet");
            Ok(())
        })
        .await?;
        // The former primary takes writes until Sentinel has told it.
        until("the former primary follows", READY_MAX, || async {
            ensure!(self.ask(&former, "role | head -1")? == "slave", "not yet");
            Ok(())
        })
        .await?;
        writer.progress(WRITES).await?;
        let (gap, lost) = writer.stop(None).await?;
        totals.planned.push(gap);
        totals.lost_planned += lost;
        self.whole().await?;

        let primary = self.containers.name(&self.primary()?);
        let writer = Writer::start(self.address.clone());
        writer.progress(WRITES).await?;
        let killed = Instant::now();
        tokio::task::block_in_place(|| docker(&["kill", &primary]))?;
        tokio::time::sleep(Duration::from_millis(500)).await;
        writer.progress(WRITES).await?;
        let (gap, lost) = writer.stop(Some(killed)).await?;
        totals.killed.push(gap);
        totals.lost_killed += lost;
        docker(&["start", &primary])?;
        self.whole().await
    }
}

fn node(of: Option<&str>) -> String {
    // The role is in the file, so that Sentinel changes it there; a restart keeps it.
    let follow = of.map_or(String::new(), |of| format!("replicaof {of} 6379"));
    format!(
        "[ -s /data/v.conf ] || echo '{follow}' >/data/v.conf; exec valkey-server /data/v.conf \
         --protected-mode no --dir /data --appendonly yes --repl-diskless-sync-delay 0"
    )
}

fn sentinel(primary: &str) -> String {
    format!(
        "sleep 1; [ -s /data/s.conf ] || printf 'protected-mode no\\ndir /data\\nsentinel monitor \
         bench {primary} 6379 2\\nsentinel down-after-milliseconds bench 1000\\nsentinel \
         failover-timeout bench 10000\\n' >/data/s.conf; \
         exec valkey-server /data/s.conf --port 26379 --sentinel"
    )
}

fn haproxy(addresses: &[String]) -> String {
    let servers: String = addresses
        .iter()
        .enumerate()
        .map(|(number, address)| format!("  server node{number} {address}:6379 check\n"))
        .collect();
    format!(
        r"cat >/tmp/haproxy.cfg <<'END'
defaults
  mode tcp
  timeout client 30m
  timeout connect 1s
  timeout server 30m
  timeout check 1s
listen valkey
  bind *:6379
  option tcp-check
  tcp-check send PING\r\n
  tcp-check expect string +PONG
  tcp-check send info\ replication\r\n
  tcp-check expect string role:master
  tcp-check send QUIT\r\n
  tcp-check expect string +OK
  default-server inter 500ms fall 2 rise 1 on-marked-down shutdown-sessions
{servers}END
exec haproxy -db -f /tmp/haproxy.cfg"
    )
}

/// Acknowledged writes, and when each was.
type Acknowledged = Arc<Mutex<Vec<(u64, Instant)>>>;

/// One write per 5 ms, without TLS.
struct Writer {
    address: String,
    acknowledged: Acknowledged,
    task: JoinHandle<()>,
}

impl Writer {
    fn start(address: String) -> Self {
        let acknowledged = Acknowledged::default();
        let task = tokio::spawn(write(address.clone(), acknowledged.clone()));
        Self { address, acknowledged, task }
    }

    fn all(&self) -> Vec<(u64, Instant)> {
        self.acknowledged.lock().expect("the writer does not panic").clone()
    }

    async fn progress(&self, count: usize) -> anyhow::Result<()> {
        let goal = self.all().len() + count;
        until("writes go on", READY_MAX, || async {
            ensure!(self.all().len() >= goal, "{} of {goal} writes", self.all().len());
            Ok(())
        })
        .await
    }

    /// Milliseconds of the longest time without an acknowledgement (that ended after that moment),
    /// and how many acknowledged writes are gone.
    async fn stop(self, since: Option<Instant>) -> anyhow::Result<(f64, usize)> {
        self.task.abort();
        let all = self.all();
        let pairs = all.windows(2).filter(|pair| since.is_none_or(|since| pair[1].1 > since));
        let gap = pairs.map(|pair| pair[1].1 - pair[0].1).max().unwrap_or_default();
        let found: BTreeSet<u64> = until("the members are read", READY_MAX, || async {
            let mut stream = connect(&self.address).await?;
            let mut found = BTreeSet::new();
            for (id, _) in &all {
                if say(&mut stream, &format!("SISMEMBER written {id}")).await?.starts_with(":1") {
                    found.insert(*id);
                }
            }
            Ok(found)
        })
        .await?;
        let mut stream = connect(&self.address).await?;
        say(&mut stream, "DEL written").await?;
        Ok((gap.as_secs_f64() * 1_000.0, all.len() - found.len()))
    }
}

async fn connect(address: &str) -> anyhow::Result<TcpStream> {
    let stream = tokio::time::timeout(DEADLINE, TcpStream::connect(address)).await??;
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn say(stream: &mut TcpStream, line: &str) -> anyhow::Result<String> {
    stream.write_all(format!("{line}\r\n").as_bytes()).await?;
    let mut answer = [0; 512];
    let read = tokio::time::timeout(DEADLINE, stream.read(&mut answer)).await??;
    let answer = String::from_utf8_lossy(&answer[..read]).into_owned();
    ensure!(read > 0 && !answer.starts_with('-'), "{line}: {answer}");
    Ok(answer)
}

async fn write(address: String, acknowledged: Acknowledged) {
    let mut stream = None;
    for id in 1.. {
        let began = Instant::now();
        if stream.is_none() {
            stream = connect(&address).await.ok();
        }
        if let Some(known) = &mut stream {
            match say(known, &format!("SADD written {id}")).await {
                Ok(_) => {
                    let mut all = acknowledged.lock().expect("nobody panics holding it");
                    all.push((id, Instant::now()));
                }
                Err(_) => stream = None,
            }
        }
        tokio::time::sleep(Duration::from_millis(5).saturating_sub(began.elapsed())).await;
    }
}
