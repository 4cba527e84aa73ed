//! H5: every change of primary leaves a report, with how long writes waited as a client at an
//! endpoint sees it.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use bellwether_model::event::Page;
use bellwether_model::report::{Loss, Report};
use bellwether_testkit::docker::{container_of, docker, inside};
use bellwether_testkit::wait::until;
use bellwether_testkit::{Api, Server, Writer, sql};

/// The newest report, once it tells how long writes waited.
async fn measured(api: &Api, kind: &str) -> anyhow::Result<Report> {
    until("the report tells how long writes waited", Duration::from_secs(20), || async {
        let all: Page<Report> = api.get("/v1/clusters/orders/reports").await?;
        let newest = all.items.into_iter().find(|report| report.kind.word() == kind);
        let newest = newest.context("no report yet")?;
        ensure!(newest.write_gap_ms.is_some(), "not yet: {}", newest.message);
        Ok(newest)
    })
    .await
}

/// What the report tells is what a client has seen, but for how often both look.
fn assert_agrees(report: &Report, seen: Duration) {
    let told = report.write_gap_ms.expect("measured");
    let seen = u64::try_from(seen.as_millis()).unwrap_or(u64::MAX);
    let longest = report.measured_by.iter().max_by_key(|gap| gap.ms).expect("measured");
    println!("told {told} ms, of them {} unsure; seen {seen} ms", longest.slack_ms);
    let certain = told - longest.slack_ms;
    assert!(certain <= seen + 250, "told {told} ms, seen {seen} ms: {report:?}");
    assert!(told + 250 >= seen, "told {told} ms, seen {seen} ms: {report:?}");
}

#[tokio::test]
async fn a_failover_tells_what_was_seen_decided_measured_and_lost() -> anyhow::Result<()> {
    let (server, api) = Server::start().await?;
    let cluster = api.create("orders", 3, "strict").await?;
    let former = cluster.primary.context("a primary")?;
    let connection = api.connection("orders").await?;
    let stays = api.nodes("orders").await?.into_iter().find(|node| node.id != former);
    let stays = format!("{}:", stays.context("a replica")?.address);
    let place = connection.read_write.iter().position(|address| address.starts_with(&stays));
    let writer = Writer::through(connection, place.context("its endpoint")?, "orders").await?;
    writer.progress(50).await?;

    let killed = Instant::now();
    let container = container_of(former.as_str())?;
    docker(&["exec", &container, "pkill", "-KILL", "-x", "postgres"])?;
    writer.progress(50).await?;
    let seen = writer.history().outage(killed);
    let report = measured(&api, "failover").await?;
    assert_agrees(&report, seen);

    assert_eq!((report.decision.rule, report.loss), (205, Loss::Nothing), "{report:?}");
    let evidence = report.seen.evidence.as_ref().context("the numbers")?;
    assert!(evidence.engine_died && evidence.witnesses.len() == 2, "{evidence:?}");
    let names: Vec<&str> = report.timeline.iter().map(|phase| phase.name.as_str()).collect();
    assert_eq!(names, ["confirmed", "promised", "fenced", "chosen", "serving"]);
    assert!(report.timeline.is_sorted_by_key(|phase| phase.ended_ms), "{:?}", report.timeline);
    assert!(!report.measured_by.iter().any(|gap| gap.node == former), "it was the victim");
    let same: Report = api.get(&format!("/v1/reports/{}", report.id)).await?;
    assert_eq!(same.id, report.id);
    api.healthy("orders", Duration::from_secs(60)).await?;
    writer.stop().await?;
    server.check_log()
}

#[tokio::test]
async fn a_switchover_tells_how_long_writes_waited() -> anyhow::Result<()> {
    let (server, api) = Server::start().await?;
    api.create("orders", 2, "async").await?;
    let writer = Writer::start(api.connection("orders").await?).await?;
    writer.progress(50).await?;
    let replica = api.promotable("orders", Duration::from_secs(30)).await?;
    let began = Instant::now();
    let operation = api.operate("orders", "switchover", Some(&replica.name)).await?;
    let operation = api.finish(operation.id.as_str(), Duration::from_secs(60)).await?;
    writer.progress(50).await?;
    let seen = writer.history().outage(began);
    let report = measured(&api, "switchover").await?;
    assert_agrees(&report, seen);
    assert!(operation.message.contains("writes waited"), "{}", operation.message);
    assert_eq!((report.measured_by.len(), report.loss), (2, Loss::Nothing), "{report:?}");
    writer.stop().await?;
    server.check_log()
}

/// The client that measures is none of the users': it is counted nowhere, holds nothing up, and may
/// do nothing else.
#[tokio::test]
async fn whoever_measures_is_not_in_the_way() -> anyhow::Result<()> {
    let (server, api) = Server::start().await?;
    let cluster = api.create("orders", 2, "async").await?;
    let primary = container_of(cluster.primary.context("a primary")?.as_str())?;
    let ask = |statement: &str| {
        let socket = "host=/run/bellwether/postgresql port=5431 user=postgres dbname=postgres";
        docker(&["exec", &primary, "psql", socket, "-AtXc", statement])
    };
    let sessions = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'bellwether_probe'";
    until("both endpoints measure", Duration::from_secs(20), || async {
        ensure!(ask(sessions)?.trim() == "2", "not yet");
        Ok(())
    })
    .await?;
    let rights =
        ask("SELECT rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls \
         FROM pg_roles WHERE rolname = 'bellwether_probe'")?;
    assert_eq!(rights.trim(), "f");
    let client = sql::read_write(&api.connection("orders").await?).await?;
    until("one client is counted", Duration::from_secs(10), || async {
        let nodes = api.nodes("orders").await?;
        let connections: Vec<_> = nodes.iter().map(|node| node.connections).collect();
        ensure!(connections.iter().flatten().sum::<u32>() == 1, "{connections:?}");
        Ok(())
    })
    .await?;
    drop(client);
    // Nothing of it is in any table, and its password is told to nobody.
    let tables = ask("SELECT count(*) FROM pg_stat_user_tables")?;
    assert_eq!(tables.trim(), "0");
    let secret = inside(&primary, "cat /var/lib/bellwether/sentry.json")?;
    assert!(secret.contains("probe_password"));
    assert!(!server.log().contains("probe_password"));
    server.check_log()
}
