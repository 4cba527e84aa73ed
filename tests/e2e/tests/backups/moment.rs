//! Any moment can be restored, to within one transaction: the log is kept, also past the loss of
//! the primary that stored it, and a gap in it is said.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use bellwether_model::backup::BackupStatus;
use bellwether_model::{Backup, ClusterView, Timestamp};
use bellwether_testkit::docker::{container_of, docker};
use bellwether_testkit::s3::S3;
use bellwether_testkit::wait::until;
use bellwether_testkit::{Api, Server, sql};
use serde_json::{Value, json};
use tokio_postgres::Client;

use super::scene::{WORK_MAX, list, register, spec_of};

/// Makes transactions of these numbers, one after the other.
pub(super) async fn write(client: &Client, numbers: std::ops::Range<i32>) -> anyhow::Result<()> {
    for number in numbers {
        client.execute("INSERT INTO moments VALUES ($1)", &[&number]).await?;
    }
    Ok(())
}

/// A moment after everything that was acknowledged and before whatever comes, by the clock that
/// commits are noted with.
pub(super) async fn moment(client: &Client) -> anyhow::Result<Timestamp> {
    let question = "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', \
                    'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')";
    let text: String = client.query_one(question, &[]).await?.get(0);
    Ok(serde_json::from_value(Value::String(text))?)
}

/// How many transactions are there, and the last one's number.
async fn found(api: &Api, cluster: &str) -> anyhow::Result<(i64, i32)> {
    let client = sql::read_write(&api.connection(cluster).await?).await?;
    let row = client.query_one("SELECT count(*), max(number) FROM moments", &[]).await?;
    Ok((row.get(0), row.get(1)))
}

async fn complete(api: &Api) -> anyhow::Result<Backup> {
    let all = list(api, "orders").await?;
    let taken = all.into_iter().find(|backup| backup.status == BackupStatus::Complete);
    taken.context("there is no backup yet")
}

pub(super) async fn until_stored(api: &Api, at: Timestamp) -> anyhow::Result<()> {
    until("the log is stored", Duration::from_secs(60), || async {
        let standing = api.cluster("orders").await?.backup;
        ensure!(standing.problem.is_empty(), "{}", standing.problem);
        ensure!(standing.recoverable_to.is_some_and(|until| until >= at), "{standing:?}");
        Ok(())
    })
    .await
}

pub(super) fn asked(backup: &Backup, name: &str, at: Timestamp) -> anyhow::Result<Value> {
    let mut spec = spec_of(backup, name, 1)?;
    spec["source"]["at"] = json!(at);
    Ok(spec)
}

async fn restore(
    api: &Api,
    backup: &Backup,
    name: &str,
    at: Timestamp,
) -> anyhow::Result<(i64, i32)> {
    let cluster: ClusterView = api.post("/v1/clusters", &asked(backup, name, at)?).await?;
    let operation = cluster.operation.context("creating is an operation")?;
    api.finish(operation.as_str(), WORK_MAX).await?;
    api.healthy(name, Duration::from_secs(60)).await?;
    let rows = found(api, name).await?;
    // It accepts writes, on a timeline of its own.
    let client = sql::read_write(&api.connection(name).await?).await?;
    write(&client, 1_000..1_001).await?;
    Ok(rows)
}

/// The log of this cluster is kept, and there is a backup that it goes on from.
pub(super) async fn keep_log(api: &Api, cluster: &ClusterView) -> anyhow::Result<Backup> {
    let schedule = json!({ "schedule": "monthly", "repository": "vault", "point_in_time": true });
    api.change("orders", cluster.generation, &json!({ "backup": schedule })).await?;
    // Although none is due.
    until("a backup is taken", WORK_MAX, || complete(api)).await
}

/// Asks a question of a node's own engine.
fn ask(container: &str, statement: &str) -> anyhow::Result<String> {
    let socket = "host=/run/bellwether/postgresql port=5431 user=postgres";
    docker(&["exec", container, "psql", socket, "-AtXc", statement])
}

/// Removes the log of the engine but for the segment that it writes now.
fn lose_log(container: &str) -> anyhow::Result<()> {
    ask(container, "SELECT pg_switch_wal()")?;
    ask(container, "CHECKPOINT")?;
    let current = ask(container, "SELECT pg_walfile_name(pg_current_wal_lsn())")?;
    let all = docker(&["exec", container, "ls", "/data/pgdata/pg_wal"])?;
    let is_old = |name: &&str| name.len() == 24 && *name < current.trim();
    for name in all.lines().filter(is_old) {
        docker(&["exec", container, "rm", &format!("/data/pgdata/pg_wal/{name}")])?;
    }
    Ok(())
}

/// Log that is gone before it could be stored is a gap: it is said, and a backup is taken after it.
async fn make_gap(api: &Api, store: &S3, first: &Backup) -> anyhow::Result<Backup> {
    let primary = api.cluster("orders").await?.primary.context("a primary")?;
    lose_log(&container_of(primary.as_str())?)?;
    store.freeze(false)?;
    until("the gap is said", Duration::from_secs(60), || async {
        let problem = api.cluster("orders").await?.backup.problem;
        ensure!(problem.contains("the log has a gap"), "{problem:?}");
        Ok(())
    })
    .await?;
    until("a backup is taken after it", WORK_MAX, || async {
        let newest = complete(api).await?;
        ensure!(newest.id != first.id, "not yet");
        Ok(newest)
    })
    .await
}

/// The primary is lost with log that nobody has stored yet.
async fn lose_primary(api: &Api, client: &Client) -> anyhow::Result<()> {
    let replica = api.promotable("orders", Duration::from_secs(30)).await?;
    let held = "SELECT count(restart_lsn) FROM pg_replication_slots \
                WHERE slot_name = 'bellwether_log'";
    let held = ask(&container_of(replica.id.as_str())?, held)?;
    ensure!(held.trim() == "1", "every node holds the log");
    write(client, 30..40).await?;
    let lost = api.cluster("orders").await?.primary.context("a primary")?;
    docker(&["kill", &container_of(lost.as_str())?])?;
    until("another is primary", Duration::from_secs(60), || async {
        let primary = api.cluster("orders").await?.primary;
        ensure!(primary.is_some_and(|primary| primary != lost), "not yet");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn any_moment_is_restored_to_within_one_transaction() -> anyhow::Result<()> {
    let store = S3::start().await?;
    let (server, api) = Server::start_with(&["--log-every", "1"]).await?;
    register(&api, &store.repository("vault", "vault")).await?;
    let cluster = api.create("orders", 2, "prefer").await?;
    let first = keep_log(&api, &cluster).await?;

    let client = sql::read_write(&api.connection("orders").await?).await?;
    client.batch_execute("CREATE TABLE moments (number int)").await?;
    write(&client, 0..15).await?;
    let before = moment(&client).await?;
    write(&client, 15..20).await?;
    until_stored(&api, moment(&client).await?).await?;

    store.freeze(true)?;
    write(&client, 20..25).await?;
    let between = moment(&client).await?;
    let second = make_gap(&api, &store, &first).await?;
    write(&client, 25..30).await?;

    // The next primary goes on where the last one was.
    lose_primary(&api, &client).await?;
    let client = sql::read_write(&api.connection("orders").await?).await?;
    write(&client, 40..50).await?;
    let after = moment(&client).await?;
    write(&client, 50..60).await?;
    let end = moment(&client).await?;
    until_stored(&api, end).await?;

    let shown: Backup = api.get(&format!("/v1/backups/{}", second.id)).await?;
    let reached = shown.recoverable_to.context("the window is shown")?;
    ensure!(reached >= end, "{reached}");
    let late = Timestamp::from_millis(reached.as_millis() + 3_600_000);
    let none = [
        (&first, between, "is kept up to"),
        (&first, after, "is kept up to"),
        (&second, between, "take an earlier one"),
        (&second, late, "is kept up to"),
    ];
    for (backup, at, why) in none {
        let (status, problem) =
            api.send("POST", "/v1/clusters", Some(&asked(backup, "copy", at)?)).await?;
        ensure!(status == 422 && problem.to_string().contains(why), "{status}: {problem}");
    }

    let (before, after) = tokio::try_join!(
        restore(&api, &first, "before", before),
        restore(&api, &second, "after", after),
    )?;
    assert_eq!(before, (15, 14), "as of before the gap");
    assert_eq!(after, (50, 49), "as of after the loss of the primary");
    assert_eq!(found(&api, "orders").await?, (60, 59), "it goes on");
    server.check_log()
}
