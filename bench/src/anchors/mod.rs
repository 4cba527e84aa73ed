//! The same writer and the same fault for Bellwether and its peers, one after the other in one run:
//! the primary's machine is killed, and the time without an acknowledged write is taken. The peers
//! have the fastest settings that they accept.

mod containers;
mod patroni;
mod pg_auto_failover;
mod sentinel;
mod writer;

use std::time::Duration;

use anyhow::Context as _;
use bellwether_testkit::docker::{container_of, docker};
use bellwether_testkit::wait::until;
use bellwether_testkit::{Api, Server, sql};
use serde_json::json;

use self::patroni::Patroni;
use self::pg_auto_failover::PgAutoFailover;
use self::writer::{Open, Writer};
use crate::figures::percentile;

/// Writes before the fault and after it.
const WRITES: usize = 200;

/// One that has not come back by then does not.
const BACK_MAX: Duration = Duration::from_secs(180);

/// What the runs of one system have shown.
#[derive(Default)]
struct Totals {
    outages: Vec<f64>,
    lost: usize,
}

pub(crate) async fn run(runs: usize) -> anyhow::Result<()> {
    match std::env::var("ENGINE").as_deref() {
        Ok("valkey") => sentinel::run(runs).await,
        Ok("postgresql") | Err(_) => run_postgresql(runs).await,
        Ok(other) => anyhow::bail!("ENGINE={other}: there are postgresql and valkey"),
    }
}

async fn run_postgresql(runs: usize) -> anyhow::Result<()> {
    let mut totals = [Totals::default(), Totals::default(), Totals::default()];
    let [ours, patroni, auto] = &mut totals;
    {
        let (_server, api) = Server::start().await?;
        // What it takes by default, and what the peers do: nobody confirms a write.
        api.create("bench", 3, "async").await?;
        for run in 1..=runs {
            let words = kill_ours(&api, ours).await?;
            println!("run {run}: Bellwether {words}");
        }
    }
    {
        let peer = Patroni::start().await?;
        for run in 1..=runs {
            let primary = peer.primary().await?;
            let words = kill(&primary, peer.open(), patroni).await?;
            println!("run {run}: Patroni {words}");
            docker(&["start", &primary])?;
            peer.whole().await?;
        }
    }
    {
        let peer = PgAutoFailover::start().await?;
        for run in 1..=runs {
            let primary = peer.primary().await?;
            let words = kill(&primary, peer.open(), auto).await?;
            println!("run {run}: pg_auto_failover {words}");
            docker(&["start", &primary])?;
            peer.whole().await?;
        }
    }
    let [ours, patroni, auto] = &totals;
    let middle = |of: &Totals| percentile(&of.outages, 50.0);
    let ratio = |of: &Totals| (middle(of) / middle(ours) * 100.0).round() / 100.0;
    let figures = json!({
        "bench": "anchors", "runs": runs,
        "ours_ms": middle(ours),
        "patroni_fast_ms": middle(patroni),
        "pg_auto_failover_fast_ms": middle(auto),
        "patroni_ratio": ratio(patroni),
        "pg_auto_failover_ratio": ratio(auto),
        "lost_acked": ours.lost,
        "patroni_lost_acked": patroni.lost,
        "pg_auto_failover_lost_acked": auto.lost,
    });
    println!("{figures}");
    Ok(())
}

async fn kill_ours(api: &Api, totals: &mut Totals) -> anyhow::Result<String> {
    let cluster = api.healthy("bench", BACK_MAX).await?;
    let primary = cluster.primary.context("a primary")?;
    let own = api.nodes("bench").await?;
    let own = own.into_iter().find(|node| node.id == primary).context("the primary's node")?;
    let connection = api.connection("bench").await?;
    // As with HAProxy, through an address that stays.
    let is_others = |address: &&String| !address.starts_with(&format!("{}:", own.address));
    let address = connection.read_write.iter().find(is_others).context("another node")?.clone();
    let open: Open = Box::new(move |_| {
        let (connection, address) = (connection.clone(), address.clone());
        Box::pin(async move { sql::connect(&connection, &address, Duration::from_secs(5)).await })
    });
    let words = kill(&container_of(primary.as_str())?, open, totals).await?;
    api.healthy("bench", BACK_MAX).await?;
    Ok(words)
}

/// Kills the primary's machine under a writer; what that cost, in words.
async fn kill(container: &str, open: Open, totals: &mut Totals) -> anyhow::Result<String> {
    let writer = Writer::start(open).await?;
    until("the first writes", BACK_MAX, || writer.has(WRITES)).await?;
    let count = writer.count();
    let killed = writer.mark();
    tokio::task::block_in_place(|| docker(&["kill", container]))?;
    // What was acknowledged while it was being killed is no sign of another primary.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let goal = writer.count().max(count) + WRITES;
    until("writes go on", BACK_MAX, || writer.has(goal)).await?;
    let (outage, lost) = writer.stop(killed).await?;
    let outage = outage.as_secs_f64() * 1_000.0;
    totals.outages.push(outage);
    totals.lost += lost;
    Ok(format!("{outage:.0} ms, {lost} lost"))
}
