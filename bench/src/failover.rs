//! A writer at one autocommit write per 5 ms through the endpoint: how long it waits from the last
//! write acknowledged before a fault to the first one after it. A replica is promoted; the
//! primary's engine is killed; its machine is killed; frozen, and cut off from everybody, so that
//! nobody can say that it is dead and its lease has to end. Beside it what the engine alone needs:
//! a bare pair whose replica is promoted by hand at once.
//!
//! `ONLY=planned` measures planned changes alone, `ONLY=floor` the engine's floor.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use bellwether_testkit::docker::{container_of, docker};
use bellwether_testkit::faults::Isolation;
use bellwether_testkit::wait::until;
use bellwether_testkit::{Api, History, Load, Server};
use serde_json::json;

use crate::figures::percentile;
use crate::floor;

/// Writes come every 5 ms: a longer silence is the fault's.
const FELT_MIN: Duration = Duration::from_millis(40);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Crashed,
    Killed,
    Frozen,
    Isolated,
}

impl Fault {
    const ALL: [Self; 4] = [Self::Crashed, Self::Killed, Self::Frozen, Self::Isolated];
}

/// What is measured.
#[derive(Clone, Copy)]
struct Engine {
    name: &'static str,
    /// The name of its process.
    process: &'static str,
    /// Where it has one, the mode that promises to lose nothing; `async` may lose what it had not
    /// sent.
    mode: &'static str,
}

impl Engine {
    const ALL: [Self; 5] = [
        Self { name: "postgresql", process: "postgres", mode: "strict" },
        Self { name: "mariadb", process: "mariadbd", mode: "strict" },
        Self { name: "mysql", process: "mysqld", mode: "strict" },
        Self { name: "valkey", process: "valkey-server", mode: "async" },
        Self { name: "redis", process: "redis-server", mode: "async" },
    ];

    fn chosen() -> anyhow::Result<Self> {
        let name = std::env::var("ENGINE").unwrap_or_else(|_| "postgresql".to_owned());
        let known = Self::ALL.into_iter().find(|engine| engine.name == name);
        known.with_context(|| {
            format!("ENGINE={name}: there are postgresql, mariadb, mysql, valkey and redis")
        })
    }
}

/// What the runs so far have shown.
#[derive(Default)]
struct Totals {
    /// Milliseconds of each fault, in the order of `Fault::ALL`.
    outages: [Vec<f64>; 4],
    planned: Vec<f64>,
    floor: Vec<f64>,
    lost: usize,
    overlaps: usize,
    errors_planned: usize,
}

pub(crate) async fn run(runs: usize) -> anyhow::Result<()> {
    let (_server, api) = Server::start().await?;
    let engine = Engine::chosen()?;
    let mode = std::env::var("REPLICATION").unwrap_or_else(|_| engine.mode.to_owned());
    api.create_of(engine.name, "bench", 3, &mode).await?;
    let mut totals = Totals::default();
    let only = std::env::var("ONLY").unwrap_or_default();
    for run in 1..=runs {
        if only != "floor" {
            planned_move(&api, engine, &mut totals).await?;
        }
        if only == "floor" {
            totals.floor.push(floor::measure(engine.name).await?);
        }
        if !only.is_empty() {
            continue;
        }
        for (kind, fault) in Fault::ALL.into_iter().enumerate() {
            let outage = strike(&api, engine, fault, &mut totals).await?;
            totals.outages[kind].push(outage);
        }
        totals.floor.push(floor::measure(engine.name).await?);
        let [crashed, killed, frozen, isolated] = &totals.outages;
        let last = |values: &[f64]| values.last().copied().unwrap_or(0.0).round();
        println!(
            "run {run}: planned {} ms, crashed {} ms, killed {} ms, frozen {} ms, isolated {} ms, \
             floor {} ms; lost {}, overlapping {}, errors when planned {}",
            last(&totals.planned),
            last(crashed),
            last(killed),
            last(frozen),
            last(isolated),
            last(&totals.floor),
            totals.lost,
            totals.overlaps,
            totals.errors_planned,
        );
    }
    let [crashed, killed, frozen, isolated] = &totals.outages;
    let figures = json!({
        "bench": "failover", "engine": engine.name, "replication": mode, "runs": runs,
        "crash_p50_ms": percentile(crashed, 50.0),
        "crash_p99_ms": percentile(crashed, 99.0),
        "node_killed_p50_ms": percentile(killed, 50.0),
        "node_killed_p99_ms": percentile(killed, 99.0),
        "paused_p50_ms": percentile(frozen, 50.0),
        "paused_p99_ms": percentile(frozen, 99.0),
        "isolated_p50_ms": percentile(isolated, 50.0),
        "isolated_p99_ms": percentile(isolated, 99.0),
        "planned_p50_ms": percentile(&totals.planned, 50.0),
        "planned_p99_ms": percentile(&totals.planned, 99.0),
        "floor_p50_ms": percentile(&totals.floor, 50.0),
        "lost_acked": totals.lost,
        "dual_primary": totals.overlaps,
        "client_errors_planned": totals.errors_planned,
    });
    println!("{figures}");
    Ok(())
}

/// One fault of the primary; milliseconds without an acknowledged write.
async fn strike(
    api: &Api,
    engine: Engine,
    fault: Fault,
    totals: &mut Totals,
) -> anyhow::Result<f64> {
    let cluster = api.healthy("bench", Duration::from_secs(120)).await?;
    let primary = cluster.primary.expect("a healthy cluster has a primary");
    // Through an endpoint that stays: how long clients wait for a dead one is theirs to choose.
    let connection = api.connection("bench").await?;
    let nodes = api.nodes("bench").await?;
    let victim = nodes.iter().find(|node| node.id == primary).context("the primary's node")?;
    let is_victims = |address: &String| address.starts_with(&format!("{}:", victim.address));
    let places = &connection.read_write;
    let other = places.iter().position(|address| !is_victims(address)).context("another")?;
    let own = places.iter().position(is_victims).context("the primary's own endpoint")?;
    // A second one holds on to the old primary as long as it can.
    let clinging = Load::start(engine.name, connection.clone(), own, "clinging").await?;
    let writer = Load::start(engine.name, connection, other, "written").await?;
    writer.progress(100).await?;
    let container = container_of(primary.as_str())?;
    let at = Instant::now();
    let isolation = tokio::task::block_in_place(|| begin(engine, fault, &container))?;
    until("the outage is over", Duration::from_secs(60), || async {
        anyhow::ensure!(writer.history().outage(at) > FELT_MIN, "the fault is not felt yet");
        Ok(())
    })
    .await?;
    writer.progress(100).await?;
    let outage = writer.history().outage(at);
    drop(isolation);
    if fault == Fault::Frozen {
        docker(&["unpause", &container])?;
    }
    let (history, found) = writer.stop().await?;
    let (held_on, held) = clinging.stop().await?;
    totals.lost += history.lost(&found).len() + held_on.lost(&held).len();
    totals.overlaps += History::overlaps(&[&history, &held_on]);
    api.healthy("bench", Duration::from_secs(120)).await?;
    Ok(outage.as_secs_f64() * 1_000.0)
}

fn begin(engine: Engine, fault: Fault, container: &str) -> anyhow::Result<Option<Isolation>> {
    match fault {
        Fault::Crashed => docker(&["exec", container, "pkill", "-KILL", "-x", engine.process])?,
        Fault::Killed => docker(&["kill", container])?,
        Fault::Frozen => docker(&["pause", container])?,
        Fault::Isolated => return Isolation::of(container).map(Some),
    };
    Ok(None)
}

async fn planned_move(api: &Api, engine: Engine, totals: &mut Totals) -> anyhow::Result<()> {
    let replica = api.promotable("bench", Duration::from_secs(120)).await?.name;
    let writer = Load::start(engine.name, api.connection("bench").await?, 0, "written").await?;
    writer.progress(100).await?;
    let operation = api.operate("bench", "switchover", Some(&replica)).await?;
    let operation = api.finish(operation.id.as_str(), Duration::from_secs(60)).await?;
    writer.progress(100).await?;
    let (history, found) = writer.stop().await?;
    let gap_ms = history.longest_gap().as_secs_f64() * 1_000.0;
    let state = |name: &str| operation.state[name].as_u64().unwrap_or_default();
    println!(
        "planned: {gap_ms:.0} ms; the server saw clients held back after {} ms, the end of the \
         former primary after {} ms, the next one serve after {} ms",
        state("drained_ms"),
        state("surrendered_ms"),
        state("serving_ms"),
    );
    totals.planned.push(gap_ms);
    totals.errors_planned += history.errors();
    totals.lost += history.lost(&found).len();
    Ok(())
}
