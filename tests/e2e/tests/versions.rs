//! E1: every version of PostgreSQL makes a cluster, moves its primary and takes a lost one back.

use std::time::Duration;

use bellwether_model::ClusterView;
use bellwether_testkit::docker::{container_of, docker, inside, left_of};
use bellwether_testkit::{Server, Writer};
use serde_json::json;

/// Whether the image of that version is there. `make e2e` builds each whose packages can be had.
fn can_run(version: &str) -> bool {
    let image = format!("bellwether/node-postgresql:{version}");
    let is_there = docker(&["image", "inspect", &image]).is_ok();
    if !is_there {
        eprintln!("NOT RUN: PostgreSQL {version}: there is no image {image}");
    }
    is_there
}

async fn life_of_a_cluster(version: &str) -> anyhow::Result<()> {
    if !can_run(version) {
        return Ok(());
    }
    let (server, api) = Server::start().await?;
    let spec = json!({
        "name": "orders", "engine": "postgresql", "version": version, "nodes": 2,
        "replication": "prefer", "size": { "cpus": 1, "memory": "512MiB", "disk": "2GiB" },
        "allowlist": [{ "address": "server" }],
    });
    let made: ClusterView = api.post("/v1/clusters", &spec).await?;
    let creation = made.operation.expect("creating is an operation");
    api.finish(creation.as_str(), Duration::from_secs(240)).await?;
    let cluster = api.healthy("orders", Duration::from_secs(30)).await?;
    let primary = container_of(cluster.primary.expect("a primary").as_str())?;
    let binary = inside(&primary, "ls -d /usr/lib/postgresql/*/bin/postgres")?;
    assert_eq!(binary, format!("/usr/lib/postgresql/{version}/bin/postgres"));

    let writer = Writer::start(api.connection("orders").await?).await?;
    writer.progress(50).await?;
    let operation = api.operate("orders", "switchover", Some("orders-2")).await?;
    api.finish(operation.id.as_str(), Duration::from_secs(60)).await?;
    let cluster = api.healthy("orders", Duration::from_secs(30)).await?;
    assert_eq!(cluster.primary_name.as_deref(), Some("orders-2"));
    writer.progress(50).await?;
    docker(&["kill", &container_of(cluster.primary.expect("a primary").as_str())?])?;
    writer.progress(50).await?;
    let cluster = api.healthy("orders", Duration::from_secs(60)).await?;
    assert_eq!(cluster.primary_name.as_deref(), Some("orders-1"));
    let (history, found) = writer.stop().await?;
    assert_eq!(history.lost(&found), Vec::<i64>::new(), "acknowledged writes are missing");
    api.delete("orders").await?;
    assert_eq!(left_of(made.id.as_str())?, Vec::<String>::new());
    server.check_log()
}

#[tokio::test]
async fn postgresql_15() -> anyhow::Result<()> {
    life_of_a_cluster("15").await
}

#[tokio::test]
async fn postgresql_17() -> anyhow::Result<()> {
    life_of_a_cluster("17").await
}

#[tokio::test]
async fn postgresql_18() -> anyhow::Result<()> {
    life_of_a_cluster("18").await
}
