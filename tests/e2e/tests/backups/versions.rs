//! Every version of PostgreSQL that is not the default is backed up and restored, too.

use std::time::Duration;

use anyhow::Context as _;
use bellwether_model::ClusterView;
use bellwether_testkit::Server;
use bellwether_testkit::s3::S3;
use serde_json::json;

use super::engines::{can_run, restore_and_prove};
use super::scene::{digest, fill, register, take};

async fn there_and_back(version: &str) -> anyhow::Result<()> {
    if !can_run("postgresql", version) {
        return Ok(());
    }
    let store = S3::start().await?;
    let (server, api) = Server::start().await?;
    register(&api, &store.repository("vault", "vault")).await?;
    let spec = json!({
        "name": "orders", "engine": "postgresql", "version": version, "nodes": 2,
        "replication": "prefer", "size": { "cpus": 1, "memory": "512MiB", "disk": "2GiB" },
        "allowlist": [{ "address": "server" }],
    });
    let made: ClusterView = api.post("/v1/clusters", &spec).await?;
    let creation = made.operation.context("creating is an operation")?;
    api.finish(creation.as_str(), Duration::from_secs(240)).await?;
    api.healthy("orders", Duration::from_secs(30)).await?;
    fill(&api, "orders", 20_000).await?;
    let before = digest(&api, "orders").await?;
    let backup = take(&api, "orders", "vault").await?;
    let facts = backup.facts.as_ref().context("facts")?;
    assert!(!facts.from_primary && facts.engine_version.starts_with(version), "{facts:?}");
    let proven = restore_and_prove(&api, &backup, 1).await?;
    assert_eq!(digest(&api, "copy").await?, before, "as it was");
    let proof = proven.proof.context("a proof")?;
    assert!(proof.proven && proof.compared >= 1, "{proof:?}");
    server.check_log()
}

#[tokio::test]
async fn postgresql_15() -> anyhow::Result<()> {
    there_and_back("15").await
}

#[tokio::test]
async fn postgresql_18() -> anyhow::Result<()> {
    there_and_back("18").await
}
