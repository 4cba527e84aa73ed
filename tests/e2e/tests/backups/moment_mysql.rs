//! With MariaDB and MySQL, too, any moment can be restored to within one transaction, past the
//! loss of the primary and of the cluster, and a gap in the log is said.

use std::ops::Range;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use bellwether_model::{Backup, ClusterView, NodeId, Timestamp};
use bellwether_testkit::docker::{container_of, docker};
use bellwether_testkit::s3::S3;
use bellwether_testkit::wait::until;
use bellwether_testkit::{Api, Server, mysql};
use mysql_async::Conn;
use mysql_async::prelude::Queryable as _;
use serde_json::{Value, json};

use super::engines::{can_run, create};
use super::moment::{asked, keep_log, until_stored};
use super::replaced::ask;
use super::scene::{WORK_MAX, register};

/// How long a moment is told from others for certain, although its engine's log does not say when
/// what is in it was committed, and its file is looked at instead.
const APART: &str = "DO SLEEP(0.1)";

async fn client(api: &Api, cluster: &str) -> anyhow::Result<Conn> {
    mysql::read_write(&api.connection(cluster).await?).await
}

/// Makes transactions of these numbers, one after the other.
async fn write(client: &mut Conn, numbers: Range<i32>) -> anyhow::Result<()> {
    for number in numbers {
        client.query_drop(format!("INSERT INTO moments VALUES ({number})")).await?;
    }
    Ok(())
}

/// A moment after everything that was acknowledged and before whatever comes.
async fn moment(client: &mut Conn) -> anyhow::Result<Timestamp> {
    client.query_drop(APART).await?;
    let question = "SELECT DATE_FORMAT(SYSDATE(6), '%Y-%m-%dT%H:%i:%s.%fZ')";
    let text: Option<String> = client.query_first(question).await?;
    client.query_drop(APART).await?;
    Ok(serde_json::from_value(Value::String(text.context("a moment")?))?)
}

async fn found(api: &Api, cluster: &str) -> anyhow::Result<Vec<i32>> {
    let mut client = client(api, cluster).await?;
    Ok(client.query("SELECT number FROM moments ORDER BY number").await?)
}

/// A new cluster as of that moment, which takes writes; the numbers in it.
async fn restore(
    api: &Api,
    backup: &Backup,
    name: &str,
    at: Timestamp,
) -> anyhow::Result<Vec<i32>> {
    let cluster: ClusterView = api.post("/v1/clusters", &asked(backup, name, at)?).await?;
    let operation = cluster.operation.context("creating is an operation")?;
    api.finish(operation.as_str(), WORK_MAX).await?;
    api.healthy(name, Duration::from_secs(60)).await?;
    let rows = found(api, name).await?;
    write(&mut client(api, name).await?, 1_000..1_001).await?;
    Ok(rows)
}

/// The same in the place of what the cluster has.
async fn restore_over(api: &Api, backup: &Backup, at: Timestamp) -> anyhow::Result<Vec<i32>> {
    api.healthy("orders", Duration::from_secs(60)).await?;
    let source = json!({ "backup": backup.id, "at": at });
    let asked = ask(api, "restore", json!({ "source": source, "without_backup": true })).await?;
    api.finish(asked.id.as_str(), WORK_MAX).await?;
    found(api, "orders").await
}

/// The machine of the primary is lost.
async fn lose_primary(api: &Api) -> anyhow::Result<NodeId> {
    api.promotable("orders", Duration::from_secs(30)).await?;
    let lost = api.cluster("orders").await?.primary.context("a primary")?;
    docker(&["kill", &container_of(lost.as_str())?])?;
    until("another is primary", Duration::from_secs(60), || async {
        let primary = api.cluster("orders").await?.primary;
        primary.filter(|primary| *primary != lost).context("not yet")
    })
    .await
}

/// A piece waits for the store that is frozen: what is written from now on is not in it.
async fn until_it_waits(api: &Api) -> anyhow::Result<()> {
    let primary = api.cluster("orders").await?.primary.context("a primary")?;
    let container = container_of(primary.as_str())?;
    until("a piece waits", Duration::from_secs(10), || async {
        docker(&["exec", &container, "test", "-e", "/data/kept_log/contents.json"])
    })
    .await
    .map(drop)
}

/// The files of the log are gone but for the one that is written now.
async fn lose_log(api: &Api, command: &str) -> anyhow::Result<()> {
    let primary = api.cluster("orders").await?.primary.context("a primary")?;
    let container = container_of(primary.as_str())?;
    let socket = "--socket=/run/bellwether/mysql/server.sock";
    let flush = "FLUSH BINARY LOGS";
    docker(&["exec", &container, command, "--no-defaults", socket, "-NBe", flush])?;
    let all = docker(&["exec", &container, "ls", "/data/db/log"])?;
    let mut logs: Vec<&str> = all.lines().filter(|name| name.starts_with("binlog.0")).collect();
    logs.sort_unstable();
    logs.pop();
    for name in logs {
        docker(&["exec", &container, "rm", "-f", &format!("/data/db/log/{name}")])?;
    }
    Ok(())
}

/// Writes before, at and after the loss of the primary; a moment before it, one after it, and one
/// after everything.
async fn write_past_a_loss(api: &Api) -> anyhow::Result<[Timestamp; 3]> {
    let mut first = client(api, "orders").await?;
    first.query_drop("CREATE TABLE moments (number INT PRIMARY KEY)").await?;
    write(&mut first, 0..15).await?;
    let before = moment(&mut first).await?;
    write(&mut first, 15..20).await?;
    until_stored(api, moment(&mut first).await?).await?;
    // Nobody has stored it yet when it is lost; the next primary goes on where the last one was.
    write(&mut first, 20..25).await?;
    lose_primary(api).await?;
    let mut next = client(api, "orders").await?;
    next.query_drop("ALTER TABLE moments ADD COLUMN told INT DEFAULT 1").await?;
    next.query_drop("ALTER TABLE moments DROP COLUMN told").await?;
    write(&mut next, 30..40).await?;
    let after = moment(&mut next).await?;
    write(&mut next, 40..45).await?;
    let end = moment(&mut next).await?;
    until_stored(api, end).await?;
    Ok([before, after, end])
}

/// Log that is gone before it could be stored is a gap, and it is said.
async fn make_gap(api: &Api, store: &S3, command: &str) -> anyhow::Result<()> {
    let mut client = client(api, "orders").await?;
    store.freeze(true)?;
    write(&mut client, 50..51).await?;
    until_it_waits(api).await?;
    write(&mut client, 51..55).await?;
    lose_log(api, command).await?;
    store.freeze(false)?;
    until("the gap is said", Duration::from_secs(60), || async {
        let problem = api.cluster("orders").await?.backup.problem;
        ensure!(problem.contains("the log has a gap"), "{problem:?}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn any_moment_of_mariadb_is_restored() -> anyhow::Result<()> {
    if !can_run("mariadb", "11.8") {
        return Ok(());
    }
    let store = S3::start().await?;
    let (server, api) = Server::start_with(&["--log-every", "1"]).await?;
    register(&api, &store.repository("vault", "vault")).await?;
    create(&api, "mariadb", "11.8", "768MiB").await?;
    let backup = keep_log(&api, &api.cluster("orders").await?).await?;
    let [before, after, end] = write_past_a_loss(&api).await?;
    let shown: Backup = api.get(&format!("/v1/backups/{}", backup.id)).await?;
    ensure!(shown.recoverable_to.is_some_and(|to| to >= end), "{:?}", shown.recoverable_to);

    make_gap(&api, &store, "mariadb").await?;
    let late = Timestamp::from_millis(end.as_millis() + 3_600_000);
    let (status, problem) =
        api.send("POST", "/v1/clusters", Some(&asked(&backup, "copy", late)?)).await?;
    ensure!(status == 422 && problem.to_string().contains("is kept up to"), "{status}: {problem}");

    let (before, after) = tokio::try_join!(
        restore_over(&api, &backup, before),
        restore(&api, &backup, "after", after),
    )?;
    assert_eq!(before, (0..15).collect::<Vec<i32>>(), "as of before the loss of the primary");
    assert_eq!(after, (0..25).chain(30..40).collect::<Vec<i32>>(), "as of after it");
    server.check_log()
}

#[tokio::test]
async fn any_moment_of_mysql_is_restored() -> anyhow::Result<()> {
    if !can_run("mysql", "9.7") {
        return Ok(());
    }
    let store = S3::start().await?;
    let (server, api) = Server::start_with(&["--log-every", "1"]).await?;
    register(&api, &store.repository("vault", "vault")).await?;
    create(&api, "mysql", "9.7", "768MiB").await?;
    let backup = keep_log(&api, &api.cluster("orders").await?).await?;
    let [_, after, _] = write_past_a_loss(&api).await?;
    // All that there was of it is in the repository.
    api.delete("orders").await?;
    let found = restore(&api, &backup, "after", after).await?;
    assert_eq!(found, (0..25).chain(30..40).collect::<Vec<i32>>(), "as of after the loss");
    server.check_log()
}
