//! What every engine that is PostgreSQL with an extension has to show: data that only the extension
//! can read is read on every node, after everything that moves the primary or copies data.

use std::time::Duration;

use anyhow::Context as _;
use bellwether_model::{ClusterView, NodeView};
use bellwether_testkit::docker::{container_of, docker, inside};
use bellwether_testkit::wait::until;
use bellwether_testkit::{Api, Server, Writer, sql};
use serde_json::json;

/// An engine of that kind.
pub(crate) struct Extension {
    pub(crate) engine: &'static str,
    pub(crate) version: &'static str,
    /// Makes what only the extension can read.
    pub(crate) make: &'static str,
    /// Reads it, and what it says.
    pub(crate) proof: &'static str,
    pub(crate) proven: &'static str,
}

impl Extension {
    /// Whether the image is there. No registry has every one; what cannot be had is named.
    fn can_run(&self) -> bool {
        let image = format!("bellwether/node-{}:{}", self.engine, self.version);
        let is_there = docker(&["image", "inspect", &image]).is_ok();
        if !is_there {
            eprintln!("NOT RUN: {} {}: there is no image {image}", self.engine, self.version);
        }
        is_there
    }

    async fn create(&self, api: &Api, nodes: u32) -> anyhow::Result<ClusterView> {
        let spec = json!({
            "name": "orders", "engine": self.engine, "version": self.version, "nodes": nodes,
            "replication": "prefer", "size": { "cpus": 1, "memory": "768MiB", "disk": "2GiB" },
            "allowlist": [{ "address": "server" }],
        });
        let made: ClusterView = api.post("/v1/clusters", &spec).await?;
        let creation = made.operation.context("creating is an operation")?;
        api.finish(creation.as_str(), Duration::from_secs(240)).await?;
        api.healthy("orders", Duration::from_secs(30)).await
    }

    /// Every node reads what was made, by its own engine.
    async fn prove(&self, api: &Api, after: &str) -> anyhow::Result<()> {
        let limit = Duration::from_secs(60);
        until(after, limit, || async {
            let nodes = api.nodes("orders").await?;
            anyhow::ensure!(nodes.len() == 3, "{} nodes", nodes.len());
            for node in &nodes {
                let said = ask(node, self.proof)?;
                anyhow::ensure!(said == self.proven, "{} says `{said}`", node.name);
            }
            Ok(())
        })
        .await
        .with_context(|| format!("after {after}"))
    }
}

/// What a node's own engine says in the application's database.
fn ask(node: &NodeView, question: &str) -> anyhow::Result<String> {
    let line = format!(
        "psql -X -U postgres -h /run/bellwether/postgresql -p 5431 -At -d app -c \"{question}\""
    );
    inside(&container_of(node.id.as_str())?, &line)
}

pub(crate) async fn life(extension: &Extension) -> anyhow::Result<()> {
    if !extension.can_run() {
        return Ok(());
    }
    let (server, api) = Server::start().await?;
    let cluster = extension.create(&api, 3).await?;
    let client = sql::read_write(&api.connection("orders").await?).await?;
    client.batch_execute(extension.make).await?;
    let writer = Writer::start(api.connection("orders").await?).await?;
    extension.prove(&api, "the data was made").await?;

    let former = cluster.primary.context("a primary")?;
    docker(&["kill", &container_of(former.as_str())?])?;
    writer.progress(50).await?;
    let cluster = api.healthy("orders", Duration::from_secs(90)).await?;
    assert_ne!(cluster.primary, Some(former), "a replica took over");
    extension.prove(&api, "the failover and the return of the former primary").await?;

    let replica = api.promotable("orders", Duration::from_secs(60)).await?;
    let operation = api.operate("orders", "switchover", Some(&replica.name)).await?;
    api.finish(operation.id.as_str(), Duration::from_secs(60)).await?;
    extension.prove(&api, "the switchover").await?;

    api.healthy("orders", Duration::from_secs(60)).await?;
    let resync = json!({ "kind": "resync", "copy": true });
    let operation: bellwether_model::Operation =
        api.post("/v1/clusters/orders/operations", &resync).await?;
    api.finish(operation.id.as_str(), Duration::from_secs(180)).await?;
    extension.prove(&api, "the resync").await?;

    let (history, found) = writer.stop().await?;
    assert_eq!(history.lost(&found), Vec::<i64>::new(), "acknowledged writes are missing");
    server.check_log()
}

pub(crate) async fn settings(
    extension: &Extension,
    expected: &[(&str, &str)],
) -> anyhow::Result<()> {
    if !extension.can_run() {
        return Ok(());
    }
    let (server, api) = Server::start().await?;
    extension.create(&api, 1).await?;
    let nodes = api.nodes("orders").await?;
    let node = nodes.first().context("a node")?;
    for (name, value) in expected {
        assert_eq!(ask(node, &format!("SHOW {name}"))?, *value, "{name}");
    }
    server.check_log()
}
