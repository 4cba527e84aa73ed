//! Nothing fails, and the machine is far too busy for it: a cluster of three in `strict` with a
//! writer, while one process more than there are cores computes without end. A failover, or a gate
//! that closes, is a mistake of ours.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use bellwether_model::OperationKind;
use bellwether_testkit::docker::container_of;
use bellwether_testkit::{Api, Server, Writer};
use serde_json::json;

/// Between two lines about how it goes.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// What a sentry says when its gate closes, by order or by itself.
const CLOSINGS: [&str; 2] = ["the gate is closed", "the gate closed by itself"];

/// A process that computes, until it is dropped.
struct Busy(Child);

impl Busy {
    fn start() -> anyhow::Result<Self> {
        let child = Command::new("sh")
            .args(["-c", "while :; do :; done"])
            .stdin(Stdio::null())
            .spawn()
            .context("start a process that computes")?;
        Ok(Self(child))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) async fn run(minutes: u64) -> anyhow::Result<()> {
    let (_server, api) = Server::start().await?;
    api.create("bench", 3, "strict").await?;
    let writer = Writer::start(api.connection("bench").await?).await?;
    writer.progress(100).await?;
    let before = (failovers(&api).await?, closings(&api).await?);
    let seen = async || {
        let now = (failovers(&api).await?, closings(&api).await?);
        anyhow::Ok((now.0 - before.0, now.1 - before.1))
    };
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let busy = (0..=cores).map(|_| Busy::start()).collect::<anyhow::Result<Vec<_>>>()?;
    let end = Instant::now() + Duration::from_secs(minutes * 60);
    while Instant::now() < end {
        tokio::time::sleep(TELL_EVERY.min(end.saturating_duration_since(Instant::now()))).await;
        let (failovers, closings) = seen().await?;
        let history = writer.history();
        println!(
            "{} s left: {failovers} failovers, {closings} gate closings, {} writes, {} errors",
            end.saturating_duration_since(Instant::now()).as_secs(),
            history.acknowledged().len(),
            history.errors(),
        );
    }
    let (failovers, gate_closings) = seen().await?;
    drop(busy);
    let (history, found) = writer.stop().await?;
    let figures = json!({
        "bench": "soak", "runs": 1, "minutes": minutes,
        "failovers": failovers, "gate_closings": gate_closings,
        "writes": history.acknowledged().len(),
        "client_errors": history.errors(),
        "longest_gap_ms": u64::try_from(history.longest_gap().as_millis()).unwrap_or(u64::MAX),
        "lost_acked": history.lost(&found).len(),
    });
    println!("{figures}");
    Ok(())
}

async fn failovers(api: &Api) -> anyhow::Result<usize> {
    let operations = api.operations("bench").await?;
    Ok(operations.iter().filter(|o| o.kind == OperationKind::Failover).count())
}

/// How often a gate has closed, as the sentries have said.
async fn closings(api: &Api) -> anyhow::Result<usize> {
    let mut count = 0;
    for node in api.nodes("bench").await? {
        let container = container_of(node.id.as_str())?;
        // What the agent says is the container's output, on either stream.
        let output = Command::new("docker").args(["logs", &container]).output()?;
        anyhow::ensure!(output.status.success(), "docker logs {container} failed");
        for stream in [output.stdout, output.stderr] {
            let text = String::from_utf8_lossy(&stream).into_owned();
            count += text.lines().filter(|l| CLOSINGS.iter().any(|word| l.contains(word))).count();
        }
    }
    Ok(count)
}
