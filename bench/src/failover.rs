//! A writer at one autocommit write per 5 ms through the endpoint: how long it waits from the last
//! write acknowledged before a fault to the first one after it. The primary's container is killed;
//! frozen, so that nobody can say that it is dead and its lease has to end; and a replica promoted.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use bellwether_testkit::docker::{container_of, docker};
use bellwether_testkit::wait::until;
use bellwether_testkit::{Api, Server, Writer};
use serde_json::json;

use crate::figures::percentile;

/// Writes come every 5 ms: a longer silence is the fault's.
const FELT_MIN: Duration = Duration::from_millis(40);

pub(crate) async fn run(runs: usize) -> anyhow::Result<()> {
    let (_server, api) = Server::start().await?;
    // By default the mode that promises to lose nothing; `async` may lose what it had not sent.
    let mode = std::env::var("REPLICATION").unwrap_or_else(|_| "strict".to_owned());
    api.create("bench", 3, &mode).await?;
    let mut killed = Vec::new();
    let mut frozen = Vec::new();
    let mut planned = Vec::new();
    let (mut lost, mut errors_planned) = (0, 0);
    for run in 1..=runs {
        let (gap, errors, missing) = planned_move(&api).await?;
        planned.push(gap);
        errors_planned += errors;
        let mut lost_here = vec![missing];
        let (outage, missing) = fault(&api, "kill").await?;
        killed.push(outage);
        lost_here.push(missing);
        let (outage, missing) = fault(&api, "pause").await?;
        frozen.push(outage);
        lost_here.push(missing);
        lost += lost_here.iter().sum::<usize>();
        println!(
            "run {run}: planned {:.0} ms, killed {:.0} ms, frozen {:.0} ms; lost {lost_here:?}",
            planned[run - 1],
            killed[run - 1],
            frozen[run - 1],
        );
    }
    let figures = json!({
        "bench": "failover", "replication": mode, "runs": runs,
        "node_killed_p50_ms": percentile(&killed, 50.0),
        "node_killed_p99_ms": percentile(&killed, 99.0),
        "node_frozen_p50_ms": percentile(&frozen, 50.0),
        "node_frozen_p99_ms": percentile(&frozen, 99.0),
        "planned_p50_ms": percentile(&planned, 50.0),
        "planned_p99_ms": percentile(&planned, 99.0),
        "lost_acked": lost,
        "client_errors_planned": errors_planned,
    });
    println!("{figures}");
    Ok(())
}

async fn fault(api: &Api, kind: &str) -> anyhow::Result<(f64, usize)> {
    let cluster = api.healthy("bench", Duration::from_secs(120)).await?;
    let primary = cluster.primary.expect("a healthy cluster has a primary");
    // Through an endpoint that stays: how long clients wait for a dead one is theirs to choose.
    let connection = api.connection("bench").await?;
    let nodes = api.nodes("bench").await?;
    let victim = nodes.iter().find(|node| node.id == primary).context("the primary's node")?;
    let is_other = |address: &String| !address.starts_with(&format!("{}:", victim.address));
    let place = connection.read_write.iter().position(is_other).context("another endpoint")?;
    let writer = Writer::through(connection, place).await?;
    writer.progress(100).await?;
    let container = container_of(primary.as_str())?;
    let at = Instant::now();
    tokio::task::block_in_place(|| docker(&[kind, &container]))?;
    until("the outage is over", Duration::from_secs(60), || async {
        anyhow::ensure!(writer.history().outage(at) > FELT_MIN, "the fault is not felt yet");
        Ok(())
    })
    .await?;
    writer.progress(100).await?;
    let outage = writer.history().outage(at);
    if kind == "pause" {
        docker(&["unpause", &container])?;
    }
    let (history, found) = writer.stop().await?;
    api.healthy("bench", Duration::from_secs(120)).await?;
    Ok((outage.as_secs_f64() * 1_000.0, history.lost(&found).len()))
}

async fn planned_move(api: &Api) -> anyhow::Result<(f64, usize, usize)> {
    let cluster = api.healthy("bench", Duration::from_secs(120)).await?;
    let nodes = api.nodes("bench").await?;
    let replica = nodes.iter().find(|node| Some(&node.id) != cluster.primary.as_ref());
    let replica = replica.expect("a healthy cluster of three has replicas").name.clone();
    let writer = Writer::start(api.connection("bench").await?).await?;
    writer.progress(100).await?;
    let operation = api.operate("bench", "switchover", Some(&replica)).await?;
    api.finish(operation.id.as_str(), Duration::from_secs(60)).await?;
    writer.progress(100).await?;
    let (history, found) = writer.stop().await?;
    let gap = history.longest_gap().as_secs_f64() * 1_000.0;
    Ok((gap, history.errors(), history.lost(&found).len()))
}
