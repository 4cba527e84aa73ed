//! A cluster with data, and a store for its backups.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use bellwether_model::event::Page;
use bellwether_model::repository::RepositoryView;
use bellwether_model::{Backup, ClusterView, Operation};
use bellwether_testkit::{Api, sql};
use serde_json::{Value, json};

/// A backup or a restore of little data may take so long.
pub(crate) const WORK_MAX: Duration = Duration::from_secs(180);

pub(crate) async fn register(api: &Api, repository: &Value) -> anyhow::Result<RepositoryView> {
    api.post("/v1/repositories", repository).await
}

/// Rows that a checksum can be made of.
pub(crate) async fn fill(api: &Api, cluster: &str, rows: u32) -> anyhow::Result<()> {
    let client = sql::read_write(&api.connection(cluster).await?).await?;
    let make = "CREATE TABLE IF NOT EXISTS facts (id bigserial PRIMARY KEY, text text)";
    client.batch_execute(make).await?;
    let fill = format!(
        "INSERT INTO facts (text) SELECT md5(random()::text) \
        FROM generate_series(1, {rows})"
    );
    client.batch_execute(&fill).await?;
    Ok(())
}

/// How many rows there are, and a checksum of all of them.
pub(crate) async fn digest(api: &Api, cluster: &str) -> anyhow::Result<(i64, String)> {
    let client = sql::read_write(&api.connection(cluster).await?).await?;
    let question = "SELECT count(*), md5(string_agg(id || text, ',' ORDER BY id)) FROM facts";
    let row = client.query_one(question, &[]).await?;
    Ok((row.get(0), row.get(1)))
}

pub(crate) async fn ask(api: &Api, cluster: &str, what: Value) -> anyhow::Result<Operation> {
    let mut request = json!({ "kind": "backup" });
    for (name, value) in what.as_object().context("an object")? {
        request[name] = value.clone();
    }
    api.post(&format!("/v1/clusters/{cluster}/operations"), &request).await
}

/// Takes a backup, to its end.
pub(crate) async fn take(api: &Api, cluster: &str, repository: &str) -> anyhow::Result<Backup> {
    let begun = ask(api, cluster, json!({ "repository": repository })).await?;
    let operation = api.finish(begun.id.as_str(), WORK_MAX).await?;
    println!("{}", operation.message);
    let all = list(api, cluster).await?;
    let taken = all.into_iter().find(|one| one.operation.as_ref() == Some(&operation.id));
    taken.context("it is listed")
}

pub(crate) async fn list(api: &Api, cluster: &str) -> anyhow::Result<Vec<Backup>> {
    let page: Page<Backup> = api.get(&format!("/v1/backups?cluster={cluster}")).await?;
    Ok(page.items)
}

/// Asks for a new cluster from a backup.
pub(crate) async fn ask_restore(
    api: &Api,
    backup: &Backup,
    name: &str,
    nodes: u32,
) -> anyhow::Result<String> {
    let spec = spec_of(backup, name, nodes)?;
    let cluster: ClusterView = api.post("/v1/clusters", &spec).await?;
    let operation = cluster.operation.context("creating is an operation")?;
    Ok(operation.to_string())
}

/// What is asked for to restore a backup.
pub(crate) fn spec_of(backup: &Backup, name: &str, nodes: u32) -> anyhow::Result<Value> {
    let facts = backup.facts.as_ref().context("a complete backup")?;
    let mut spec = serde_json::to_value(&facts.spec)?;
    spec["name"] = json!(name);
    spec["nodes"] = json!(nodes);
    if nodes == 1 {
        spec["replication"] = json!("async");
    }
    spec["backup"] = Value::Null;
    spec["source"] = json!({ "backup": backup.id });
    Ok(spec)
}

/// A new cluster from a backup.
pub(crate) async fn restore(
    api: &Api,
    backup: &Backup,
    name: &str,
    nodes: u32,
) -> anyhow::Result<ClusterView> {
    let operation = ask_restore(api, backup, name, nodes).await?;
    api.finish(&operation, WORK_MAX).await?;
    let facts = backup.facts.as_ref().context("a complete backup")?;
    let restored = api.healthy(name, Duration::from_secs(60)).await?;
    ensure!(restored.term > facts.position.timeline, "a history of its own");
    Ok(restored)
}
