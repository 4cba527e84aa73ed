//! Sessions at the endpoints of MariaDB and MySQL outlive a planned change of primary.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use bellwether_model::connection::Connection;
use bellwether_model::event::Page;
use bellwether_model::report::Report;
use bellwether_testkit::wait::until;
use bellwether_testkit::{Api, mysql};
use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Error, Statement};

/// A session with a state of its own.
struct Held {
    client: Conn,
    insert: Statement,
    place: usize,
}

/// Sessions that go along, and such as cannot.
pub(super) struct Sessions {
    held: Vec<Held>,
    bound: Vec<(Conn, &'static str)>,
}

const STATE: &str = "SELECT CONCAT_WS('/', @who, @count + 0, @@group_concat_max_len, \
                     @@time_zone, DATABASE(), @@autocommit + 0)";

impl Sessions {
    /// One that goes along at every endpoint, and some at the first that cannot.
    pub(super) async fn open(connection: &Connection) -> anyhow::Result<Self> {
        let mut sessions = Self { held: Vec::new(), bound: Vec::new() };
        let limit = Duration::from_secs(5);
        for (place, address) in connection.read_write.iter().enumerate() {
            let mut client = mysql::connect(connection, address, limit).await?;
            client
                .query_drop(
                    "CREATE TABLE IF NOT EXISTS held \
                     (id INT AUTO_INCREMENT PRIMARY KEY, who VARCHAR(20), n BIGINT)",
                )
                .await?;
            let count = 4_000 + place;
            for statement in [
                format!("SET @who = 'it''s {place}é', @count = {place}"),
                format!("SET SESSION group_concat_max_len = {count}, time_zone = '+02:00'"),
            ] {
                client.query_drop(statement).await?;
            }
            let insert = client.prep("INSERT INTO held (who, n) VALUES (?, ?)").await?;
            client.exec_drop(&insert, ("before", 1)).await?;
            sessions.held.push(Held { client, insert, place });
        }
        for (statement, words) in [
            ("CREATE TEMPORARY TABLE mine (id INT)", "temporary tables"),
            ("SELECT GET_LOCK('mine', 1)", "named locks"),
            ("PREPARE mine FROM 'SELECT 1'", "PREPARE"),
        ] {
            let address = &connection.read_write[0];
            let mut client = mysql::connect(connection, address, limit).await?;
            client.query_drop(statement).await?;
            sessions.bound.push((client, words));
        }
        Ok(sessions)
    }

    /// The primary has changed as planned.
    pub(super) async fn went_along(&mut self) -> anyhow::Result<()> {
        for Held { client, insert, place } in &mut self.held {
            // The statement that follows one may ask what that was given.
            let last: Option<u64> = client.query_first("SELECT LAST_INSERT_ID()").await?;
            ensure!(last > Some(0), "{last:?}");
            client.exec_drop(&*insert, ("after", *place)).await?;
            let state: Option<String> = client.query_first(STATE).await?;
            let count = 4_000 + *place;
            let expected = format!("it's {place}é/{place}/{count}/+02:00/app/1");
            ensure!(state.as_deref() == Some(&*expected), "{state:?} is not {expected}");
            let again = client.prep("SELECT who FROM held WHERE n = ? LIMIT 1").await?;
            let who: Option<String> = client.exec_first(&again, (1,)).await?;
            ensure!(who.is_some(), "what was prepared afterwards finds nothing");
            client.close(again).await?;
        }
        for (mut client, words) in self.bound.drain(..) {
            match client.query_drop("SELECT 1").await {
                Err(Error::Server(said)) => {
                    ensure!(said.code == 1053 && said.message.contains(words), "{said:?}");
                }
                other => anyhow::bail!("{words}: {other:?}"),
            }
        }
        Ok(())
    }
}

/// A statement is ended by the number that the client was told.
pub(super) async fn statements_can_be_ended(connection: &Connection) -> anyhow::Result<()> {
    let limit = Duration::from_secs(5);
    let address = connection.read_write.last().context("an endpoint")?;
    let mut client = mysql::connect(connection, address, limit).await?;
    let mut other = mysql::connect(connection, address, limit).await?;
    let kill = format!("KILL QUERY {}", client.id());
    let ending = async {
        until("it runs", limit, || async {
            let asking = mysql::connect(connection, address, limit).await?;
            running(asking).await
        })
        .await?;
        other.query_drop(kill).await.context("asked to end it")
    };
    let began = std::time::Instant::now();
    let (slept, asked) = tokio::join!(client.query_drop("DO SLEEP(30)"), ending);
    asked?;
    ensure!(began.elapsed() < Duration::from_secs(20), "it was not ended: {slept:?}");
    Ok(())
}

async fn running(mut client: Conn) -> anyhow::Result<()> {
    let question = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE INFO LIKE 'DO %'";
    let count: Option<u64> = client.query_first(question).await?;
    ensure!(count > Some(0), "nothing sleeps");
    Ok(())
}

/// The newest report tells how long writes waited.
pub(super) async fn it_was_measured(api: &Api) -> anyhow::Result<Report> {
    until("the report tells how long writes waited", Duration::from_secs(20), || async {
        let all: Page<Report> = api.get("/v1/clusters/orders/reports").await?;
        let newest = all.items.into_iter().next().context("no report yet")?;
        ensure!(newest.write_gap_ms.is_some(), "not yet: {}", newest.message);
        Ok(newest)
    })
    .await
}
