//! The other engines' data is replaced where it is, too, under a client that keeps its connection
//! string, past the death of the primary's agent in the middle; what was there comes back with all
//! that was written to it, and goes when that is asked for.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use bellwether_model::backup::BackupStatus;
use bellwether_model::connection::Connection;
use bellwether_model::{Backup, Operation, OperationKind, OperationStatus};
use bellwether_testkit::docker::{container_of, inside};
use bellwether_testkit::s3::S3;
use bellwether_testkit::wait::until;
use bellwether_testkit::writer::{RowClient, read_write};
use bellwether_testkit::{Api, Server};
use serde_json::json;

use super::engines::{can_run, create};
use super::replaced::{SOON, ask};
use super::scene::{WORK_MAX, register, take};
use crate::database_users::Users;

/// Where the rows, or the members of a set, are.
const TABLE: &str = "facts";

/// An engine, the memory of its nodes, and what a user of its own may read and write.
struct Engine {
    name: &'static str,
    version: &'static str,
    memory: &'static str,
    on: &'static str,
}

async fn write<C: RowClient>(client: &mut C, ids: std::ops::Range<i64>) -> anyhow::Result<()> {
    for id in ids {
        client.write(TABLE, id).await?;
    }
    Ok(())
}

/// What is there with that connection string.
async fn seen<C: RowClient>(kept: &Connection) -> anyhow::Result<BTreeSet<i64>> {
    read_write::<C>(kept).await?.read(TABLE).await
}

/// The primary has this, and so has the replica, once everything is as it should be.
async fn until_whole<C: RowClient>(
    api: &Api,
    kept: &Connection,
    wanted: &BTreeSet<i64>,
) -> anyhow::Result<()> {
    ensure!(seen::<C>(kept).await? == *wanted, "not what it was");
    api.healthy("orders", SOON).await?;
    let replica = kept.read_only.first().context("an endpoint")?;
    let mut replica = C::connect(kept, replica, Duration::from_secs(5)).await?;
    ensure!(replica.read(TABLE).await? == *wanted, "the replica has other data");
    Ok(())
}

/// Kills the primary's agent once the operation is past these steps.
async fn kill_agent_past(api: &Api, asked: &Operation, steps: &[&str]) -> anyhow::Result<()> {
    let primary = api.cluster("orders").await?.primary.context("a primary")?;
    let container = container_of(primary.as_str())?;
    until("it is under way", WORK_MAX, || async {
        let now: Operation = api.get(&format!("/v1/operations/{}", asked.id)).await?;
        let at = now.step_at().and_then(|at| now.steps.get(at)).context("it has ended")?;
        ensure!(!steps.contains(&at.name.as_str()), "at {}", at.name);
        println!("the agent is killed at `{}`", at.name);
        Ok(())
    })
    .await?;
    inside(&container, "pkill -KILL -f '(bellwether-agent|/proc/self/exe)'").ok();
    Ok(())
}

async fn goes_and_comes_back<C: RowClient>(engine: &Engine) -> anyhow::Result<()> {
    let Engine { name, version, memory, on } = engine;
    if !can_run(name, version) {
        return Ok(());
    }
    let store = S3::start().await?;
    let (server, api) = Server::start().await?;
    register(&api, &store.repository("vault", "vault")).await?;
    create(&api, name, version, memory).await?;
    let users = Users { api: &api, cluster: "orders" };
    users.make("web", on, "read_write").await?;
    let kept = api.connection("orders").await?;
    let mut client: C = read_write(&kept).await?;
    client.begin(TABLE).await?;
    write(&mut client, 1..60).await?;
    let before = client.read(TABLE).await?;
    let backup = take(&api, "orders", "vault").await?;
    write(&mut client, 60..120).await?;
    let later = client.read(TABLE).await?;

    let source = json!({ "source": { "backup": backup.id } });
    let restore = ask(&api, "restore", source).await?;
    kill_agent_past(&api, &restore, &["check", "back_up"]).await?;
    println!("{}", api.finish(restore.id.as_str(), WORK_MAX).await?.message);
    read_write::<C>(&users.connection("web").await?).await.context("users stay")?;
    let shown = api.cluster("orders").await?.replaced.context("what was replaced is kept")?;
    let safety = shown.safety.context("what was there is stored")?;
    let safety: Backup = api.get(&format!("/v1/backups/{safety}")).await?;
    ensure!(safety.status == BackupStatus::Complete, "{safety:?}");
    until_whole::<C>(&api, &kept, &before).await?;
    let mut client: C = read_write(&kept).await?;
    write(&mut client, 500..510).await?;

    let again = ask(&api, "undo_restore", json!({})).await?;
    kill_agent_past(&api, &again, &["check", "bring"]).await?;
    println!("{}", api.finish(again.id.as_str(), WORK_MAX).await?.message);
    until_whole::<C>(&api, &kept, &later).await?;

    let keep = ask(&api, "keep_restored", json!({})).await?;
    api.finish(keep.id.as_str(), SOON).await?;
    for node in api.nodes("orders").await? {
        let left = inside(&container_of(node.id.as_str())?, "ls /data")?;
        ensure!(!left.contains("former") && !left.contains(".new"), "{}: {left}", node.name);
    }
    let all = api.operations("orders").await?;
    let failed = |one: &&Operation| one.status == OperationStatus::Failed;
    let wrong = all.iter().filter(failed).find(|one| one.kind != OperationKind::Backup);
    ensure!(wrong.is_none(), "{wrong:?}");
    server.check_log()
}

#[tokio::test]
async fn mysql_server() -> anyhow::Result<()> {
    let engine = Engine { name: "mysql", version: "9.7", memory: "768MiB", on: "app" };
    goes_and_comes_back::<mysql_async::Conn>(&engine).await
}

#[tokio::test]
async fn mariadb() -> anyhow::Result<()> {
    let engine = Engine { name: "mariadb", version: "11.8", memory: "768MiB", on: "app" };
    goes_and_comes_back::<mysql_async::Conn>(&engine).await
}

#[tokio::test]
async fn valkey() -> anyhow::Result<()> {
    let engine = Engine { name: "valkey", version: "8", memory: "256MiB", on: "*" };
    goes_and_comes_back::<bellwether_testkit::redis::Client>(&engine).await
}
