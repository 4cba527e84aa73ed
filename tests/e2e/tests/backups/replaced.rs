//! A backup takes the place of a cluster's data under a client that keeps its connection string, to
//! a moment, past the loss of the primary and of its agent; what it replaced comes back, and goes
//! when that is asked for.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use bellwether_model::backup::BackupStatus;
use bellwether_model::connection::Connection;
use bellwether_model::plan::Plan;
use bellwether_model::{Backup, Operation, OperationKind, OperationStatus};
use bellwether_testkit::docker::{container_of, docker, inside};
use bellwether_testkit::s3::S3;
use bellwether_testkit::wait::until;
use bellwether_testkit::{Api, Server, sql};
use serde_json::{Value, json};

use super::moment::{keep_log, moment, until_stored, write};
use super::scene::{WORK_MAX, list, register};
use crate::database_users::Users;

pub(super) const SOON: Duration = Duration::from_secs(90);

/// How many transactions are seen with that connection string, at the endpoint that it names.
async fn seen(kept: &Connection) -> anyhow::Result<i64> {
    let client = sql::read_write(kept).await?;
    Ok(client.query_one("SELECT count(*) FROM moments", &[]).await?.get(0))
}

pub(super) async fn ask(api: &Api, kind: &str, more: Value) -> anyhow::Result<Operation> {
    let mut request = json!({ "kind": kind, "confirm": "orders" });
    for (name, value) in more.as_object().context("an object")? {
        request[name] = value.clone();
    }
    api.post("/v1/clusters/orders/operations", &request).await
}

async fn until_at(api: &Api, operation: &Operation, step: &str) -> anyhow::Result<()> {
    until(&format!("it is at `{step}`"), SOON, || async {
        let now: Operation = api.get(&format!("/v1/operations/{}", operation.id)).await?;
        let at = now.step_at().and_then(|at| now.steps.get(at)).context("it has ended")?;
        ensure!(at.name == step && now.status == OperationStatus::Running, "at {}", at.name);
        Ok(())
    })
    .await
}

/// Every node has the data of the primary, and none has any other.
async fn until_whole(api: &Api, kept: &Connection, count: i64) -> anyhow::Result<()> {
    api.healthy("orders", SOON).await?;
    for node in api.nodes("orders").await? {
        let container = container_of(node.id.as_str())?;
        let socket = "host=/run/bellwether/postgresql port=5431 user=postgres dbname=app";
        let question = "SELECT count(*) FROM moments";
        let found = docker(&["exec", &container, "psql", socket, "-AtXc", question])?;
        ensure!(found.trim() == count.to_string(), "{} has {found}", node.name);
    }
    assert_eq!(seen(kept).await?, count);
    Ok(())
}

/// Kills the primary's machine while the backup comes: another node is primary, and the restore
/// goes on there.
async fn lose_primary_amid(api: &Api, store: &S3, request: Value) -> anyhow::Result<Operation> {
    store.freeze(true)?;
    let restore = ask(api, "restore", request).await?;
    until_at(api, &restore, "bring").await?;
    let lost = api.cluster("orders").await?.primary.context("a primary")?;
    docker(&["kill", &container_of(lost.as_str())?])?;
    until("another is primary", SOON, || async {
        let primary = api.cluster("orders").await?.primary;
        ensure!(primary.is_some_and(|primary| primary != lost), "not yet");
        Ok(())
    })
    .await?;
    store.freeze(false)?;
    api.finish(restore.id.as_str(), WORK_MAX).await
}

#[tokio::test]
async fn a_backup_takes_the_place_of_the_data_and_goes_again() -> anyhow::Result<()> {
    let store = S3::start().await?;
    let (server, api) = Server::start_with(&["--log-every", "1"]).await?;
    register(&api, &store.repository("vault", "vault")).await?;
    let cluster = api.create("orders", 2, "prefer").await?;
    let users = Users { api: &api, cluster: "orders" };
    users.make("web", "app", "read_write").await?;
    let backup = keep_log(&api, &cluster).await?;
    let kept = api.connection("orders").await?;
    let client = sql::read_write(&kept).await?;
    client.batch_execute("CREATE TABLE moments (number int)").await?;
    write(&client, 0..15).await?;
    let at = moment(&client).await?;
    write(&client, 15..30).await?;
    until_stored(&api, moment(&client).await?).await?;

    let source = json!({ "backup": backup.id, "at": at });
    let request = json!({ "kind": "restore", "source": source });
    let path = "/v1/clusters/orders/operations";
    let plan: Plan = api.post(&format!("{path}?plan=true"), &request).await?;
    assert!(plan.refusals.is_empty(), "{:?}", plan.refusals);
    assert!(plan.erases.iter().any(|one| one.contains("orders-1: its data")), "{:?}", plan.erases);
    let (status, _) = api.send("POST", path, Some(&request)).await?;
    assert_eq!(status, 422, "the name is not typed");

    let restored = lose_primary_amid(
        &api,
        &store,
        json!({
            "source": source, "without_backup": true
        }),
    )
    .await?;
    println!("{}", restored.message);
    assert_eq!(seen(&kept).await?, 15, "the same address and password, as of the moment");
    sql::read_write(&users.connection("web").await?).await.context("users stay")?;
    let shown = api.cluster("orders").await?.replaced.context("what was replaced is kept")?;
    assert_eq!(shown.source.context("a backup")?.at, Some(at));
    until_whole(&api, &kept, 15).await?;
    let client = sql::read_write(&kept).await?;
    write(&client, 100..105).await?;

    // Its history is its own: there is a backup of it, and the former one is there as before.
    until("the log goes on from a backup of its own", WORK_MAX, || async {
        let standing = api.cluster("orders").await?.backup;
        let all = list(&api, "orders").await?;
        let done = all.iter().filter(|one| one.status == BackupStatus::Complete).count();
        ensure!(done > 1 && standing.problem.is_empty(), "{done}: {}", standing.problem);
        Ok(())
    })
    .await?;
    let parent: Backup = api.get(&format!("/v1/backups/{}", backup.id)).await?;
    let reached = parent.recoverable_to.context("its window is there")?;
    ensure!(reached > at, "{reached}");

    // Back, although the agent is killed in the middle.
    let again = ask(&api, "undo_restore", json!({})).await?;
    let container = container_of(shown.node.as_str())?;
    until("the primary stops", SOON, || async {
        let now: Operation = api.get(&format!("/v1/operations/{}", again.id)).await?;
        let at = now.step_at().and_then(|at| now.steps.get(at)).map(|step| step.name.clone());
        let is_near = at.is_none_or(|at| !["check", "bring"].contains(&at.as_str()));
        ensure!(is_near, "not yet");
        Ok(())
    })
    .await?;
    inside(&container, "pkill -KILL -f '(bellwether-agent|/proc/self/exe)'").ok();
    println!("{}", api.finish(again.id.as_str(), WORK_MAX).await?.message);
    until_whole(&api, &kept, 30).await?;

    let keep = ask(&api, "keep_restored", json!({})).await?;
    api.finish(keep.id.as_str(), SOON).await?;
    assert!(api.cluster("orders").await?.replaced.is_none());
    for node in api.nodes("orders").await? {
        let left = inside(&container_of(node.id.as_str())?, "ls /data")?;
        ensure!(!left.contains("former") && !left.contains("pgdata.new"), "{}: {left}", node.name);
    }
    let all = api.operations("orders").await?;
    let failed = |one: &&Operation| one.status == OperationStatus::Failed;
    let wrong = all.iter().filter(failed).find(|one| one.kind != OperationKind::Backup);
    assert!(wrong.is_none(), "{wrong:?}");
    server.check_log()
}
