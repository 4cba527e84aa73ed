//! The other engines are backed up and restored, too: from a replica while writes go on, into a
//! cluster of its own with a replica, and proven, and over what the cluster has (`in_place`).

use std::time::Duration;

use anyhow::{Context as _, ensure};
use bellwether_model::connection::Connection;
use bellwether_model::{Backup, ClusterView, Operation};
use bellwether_testkit::docker::docker;
use bellwether_testkit::redis::Client;
use bellwether_testkit::s3::S3;
use bellwether_testkit::{Api, MysqlWriter, RedisWriter, Server, mysql};
use mysql_async::prelude::Queryable as _;
use serde_json::json;

use super::in_place::goes_and_comes_back;
use super::scene::{WORK_MAX, register, restore, take};
use crate::database_users::{Users, stay_behind};

/// Whether the image is there. `make e2e` builds each whose packages can be had.
pub(crate) fn can_run(engine: &str, version: &str) -> bool {
    let image = format!("bellwether/node-{engine}:{version}");
    let is_there = docker(&["image", "inspect", &image]).is_ok();
    if !is_there {
        eprintln!("NOT RUN: {engine} {version}: there is no image {image}");
    }
    is_there
}

pub(super) async fn create(
    api: &Api,
    engine: &str,
    version: &str,
    memory: &str,
) -> anyhow::Result<()> {
    let spec = json!({
        "name": "orders", "engine": engine, "version": version, "nodes": 2,
        "size": { "cpus": 1, "memory": memory, "disk": "2GiB" },
        "allowlist": [{ "address": "server" }],
    });
    let made: ClusterView = api.post("/v1/clusters", &spec).await?;
    let creation = made.operation.context("creating is an operation")?;
    api.finish(creation.as_str(), Duration::from_secs(180)).await?;
    api.healthy("orders", Duration::from_secs(60)).await.map(|_| ())
}

/// A copy and a proof at one time; what came of the proof.
pub(crate) async fn restore_and_prove(
    api: &Api,
    backup: &Backup,
    nodes: u32,
) -> anyhow::Result<Backup> {
    let path = format!("/v1/backups/{}", backup.id);
    let begun: Operation = api.post(&format!("{path}/verify"), &json!({})).await?;
    restore(api, backup, "copy", nodes).await?;
    let proof = api.finish(begun.id.as_str(), WORK_MAX).await?;
    println!("{}", proof.message);
    api.get(&path).await
}

fn check(backup: &Backup, version: &str) -> anyhow::Result<()> {
    let facts = backup.facts.as_ref().context("facts")?;
    ensure!(!facts.from_primary && facts.engine_version.starts_with(version), "{facts:?}");
    let position = facts.position;
    ensure!(position.timeline == 1 && position.offset > 0, "{position}");
    ensure!(facts.taken_at >= facts.started_at || backup.took_ms.is_some_and(|ms| ms < 5_000));
    Ok(())
}

/// Many keys: some that are texts, some that go by themselves, one that is a list.
async fn fill_keys(api: &Api, prefix: &str) -> anyhow::Result<()> {
    let mut client = Client::read_write(&api.connection("orders").await?).await?;
    for number in 0..500 {
        let (key, value) = (format!("{prefix}{number}"), format!("{number:032x}"));
        client.send(&[&["SET", &key, &value]]).await?;
    }
    for _ in 0..500 {
        client.answer().await?;
    }
    client.ask(&["SET", &format!("{prefix}gone"), "soon", "EX", "3600"]).await?;
    client.ask(&["RPUSH", &format!("{prefix}list"), "a", "b", "c"]).await.map(|_| ())
}

async fn keys_of(connection: &Connection, prefix: &str) -> anyhow::Result<Vec<String>> {
    let mut client = Client::read_write(connection).await?;
    let mut all: Vec<String> = Vec::new();
    for number in 0..500 {
        all.push(client.ask(&["GET", &format!("{prefix}{number}")]).await?);
    }
    all.push(client.ask(&["LRANGE", &format!("{prefix}list"), "0", "-1"]).await?);
    all.push((client.ask(&["TTL", &format!("{prefix}gone")]).await?.len() > 2).to_string());
    Ok(all)
}

async fn redis_family(engine: &str, version: &str) -> anyhow::Result<()> {
    if !can_run(engine, version) {
        return Ok(());
    }
    let store = S3::start().await?;
    let (server, api) = Server::start().await?;
    register(&api, &store.repository("vault", "vault")).await?;
    create(&api, engine, version, "256MiB").await?;
    fill_keys(&api, "before").await?;
    let before = keys_of(&api.connection("orders").await?, "before").await?;
    let users = Users { api: &api, cluster: "orders" };
    users.make("web", "*", "read_write").await?;
    let writer = RedisWriter::start(api.connection("orders").await?).await?;
    writer.progress(20).await?;
    let backup = take(&api, "orders", "vault").await?;
    writer.progress(20).await?;
    let (history, found) = writer.stop().await?;
    assert_eq!(history.lost(&found), Vec::<i64>::new(), "acknowledged writes are missing");
    check(&backup, version)?;
    fill_keys(&api, "after").await?;

    let proven = restore_and_prove(&api, &backup, 2).await?;
    let copy = api.connection("copy").await?;
    assert_eq!(keys_of(&copy, "before").await?, before, "as it was");
    let after = keys_of(&copy, "after").await?;
    ensure!(after.iter().all(|value| value.is_empty() || value == "false"), "nothing newer");
    let proof = proven.proof.context("a proof")?;
    assert!(proof.proven && proof.compared > 500, "{proof:?}");

    let held = (before, after);
    let digest = async |connection: &Connection| {
        Ok((keys_of(connection, "before").await?, keys_of(connection, "after").await?))
    };
    let write = async || fill_keys(&api, "after").await;
    let is_let_in = async || Client::read_write(&users.connection("web").await?).await.map(|_| ());
    goes_and_comes_back(&api, (&backup, &held), digest, write, is_let_in).await?;
    server.check_log()
}

async fn fill_rows(api: &Api, rows: u32) -> anyhow::Result<()> {
    let mut client = mysql::read_write(&api.connection("orders").await?).await?;
    client
        .query_drop(
            "CREATE TABLE IF NOT EXISTS facts (id BIGINT PRIMARY KEY AUTO_INCREMENT, \
             text VARCHAR(80), KEY (text))",
        )
        .await?;
    let one = "SELECT SHA2(RAND(), 256)";
    let many = vec![one; rows as usize].join(" UNION ALL ");
    client.query_drop(format!("INSERT INTO facts (text) {many}")).await?;
    Ok(())
}

async fn rows_of(connection: &Connection) -> anyhow::Result<(u64, String)> {
    let mut client = mysql::read_write(connection).await?;
    client.query_drop("SET SESSION group_concat_max_len = 10000000").await?;
    let question = "SELECT COUNT(*), SHA2(GROUP_CONCAT(id, text ORDER BY id), 256) FROM facts";
    client.query_first(question).await?.context("one row")
}

async fn mysql_family(engine: &str, version: &str) -> anyhow::Result<()> {
    if !can_run(engine, version) {
        return Ok(());
    }
    let store = S3::start().await?;
    let (server, api) = Server::start().await?;
    register(&api, &store.repository("vault", "vault")).await?;
    create(&api, engine, version, "768MiB").await?;
    fill_rows(&api, 1_000).await?;
    let before = rows_of(&api.connection("orders").await?).await?;
    let users = Users { api: &api, cluster: "orders" };
    users.make("web", "app", "read_write").await?;
    let writer = MysqlWriter::start(api.connection("orders").await?).await?;
    writer.progress(20).await?;
    let backup = take(&api, "orders", "vault").await?;
    writer.progress(20).await?;
    let (history, found) = writer.stop().await?;
    assert_eq!(history.lost(&found), Vec::<i64>::new(), "acknowledged writes are missing");
    check(&backup, version)?;
    fill_rows(&api, 10).await?;

    let proven = restore_and_prove(&api, &backup, 2).await?;
    assert_eq!(rows_of(&api.connection("copy").await?).await?, before, "as it was");
    let mut stolen = api.connection("copy").await?;
    stolen.password = api.connection("orders").await?.password;
    ensure!(mysql::read_write(&stolen).await.is_err(), "it has passwords of its own");
    stay_behind::<mysql_async::Conn>(&api, &[users.connection("web").await?]).await?;
    let proof = proven.proof.context("a proof")?;
    assert!(proof.proven && proof.compared >= 1, "{proof:?}");
    // It goes on in a history of its own, and its replica follows.
    let writer = MysqlWriter::start(api.connection("copy").await?).await?;
    writer.progress(10).await?;
    writer.stop().await?;
    api.healthy("copy", Duration::from_secs(30)).await?;

    let write = async || fill_rows(&api, 10).await;
    let is_let_in = async || mysql::read_write(&users.connection("web").await?).await.map(|_| ());
    goes_and_comes_back(&api, (&backup, &before), rows_of, write, is_let_in).await?;
    server.check_log()
}

#[tokio::test]
async fn valkey() -> anyhow::Result<()> {
    redis_family("valkey", "8").await
}

#[tokio::test]
async fn mariadb() -> anyhow::Result<()> {
    mysql_family("mariadb", "11.8").await
}

#[tokio::test]
async fn mysql_server() -> anyhow::Result<()> {
    mysql_family("mysql", "9.7").await
}
