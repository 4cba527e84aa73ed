//! H2, N3: sessions at the endpoints outlive a planned change of primary.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use bellwether_model::Operation;
use bellwether_model::connection::Connection;
use bellwether_testkit::wait::until;
use bellwether_testkit::{Api, Server, sql};
use serde_json::json;
use tokio_postgres::Client;

/// A replica to promote.
async fn replica(api: &Api) -> anyhow::Result<String> {
    Ok(api.promotable("orders", Duration::from_secs(30)).await?.name)
}

async fn promote(api: &Api) -> anyhow::Result<Operation> {
    let operation = api.operate("orders", "switchover", Some(&replica(api).await?)).await?;
    api.finish(operation.id.as_str(), Duration::from_secs(60)).await
}

/// One session at every endpoint.
async fn sessions(connection: &Connection) -> anyhow::Result<Vec<Client>> {
    let mut all = Vec::new();
    for address in &connection.read_write {
        all.push(sql::connect(connection, address, Duration::from_secs(5)).await?);
    }
    Ok(all)
}

async fn text(client: &Client, question: &str) -> anyhow::Result<String> {
    Ok(client.query_one(question, &[]).await?.get(0))
}

async fn process(client: &Client) -> anyhow::Result<i32> {
    Ok(client.query_one("SELECT pg_backend_pid()", &[]).await?.get(0))
}

#[tokio::test]
async fn sessions_go_on_with_the_next_primary_as_they_were() -> anyhow::Result<()> {
    let (server, api) = Server::start().await?;
    api.create("orders", 3, "quorum(1)").await?;
    let connection = api.connection("orders").await?;
    let clients = sessions(&connection).await?;
    assert_eq!(clients.len(), 3);
    clients[0]
        .batch_execute(
            "CREATE TABLE t (id bigserial PRIMARY KEY, who text);
             CREATE FUNCTION be(who text) RETURNS text LANGUAGE sql AS
                 $$ SELECT set_config('app.role', who, false) $$",
        )
        .await?;
    let mut prepared = Vec::new();
    for (place, client) in clients.iter().enumerate() {
        client
            .batch_execute(&format!(
                "SET work_mem = '{}MB'; SET TIME ZONE 'Asia/Tokyo'; SET app.who = 'it''s {place}';
                 SELECT be('r{place}'); PREPARE double(int) AS SELECT ($1 * 2)::text",
                place + 5
            ))
            .await?;
        let insert = "INSERT INTO t (who) VALUES ($1) RETURNING current_setting('app.who')";
        prepared.push(client.prepare(insert).await?);
    }
    for round in 0..3 {
        // One writes all the while; nobody is told of anything.
        let going_on = async {
            let mut longest = Duration::ZERO;
            for _ in 0..400 {
                let began = Instant::now();
                clients[0].execute(&prepared[0], &[&"all the while"]).await?;
                longest = longest.max(began.elapsed());
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            anyhow::Ok(longest)
        };
        let (operation, longest) = tokio::try_join!(promote(&api), going_on)?;
        println!("{}: the longest write took {longest:?}", operation.message);
        for (place, client) in clients.iter().enumerate() {
            let row = client.query_one(&prepared[place], &[&"after"]).await?;
            assert_eq!(row.get::<_, String>(0), format!("it's {place}"), "round {round}");
            assert_eq!(text(client, "SHOW work_mem").await?, format!("{}MB", place + 5));
            assert_eq!(text(client, "SHOW TIME ZONE").await?, "Asia/Tokyo");
            let role = "SELECT current_setting('app.role')";
            assert_eq!(text(client, role).await?, format!("r{place}"));
            let messages = client.simple_query("EXECUTE double(21)").await?;
            let found = messages.iter().any(|message| {
                matches!(message, tokio_postgres::SimpleQueryMessage::Row(row)
                    if row.get(0) == Some("42"))
            });
            assert!(found, "{messages:?}");
        }
    }
    // A statement is ended by the key that the client was given at first.
    let asked = clients[1].cancel_token();
    let tls = bellwether_testkit::tls::MakeTls::new(&connection.ca_certificate)?;
    let ending = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        asked.cancel_query(tls).await.context("asked to end it")
    };
    let began = Instant::now();
    let (slept, asked) = tokio::join!(clients[1].batch_execute("SELECT pg_sleep(20)"), ending);
    asked?;
    let code = slept.err().and_then(|error| error.code().cloned());
    assert_eq!(code, Some(tokio_postgres::error::SqlState::QUERY_CANCELED));
    assert!(began.elapsed() < Duration::from_secs(10));
    server.check_log()
}

#[tokio::test]
async fn what_cannot_go_along_is_told() -> anyhow::Result<()> {
    let (server, api) = Server::start().await?;
    api.create("orders", 2, "async").await?;
    let connection = api.connection("orders").await?;
    let endpoint = &connection.read_write[0];
    let bound = [
        ("CREATE TEMP TABLE mine (id int)", "temporary tables"),
        ("LISTEN news", "listens"),
        ("SELECT pg_advisory_lock(1)", "advisory locks"),
        ("BEGIN; DECLARE c CURSOR WITH HOLD FOR SELECT 1; COMMIT", "cursors"),
        ("CREATE SEQUENCE s; SELECT nextval('s'); SELECT currval('s')", "sequence"),
    ];
    let mut clients = Vec::new();
    for (statement, words) in bound {
        let client = sql::connect(&connection, endpoint, Duration::from_secs(5)).await?;
        client.batch_execute(statement).await?;
        clients.push((client, words));
    }
    promote(&api).await?;
    for (client, words) in &clients {
        until(words, Duration::from_secs(5), || async {
            ensure!(client.is_closed(), "the session goes on");
            Ok(())
        })
        .await?;
    }
    // What it is told, told while it waits for an answer.
    let client = sql::connect(&connection, endpoint, Duration::from_secs(5)).await?;
    client.batch_execute("CREATE TEMP TABLE mine (id int)").await?;
    let asking = async {
        loop {
            if let Err(error) = client.batch_execute("SELECT 1").await {
                return error;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let (operation, error) = tokio::join!(promote(&api), asking);
    operation?;
    println!("{error:?}");
    server.check_log()
}

#[tokio::test]
async fn open_transactions_are_waited_for_or_ended() -> anyhow::Result<()> {
    let (server, api) = Server::start().await?;
    api.create("orders", 2, "async").await?;
    let connection = api.connection("orders").await?;
    let endpoint = &connection.read_write[1];
    let client = sql::connect(&connection, endpoint, Duration::from_secs(5)).await?;
    client.batch_execute("CREATE TABLE t (id int)").await?;

    // Waited for, and named.
    client.batch_execute("BEGIN; INSERT INTO t VALUES (1)").await?;
    let number = process(&client).await?;
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    let operation = api.operate("orders", "switchover", Some(&replica(&api).await?)).await?;
    let named = format!("process {number} (app");
    until("the transaction is named", Duration::from_secs(20), || async {
        let all = api.operations("orders").await?;
        let now = all.iter().find(|one| one.id == operation.id).context("the operation")?;
        let told = now.steps.iter().any(|step| step.message.contains(&named));
        ensure!(told, "{:?}", now.steps);
        Ok(())
    })
    .await?;
    client.batch_execute("COMMIT").await?;
    api.finish(operation.id.as_str(), Duration::from_secs(60)).await?;
    assert_eq!(text(&client, "SELECT count(*)::text FROM t").await?, "1");

    // Ended, as was asked for.
    client.batch_execute("BEGIN; INSERT INTO t VALUES (2)").await?;
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    let body = json!({
        "kind": "switchover", "node": replica(&api).await?, "end_transactions": true,
    });
    let operation: Operation = api.post("/v1/clusters/orders/operations", &body).await?;
    api.finish(operation.id.as_str(), Duration::from_secs(60)).await?;
    assert!(client.batch_execute("COMMIT").await.is_err(), "the transaction was ended");
    let client = sql::connect(&connection, endpoint, Duration::from_secs(5)).await?;
    assert_eq!(text(&client, "SELECT count(*)::text FROM t").await?, "1");

    // It is about a promotion alone.
    let body = json!({ "kind": "add_node", "end_transactions": true });
    let (status, problem) = api.send("POST", "/v1/clusters/orders/operations", Some(&body)).await?;
    assert_eq!(status, 422, "{problem}");
    server.check_log()
}

#[tokio::test]
async fn only_who_shows_the_password_over_tls_is_let_in() -> anyhow::Result<()> {
    let (server, api) = Server::start().await?;
    api.create("orders", 2, "async").await?;
    let connection = api.connection("orders").await?;
    let limit = Duration::from_secs(5);
    for address in connection.read_write.iter().chain(&connection.read_only) {
        sql::connect(&connection, address, limit).await?;
        let wrong = Connection { password: Some("wrong".into()), ..connection.clone() };
        let refused = sql::connect(&wrong, address, limit).await.err().context(address.clone())?;
        let words = format!("{refused:#} {refused:?}");
        assert!(words.contains("password authentication failed"), "{address}: {words}");
        let nobody = Connection { user: "nobody".into(), ..connection.clone() };
        let refused = sql::connect(&nobody, address, limit).await.err().context(address.clone())?;
        let words = format!("{refused:#} {refused:?}");
        assert!(words.contains("password authentication failed"), "{address}: {words}");
        let plain = format!(
            "host={} port={} user={} dbname={} sslmode=disable",
            address.rsplit_once(':').context("a port")?.0,
            address.rsplit_once(':').context("a port")?.1,
            connection.user,
            connection.database
        );
        let mut config: tokio_postgres::Config = plain.parse()?;
        config.password(connection.password.as_deref().unwrap_or_default());
        let refused = config.connect(tokio_postgres::NoTls).await.err();
        let refused = refused.with_context(|| format!("{address} takes what is not encrypted"))?;
        assert!(format!("{refused:?}").contains("no encryption"), "{address}: {refused:?}");
    }
    server.check_log()
}
