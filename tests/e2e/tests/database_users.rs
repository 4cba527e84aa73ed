//! S3, S7: databases and their users, and passwords that are rotated without cutting anybody off.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use bellwether_model::connection::Connection;
use bellwether_model::database::{DatabaseState, DatabaseUserView};
use bellwether_testkit::docker::{container_of, docker};
use bellwether_testkit::wait::until;
use bellwether_testkit::{Api, Server, Writer, mysql, redis, sql};
use mysql_async::prelude::Queryable as _;
use serde_json::{Value, json};
use tokio_postgres::Client;

const USERS: &str = "/v1/clusters/orders/database-users";

/// The engine takes it while its agent looks, several times a second.
const SOON: Duration = Duration::from_secs(15);

async fn user(api: &Api, name: &str) -> anyhow::Result<DatabaseUserView> {
    api.get(&format!("{USERS}/{name}")).await
}

async fn in_force(api: &Api, name: &str) -> anyhow::Result<DatabaseUserView> {
    until("the engine has the user", SOON, || async {
        let user = user(api, name).await?;
        ensure!(user.state == DatabaseState::InForce, "{user:?}");
        Ok(user)
    })
    .await
}

async fn make(api: &Api, name: &str, on: &str, rights: &str) -> anyhow::Result<()> {
    let body = json!({ "name": name, "grants": [{ "on": on, "rights": rights }] });
    api.post::<Value>(USERS, &body).await?;
    in_force(api, name).await?;
    Ok(())
}

/// How that user connects now.
async fn connection(api: &Api, user: &str) -> anyhow::Result<Connection> {
    api.get(&format!("/v1/clusters/orders/connection?reveal=true&user={user}")).await
}

async fn rotate(api: &Api, name: &str) -> anyhow::Result<Connection> {
    let (status, said) = api.send("POST", &format!("{USERS}/{name}/rotation"), None).await?;
    ensure!(status == 202, "{said}");
    in_force(api, name).await?;
    connection(api, name).await
}

/// Asks for the end of a rotation; the status and what was said.
async fn end(api: &Api, name: &str) -> anyhow::Result<(u16, Value)> {
    api.send("POST", &format!("{USERS}/{name}/rotation/end"), Some(&json!({}))).await
}

/// Ends a rotation as soon as nobody is seen to use the former login.
async fn end_when_unused(api: &Api, name: &str) -> anyhow::Result<()> {
    until("nobody uses the former login", SOON, || async {
        let (status, said) = end(api, name).await?;
        ensure!(status == 202, "{said}");
        Ok(())
    })
    .await?;
    in_force(api, name).await?;
    Ok(())
}

/// What a client is told when it tries that.
async fn refusal(client: &Client, statement: &str) -> anyhow::Result<String> {
    let refused = client.batch_execute(statement).await.err().context("it was allowed")?;
    let code = refused.code().context("the engine says why")?;
    Ok(code.code().to_owned())
}

#[tokio::test]
async fn a_password_is_rotated_while_clients_stay_and_come() -> anyhow::Result<()> {
    let (server, api) = Server::start().await?;
    api.create("orders", 3, "quorum(1)").await?;
    let shop = json!({ "name": "shop" });
    api.post::<Value>("/v1/clusters/orders/databases", &shop).await?;
    make(&api, "keeper", "shop", "owner").await?;
    make(&api, "web", "shop", "read_write").await?;
    make(&api, "report", "shop", "read_only").await?;

    // Rights are as they were asked for, also on what is made later.
    let before = connection(&api, "keeper").await?;
    assert_eq!((before.user.as_str(), before.database.as_str()), ("keeper", "shop"));
    let keeper = sql::read_write(&before).await?;
    keeper.batch_execute("CREATE TABLE goods (id bigserial PRIMARY KEY, name text)").await?;
    let web = sql::read_write(&connection(&api, "web").await?).await?;
    web.batch_execute("INSERT INTO goods (name) VALUES ('bell')").await?;
    assert_eq!(refusal(&web, "DROP TABLE goods").await?, "42501");
    let report = sql::read_write(&connection(&api, "report").await?).await?;
    let count: i64 = report.query_one("SELECT count(*) FROM goods", &[]).await?.get(0);
    assert_eq!(count, 1);
    assert_eq!(refusal(&report, "INSERT INTO goods (name) VALUES ('x')").await?, "42501");
    let elsewhere = Connection { database: "app".to_owned(), ..connection(&api, "web").await? };
    assert!(sql::read_write(&elsewhere).await.is_err(), "it has no rights there");

    // Both are valid: one client stays, one comes with the former password, one with the new one.
    let writer = Writer::start(before.clone()).await?;
    let after = rotate(&api, "keeper").await?;
    assert_eq!(after.user, "keeper_b");
    keeper.batch_execute("INSERT INTO goods (name) VALUES ('by the one that stayed')").await?;
    sql::read_write(&before).await?;
    let new = sql::read_write(&after).await?;
    new.batch_execute("ALTER TABLE goods ADD COLUMN price int").await?;
    let used = until("it is seen who uses the former login", SOON, || async {
        let rotation = user(&api, "keeper").await?.rotation.context("it is under way")?;
        ensure!(!rotation.sessions.is_empty() && rotation.unknown.is_empty(), "{rotation:?}");
        Ok(rotation)
    })
    .await?;
    assert_eq!(used.former, "keeper");
    assert!(used.sessions[0].from.starts_with("endpoint of orders-"), "{used:?}");
    let (status, said) = end(&api, "keeper").await?;
    assert_eq!(status, 409, "{said}");
    assert!(said["detail"].as_str().is_some_and(|words| words.contains("is used by")), "{said}");

    // After a failover everything is still so.
    let former = api.cluster("orders").await?.primary.context("a primary")?;
    docker(&["kill", &container_of(former.as_str())?])?;
    writer.progress(50).await?;
    api.healthy("orders", Duration::from_secs(60)).await?;
    sql::read_write(&before).await?;
    let new = sql::read_write(&after).await?;
    let report = sql::read_write(&connection(&api, "report").await?).await?;
    assert_eq!(refusal(&report, "INSERT INTO goods (name) VALUES ('x')").await?, "42501");

    // Once nobody uses it the former login is turned off, and what was made with it stays.
    let (history, found) = writer.stop().await?;
    assert_eq!(history.lost(&found), Vec::<i64>::new(), "acknowledged writes are missing");
    drop(keeper);
    end_when_unused(&api, "keeper").await?;
    assert!(sql::read_write(&before).await.is_err(), "the former password is still valid");
    new.batch_execute("DROP TABLE written; INSERT INTO goods (name) VALUES ('last')").await?;

    dropped(&api, &after).await?;
    server.check_log()
}

/// What is dropped is gone, the user's sessions and the database's data with it.
async fn dropped(api: &Api, keeper: &Connection) -> anyhow::Result<()> {
    let (status, said) = api.send("DELETE", &format!("{USERS}/keeper"), None).await?;
    ensure!(status == 202, "{said}");
    let path = "/v1/clusters/orders/databases/shop?confirm=shop";
    let (status, said) = api.send("DELETE", path, None).await?;
    ensure!(status == 202, "{said}");
    until("both are gone", SOON, || async {
        let all: Vec<Value> = api.get("/v1/clusters/orders/databases").await?;
        ensure!(all.len() == 1 && user(api, "keeper").await.is_err(), "{all:?}");
        Ok(())
    })
    .await?;
    ensure!(sql::read_write(keeper).await.is_err(), "a dropped user gets in");
    let web = connection(api, "web").await?;
    ensure!(web.database == "app", "a right on what is gone: {}", web.database);
    Ok(())
}

#[tokio::test]
async fn the_applications_password_of_valkey_is_rotated_on_every_node() -> anyhow::Result<()> {
    let (server, api) = Server::start().await?;
    api.create_of("valkey", "orders", 2, "async").await?;
    make(&api, "basket", "basket:*", "read_write").await?;
    make(&api, "report", "*", "read_only").await?;
    let mut basket = redis::Client::read_write(&connection(&api, "basket").await?).await?;
    basket.ask(&["SET", "basket:1", "bell"]).await?;
    assert!(basket.ask(&["SET", "other:1", "x"]).await.is_err(), "not its keys");
    let mut report = redis::Client::read_write(&connection(&api, "report").await?).await?;
    assert_eq!(report.ask(&["GET", "basket:1"]).await?, "bell");
    assert!(report.ask(&["SET", "basket:1", "x"]).await.is_err(), "it only reads");

    let before = api.connection("orders").await?;
    let mut stays = redis::Client::read_write(&before).await?;
    let after = rotate(&api, "app").await?;
    assert_eq!((before.user.as_str(), after.user.as_str()), ("app", "app_b"));
    stays.ask(&["SET", "stays", "1"]).await?;
    redis::Client::read_write(&before).await?;
    let replica = api.promotable("orders", Duration::from_secs(30)).await?;
    let operation = api.operate("orders", "switchover", Some(&replica.name)).await?;
    api.finish(operation.id.as_str(), Duration::from_secs(60)).await?;
    assert_eq!(stays.ask(&["GET", "stays"]).await?, "1");
    redis::Client::read_write(&before).await?;
    let mut new = redis::Client::read_write(&after).await?;
    let (status, said) = until("the one that stays is seen", SOON, || async {
        let (status, said) = end(&api, "app").await?;
        let is_used = said["detail"].as_str().is_some_and(|words| words.contains("is used by"));
        ensure!(is_used, "{said}");
        Ok((status, said))
    })
    .await?;
    assert_eq!(status, 409, "{said}");
    drop(stays);
    end_when_unused(&api, "app").await?;
    assert!(redis::Client::read_write(&before).await.is_err(), "the former one is still valid");
    new.ask(&["GET", "stays"]).await?;
    server.check_log()
}

#[tokio::test]
async fn a_password_of_mysql_is_rotated_while_clients_stay_and_come() -> anyhow::Result<()> {
    rotated_in_the_family_of_mysql("mysql").await
}

#[tokio::test]
async fn a_password_of_mariadb_is_rotated_while_clients_stay_and_come() -> anyhow::Result<()> {
    rotated_in_the_family_of_mysql("mariadb").await
}

async fn rotated_in_the_family_of_mysql(engine: &str) -> anyhow::Result<()> {
    let (server, api) = Server::start().await?;
    api.create_of(engine, "orders", 2, "async").await?;
    let shop = json!({ "name": "shop_data" });
    api.post::<Value>("/v1/clusters/orders/databases", &shop).await?;
    make(&api, "keeper", "shop_data", "owner").await?;
    make(&api, "report", "shop_data", "read_only").await?;
    let before = connection(&api, "keeper").await?;
    let mut keeper = mysql::read_write(&before).await?;
    keeper.query_drop("CREATE TABLE goods (id BIGINT PRIMARY KEY)").await?;
    let mut report = mysql::read_write(&connection(&api, "report").await?).await?;
    assert!(report.query_drop("INSERT INTO goods VALUES (1)").await.is_err(), "it only reads");

    let after = rotate(&api, "keeper").await?;
    keeper.query_drop("INSERT INTO goods VALUES (2)").await?;
    mysql::read_write(&before).await?.disconnect().await?;
    let mut new = mysql::read_write(&after).await?;
    new.query_drop("ALTER TABLE goods ADD COLUMN name TEXT").await?;
    keeper.disconnect().await?;
    end_when_unused(&api, "keeper").await?;
    assert!(mysql::read_write(&before).await.is_err(), "the former password is still valid");
    let replica = api.promotable("orders", Duration::from_secs(30)).await?;
    let operation = api.operate("orders", "switchover", Some(&replica.name)).await?;
    api.finish(operation.id.as_str(), Duration::from_secs(60)).await?;
    let mut new = mysql::read_write(&after).await?;
    let id: Option<u64> = new.query_first("SELECT id FROM goods").await?;
    assert_eq!(id, Some(2));
    assert!(mysql::read_write(&before).await.is_err(), "valid again after a change of primary");
    server.check_log()
}
