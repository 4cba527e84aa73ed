//! Every node accepts writes: one is lost under load, then one is cut off from the others, then the
//! majority is killed, then everything stops; then one is lost for good, and then the majority is.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use bellwether_model::connection::Connection;
use bellwether_model::{ClusterPhase, ClusterView, NodeView};
use bellwether_testkit::docker::{container_of, docker};
use bellwether_testkit::faults::Loss;
use bellwether_testkit::wait::until;
use bellwether_testkit::{Api, MysqlWriter, Server, mysql};
use mysql_async::prelude::Queryable as _;
use serde_json::json;

const CONNECT_MAX: Duration = Duration::from_secs(2);

/// Writes elsewhere go on within this time when a node is killed.
const PAUSE_MAX: Duration = Duration::from_secs(3);

/// Rows that were written one by one until everything has stopped.
const ROWS_MADE: usize = 5;

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
    let error = create(&api, 2).await.err().context("two nodes were made")?.to_string();
    ensure!(error.contains("no majority is left"), "{error}");
    let made = create(&api, 3).await?;
    let creation = made.operation.context("creating is an operation")?;
    api.finish(creation.as_str(), Duration::from_secs(180)).await?;
    let cluster = api.healthy("orders", Duration::from_secs(60)).await?;
    let led = cluster.primary_name.context("a node that clients are led to")?;
    let (nodes, connection) = (api.nodes("orders").await?, api.connection("orders").await?);

    every_node_writes(&nodes, &connection).await?;
    refused(&api, "switchover", "orders-2", "nothing to promote").await?;
    let drills = json!({ "drill": { "schedule": "0 3 * * *", "kind": "switchover" } });
    let error = api.change("orders", cluster.generation, &drills).await.err();
    let error = error.context("there are drills")?.to_string();
    ensure!(error.contains("no primary to drill with"), "{error}");

    one_is_killed(&api, &nodes, &connection, &led).await?;
    one_is_cut_off(&api, &nodes, &connection).await?;
    the_majority_is_killed(&api, &nodes, &connection).await?;
    everything_stops(&api, &nodes, &connection).await?;
    one_is_lost_for_good(&api).await?;
    the_majority_is_lost_for_good(&api).await?;
    server.check_log()
}

/// That is not done, for the reason that has these words.
async fn refused(api: &Api, kind: &str, node: &str, words: &str) -> anyhow::Result<()> {
    let error = api.operate("orders", kind, Some(node)).await.err();
    let error = error.with_context(|| format!("{kind} of {node} has begun"))?.to_string();
    ensure!(error.contains(words), "{error}");
    Ok(())
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

/// That which clients are led to loses touch with the others: it takes nothing more, they go on,
/// and it joins them again with what it lacks.
async fn one_is_cut_off(
    api: &Api,
    nodes: &[NodeView],
    connection: &Connection,
) -> anyhow::Result<()> {
    let led = api.cluster("orders").await?.primary;
    let (alone, others): (Vec<&NodeView>, Vec<&NodeView>) =
        nodes.iter().partition(|node| Some(&node.id) == led.as_ref());
    let alone = alone.first().context("that which clients are led to")?;
    let addresses: Vec<&str> = others.iter().map(|node| node.address.as_str()).collect();
    let is_theirs =
        |endpoint: &&String| addresses.iter().any(|one| endpoint.starts_with(&format!("{one}:")));
    let theirs: Vec<String> = connection.read_write.iter().filter(is_theirs).cloned().collect();
    let far =
        MysqlWriter::through(Connection { read_write: theirs, ..connection.clone() }, 0, "far");
    let far = far.await?;
    let near = MysqlWriter::through(at(connection, alone), 0, "cut").await?;

    let cut = Instant::now();
    let loss = Loss::between(&container_of(alone.id.as_str())?, &addresses)?;
    until("clients are led elsewhere", Duration::from_secs(20), || async {
        let now = api.cluster("orders").await?;
        ensure!(now.primary != led && now.phase == ClusterPhase::Degraded, "{}", now.sentence);
        Ok(())
    })
    .await?;
    far.progress(50).await?;
    let outage = far.history().outage(cut);
    ensure!(outage < PAUSE_MAX + CONNECT_MAX, "writes at the others waited {outage:?}");
    let taken = near.history().acknowledged().len();
    far.progress(100).await?;
    let after = near.history().acknowledged().len();
    ensure!(taken == after, "one without the majority took {} writes", after - taken);
    drop(loss);

    let healed = Instant::now();
    near.progress(50).await?;
    api.healthy("orders", Duration::from_secs(60)).await?;
    println!("cut off: writes waited {outage:?}; healed: whole after {:?}", healed.elapsed());
    let mut client = mysql::read_write(&at(connection, alone)).await?;
    let up: Option<(String, u64)> = client.query_first("SHOW GLOBAL STATUS LIKE 'Uptime'").await?;
    let up = Duration::from_secs(up.context("for how long it has run")?.1 + 1);
    ensure!(up > cut.elapsed(), "its data was copied anew: its engine runs for {up:?}");
    for writer in [near, far] {
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

/// Its machine will never be back: it is not removed from three, and another takes its place.
async fn one_is_lost_for_good(api: &Api) -> anyhow::Result<()> {
    let connection = api.connection("orders").await?;
    let led = api.cluster("orders").await?.primary;
    let nodes = api.nodes("orders").await?;
    let lost = nodes.iter().find(|node| Some(&node.id) == led.as_ref()).context("a node")?;
    docker(&["rm", "-f", &container_of(lost.id.as_str())?])?;
    until("the others go on", Duration::from_secs(20), || async {
        let now = api.cluster("orders").await?;
        ensure!(now.primary != led && now.phase == ClusterPhase::Degraded, "{}", now.sentence);
        Ok(())
    })
    .await?;
    let words = format!("replace {}, or add a node first", lost.name);
    refused(api, "remove_node", &lost.name, &words).await?;
    let began = Instant::now();
    let operation = api.operate("orders", "replace_node", Some(&lost.name)).await?;
    api.finish(operation.id.as_str(), Duration::from_secs(120)).await?;
    api.healthy("orders", Duration::from_secs(60)).await?;
    println!("lost for good: replaced after {:?}", began.elapsed());
    for node in api.nodes("orders").await? {
        counts(&connection, &node, ROWS_MADE).await?;
    }
    Ok(())
}

/// The one that is left is not removed; when a person has removed the others, it goes on alone.
async fn the_majority_is_lost_for_good(api: &Api) -> anyhow::Result<()> {
    let nodes = api.nodes("orders").await?;
    let (left, lost) = nodes.split_first().context("a node")?;
    let connection = api.connection("orders").await?;
    let machines: Result<Vec<String>, _> =
        lost.iter().map(|node| container_of(node.id.as_str())).collect();
    let machines = machines?;
    docker(&[&["rm", "-f"], &*machines.iter().map(String::as_str).collect::<Vec<_>>()].concat())?;
    until("nobody removes the last", Duration::from_secs(20), || async {
        refused(api, "remove_node", &left.name, "remove those that are lost for good").await
    })
    .await?;
    let began = Instant::now();
    for node in lost {
        let operation = api.operate("orders", "remove_node", Some(&node.name)).await?;
        api.finish(operation.id.as_str(), Duration::from_secs(60)).await?;
    }
    until("it takes writes alone", Duration::from_secs(60), || async {
        let mut client =
            mysql::connect(&connection, &at(&connection, left).read_write[0], CONNECT_MAX).await?;
        Ok(client.query_drop("INSERT INTO seen (node) VALUES ('last')").await?)
    })
    .await?;
    println!("majority lost for good: alone after {:?}", began.elapsed());
    let now = api.cluster("orders").await?;
    ensure!(now.phase == ClusterPhase::Degraded, "{}", now.sentence);
    counts(&connection, left, ROWS_MADE + 1).await
}
