//! Every node accepts writes: one is lost under load, then the majority, then everything stops.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use bellwether_model::connection::Connection;
use bellwether_model::{ClusterPhase, ClusterView, NodeView};
use bellwether_testkit::docker::{container_of, docker};
use bellwether_testkit::wait::until;
use bellwether_testkit::{Api, MysqlWriter, Server, mysql};
use mysql_async::prelude::Queryable as _;
use serde_json::json;

const CONNECT_MAX: Duration = Duration::from_secs(2);

/// Writes elsewhere go on within this time when a node is killed.
const PAUSE_MAX: Duration = Duration::from_secs(3);

/// What is found wrong in its spec keeps a cluster from being made.
async fn create(api: &Api, nodes: u32) -> anyhow::Result<ClusterView> {
    let spec = json!({
        "name": "orders", "engine": "mariadb", "nodes": nodes, "multi_primary": true,
        "size": { "cpus": 1, "memory": "768MiB", "disk": "2GiB" },
        "allowlist": [{ "address": "server" }],
    });
    api.post("/v1/clusters", &spec).await
}

/// The same clients at that node's own gate.
fn at(connection: &Connection, node: &NodeView) -> Connection {
    Connection { read_write: vec![format!("{}:3306", node.address)], ..connection.clone() }
}

async fn kill(node: &NodeView) -> anyhow::Result<()> {
    docker(&["kill", &container_of(node.id.as_str())?]).map(|_| ())
}

#[tokio::test]
async fn every_node_writes_and_what_is_lost_comes_back() -> anyhow::Result<()> {
    let (server, api) = Server::start().await?;
    let refused = create(&api, 2).await.err().context("two nodes were made")?.to_string();
    ensure!(refused.contains("no majority is left"), "{refused}");
    let made = create(&api, 3).await?;
    let creation = made.operation.context("creating is an operation")?;
    api.finish(creation.as_str(), Duration::from_secs(180)).await?;
    let cluster = api.healthy("orders", Duration::from_secs(60)).await?;
    let led = cluster.primary_name.context("a node that clients are led to")?;
    let (nodes, connection) = (api.nodes("orders").await?, api.connection("orders").await?);

    every_node_writes(&nodes, &connection).await?;
    let refused = api.operate("orders", "switchover", Some("orders-2")).await.err();
    let refused = refused.context("it was promoted")?.to_string();
    ensure!(refused.contains("nothing to promote"), "{refused}");

    one_is_killed(&api, &nodes, &connection, &led).await?;
    the_majority_is_killed(&api, &nodes, &connection).await?;
    everything_stops(&api, &nodes, &connection).await?;
    server.check_log()
}

async fn every_node_writes(nodes: &[NodeView], connection: &Connection) -> anyhow::Result<()> {
    let mut first = mysql::read_write(&at(connection, &nodes[0])).await?;
    first.query_drop("CREATE TABLE seen (id INT PRIMARY KEY AUTO_INCREMENT, node TEXT)").await?;
    for node in nodes {
        ensure!(node.state.contains("Synced"), "{}: {}", node.name, node.state);
        let mut client = mysql::read_write(&at(connection, node)).await?;
        client.exec_drop("INSERT INTO seen (node) VALUES (?)", (&node.name.to_string(),)).await?;
    }
    for node in nodes {
        counts(connection, node, nodes.len()).await?;
    }
    Ok(())
}

/// Waits until that node has so many rows.
async fn counts(connection: &Connection, node: &NodeView, rows: usize) -> anyhow::Result<()> {
    until("it has every row", Duration::from_secs(10), || async {
        let address = &at(connection, node).read_write[0];
        let mut client = mysql::connect(connection, address, CONNECT_MAX).await?;
        let found: Option<usize> = client.query_first("SELECT COUNT(*) FROM seen").await?;
        ensure!(found == Some(rows), "{} has {found:?} of {rows}", node.name);
        Ok(())
    })
    .await
}

/// That which clients are led to.
async fn one_is_killed(
    api: &Api,
    nodes: &[NodeView],
    connection: &Connection,
    led: &str,
) -> anyhow::Result<()> {
    let lost = nodes.iter().find(|node| node.name == led).context("it is a node")?;
    let other = nodes.iter().find(|node| node.name != led).context("another")?;
    let place = connection.read_write.iter().position(|a| a.starts_with(&other.address));
    let place = place.context("its endpoint")?;
    let near = MysqlWriter::through(at(connection, other), 0, "near").await?;
    let led = MysqlWriter::through(connection.clone(), place, "led").await?;
    near.progress(50).await?;
    led.progress(50).await?;

    let killed = Instant::now();
    kill(lost).await?;
    near.progress(50).await?;
    led.progress(50).await?;
    let (direct, through) = (near.history().outage(killed), led.history().outage(killed));
    println!("one killed: writes waited {direct:?} at another node, {through:?} at the endpoint");
    ensure!(direct < PAUSE_MAX, "writes at another node waited {direct:?}");
    ensure!(through < PAUSE_MAX + CONNECT_MAX, "writes at the endpoint waited {through:?}");
    let now = api.cluster("orders").await?;
    ensure!(now.primary.as_ref() != Some(&lost.id), "clients are led to who is gone");
    api.healthy("orders", Duration::from_secs(90)).await?;
    for writer in [near, led] {
        let (history, found) = writer.stop().await?;
        ensure!(history.lost(&found).is_empty(), "acknowledged writes are missing");
    }
    Ok(())
}

/// The one that is left takes no writes, and all go on once the others are back.
async fn the_majority_is_killed(
    api: &Api,
    nodes: &[NodeView],
    connection: &Connection,
) -> anyhow::Result<()> {
    let left = &nodes[1];
    let mut client = mysql::read_write(&at(connection, left)).await?;
    client.query_drop("INSERT INTO seen (node) VALUES ('before')").await?;
    kill(&nodes[0]).await?;
    kill(&nodes[2]).await?;
    until("it is told", Duration::from_secs(20), || async {
        let now = api.cluster("orders").await?;
        ensure!(now.phase == ClusterPhase::Unavailable, "{}", now.sentence);
        ensure!(
            now.sentence.contains("the majority is lost") || now.sentence.contains("begun anew"),
            "{}",
            now.sentence
        );
        Ok(())
    })
    .await?;
    let write = client.query_drop("INSERT INTO seen (node) VALUES ('alone')");
    let written = tokio::time::timeout(Duration::from_secs(3), write).await;
    ensure!(!matches!(written, Ok(Ok(()))), "one without the majority took a write");
    let began = Instant::now();
    api.healthy("orders", Duration::from_secs(120)).await?;
    println!("majority killed: healthy again {:?} after it was told", began.elapsed());
    for node in nodes {
        counts(connection, node, nodes.len() + 1).await?;
    }
    Ok(())
}

async fn everything_stops(
    api: &Api,
    nodes: &[NodeView],
    connection: &Connection,
) -> anyhow::Result<()> {
    let containers: Result<Vec<String>, _> =
        nodes.iter().map(|node| container_of(node.id.as_str())).collect();
    let containers = containers?;
    let stop = ["stop", "--time", "30"].into_iter().chain(containers.iter().map(String::as_str));
    let began = Instant::now();
    docker(&stop.collect::<Vec<_>>())?;
    until("it is told", Duration::from_secs(20), || async {
        let now = api.cluster("orders").await?;
        ensure!(now.phase != ClusterPhase::Healthy, "{}", now.sentence);
        Ok(())
    })
    .await?;
    api.healthy("orders", Duration::from_secs(120)).await?;
    println!("everything stopped: healthy again after {:?}", began.elapsed());
    let mut client = mysql::read_write(connection).await?;
    client.query_drop("INSERT INTO seen (node) VALUES ('after')").await?;
    for node in nodes {
        counts(connection, node, nodes.len() + 2).await?;
    }
    Ok(())
}
