//! S3, S7: databases and their users, and passwords that are rotated without cutting anybody off.
//! What is here for the other engines runs on clusters that tests of theirs have.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use bellwether_model::connection::Connection;
use bellwether_model::database::{DatabaseState, DatabaseUserView, Rotation};
use bellwether_testkit::docker::{container_of, docker};
use bellwether_testkit::wait::until;
use bellwether_testkit::writer::{RowClient, read_write};
use bellwether_testkit::{Api, Server, Writer, mysql, redis, sql};
use mysql_async::prelude::Queryable as _;
use serde_json::{Value, json};
use tokio_postgres::Client;

/// The engine takes it while its agent looks, several times a second.
const SOON: Duration = Duration::from_secs(15);

/// The users of one cluster.
pub(crate) struct Users<'a> {
    pub(crate) api: &'a Api,
    pub(crate) cluster: &'a str,
}

impl Users<'_> {
    fn path(&self) -> String {
        format!("/v1/clusters/{}/database-users", self.cluster)
    }

    async fn show(&self, name: &str) -> anyhow::Result<DatabaseUserView> {
        self.api.get(&format!("{}/{name}", self.path())).await
    }

    /// The engine has what was asked for last, and none of the users is refused.
    async fn in_force(&self) -> anyhow::Result<()> {
        until("the engine has the users", SOON, || async {
            let users: Vec<DatabaseUserView> = self.api.get(&self.path()).await?;
            let wrong = users.iter().find(|user| user.state != DatabaseState::InForce);
            ensure!(wrong.is_none(), "{wrong:?}");
            Ok(())
        })
        .await
    }

    pub(crate) async fn make(&self, name: &str, on: &str, rights: &str) -> anyhow::Result<()> {
        let body = json!({ "name": name, "grants": [{ "on": on, "rights": rights }] });
        self.api.post::<Value>(&self.path(), &body).await?;
        self.in_force().await
    }

    /// How that user connects now.
    pub(crate) async fn connection(&self, user: &str) -> anyhow::Result<Connection> {
        let path = format!("/v1/clusters/{}/connection?reveal=true&user={user}", self.cluster);
        self.api.get(&path).await
    }

    pub(crate) async fn rotate(&self, name: &str) -> anyhow::Result<Connection> {
        let path = format!("{}/{name}/rotation", self.path());
        let (status, said) = self.api.send("POST", &path, None).await?;
        ensure!(status == 202, "{said}");
        self.in_force().await?;
        self.connection(name).await
    }

    async fn cancel(&self, name: &str) -> anyhow::Result<Connection> {
        let path = format!("{}/{name}/rotation/cancel", self.path());
        let (status, said) = self.api.send("POST", &path, None).await?;
        ensure!(status == 202, "{said}");
        self.in_force().await?;
        self.connection(name).await
    }

    /// Asks for the end of a rotation; the status and what was said.
    async fn end(&self, name: &str, even_if_used: bool) -> anyhow::Result<(u16, Value)> {
        let path = format!("{}/{name}/rotation/end", self.path());
        let body = json!({ "even_if_used": even_if_used });
        self.api.send("POST", &path, Some(&body)).await
    }

    /// It is seen on every node who uses the former login, which keeps the rotation from its end.
    pub(crate) async fn is_used(&self, name: &str) -> anyhow::Result<Rotation> {
        let rotation = until("it is known who uses the former login", SOON, || async {
            let rotation = self.show(name).await?.rotation.context("a rotation")?;
            ensure!(rotation.unknown.is_empty() && !rotation.sessions.is_empty(), "{rotation:?}");
            Ok(rotation)
        })
        .await?;
        let (status, said) = self.end(name, false).await?;
        ensure!(status == 409, "{said}");
        let detail = said["detail"].as_str().unwrap_or_default();
        ensure!(detail.contains("is used by"), "{said}");
        Ok(rotation)
    }

    /// Ends a rotation as soon as nobody is seen to use the former login.
    pub(crate) async fn end_when_unused(&self, name: &str) -> anyhow::Result<()> {
        until("nobody uses the former login", SOON, || async {
            let (status, said) = self.end(name, false).await?;
            ensure!(status == 202, "{said}");
            Ok(())
        })
        .await?;
        self.in_force().await
    }

    async fn drop(&self, name: &str) -> anyhow::Result<()> {
        let path = format!("{}/{name}", self.path());
        let (status, said) = self.api.send("DELETE", &path, None).await?;
        ensure!(status == 202, "{said}");
        Ok(())
    }
}

/// What a client is told when it tries that.
async fn refusal(client: &Client, statement: &str) -> anyhow::Result<String> {
    let refused = client.batch_execute(statement).await.err().context("it was allowed")?;
    let code = refused.code().context("the engine says why")?;
    Ok(code.code().to_owned())
}

async fn closed(client: &Client) -> anyhow::Result<()> {
    until("the session has ended", SOON, || async {
        ensure!(client.is_closed(), "it goes on");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_password_is_rotated_while_clients_stay_and_come() -> anyhow::Result<()> {
    let (server, api) = Server::start().await?;
    let began = Instant::now();
    let step = |words: &str| eprintln!("{words} after {:?}", began.elapsed());
    api.create("orders", 3, "quorum(1)").await?;
    step("created");
    let users = Users { api: &api, cluster: "orders" };
    let keeper = with_rights(&users).await?;
    step("rights");

    // Both are valid: one client stays, one comes with the former password, one with the new one.
    let before = users.connection("keeper").await?;
    let writer = Writer::start(before.clone()).await?;
    let reads = sql::connect(&before, &before.read_only[0], SOON).await?;
    let after = users.rotate("keeper").await?;
    assert_eq!(after.user, "keeper_b");
    keeper.batch_execute("INSERT INTO goods (name) VALUES ('by the one that stayed')").await?;
    sql::read_write(&before).await?;
    let new = sql::read_write(&after).await?;
    new.batch_execute("ALTER TABLE goods ADD COLUMN price int").await?;
    let used = users.is_used("keeper").await?;
    assert_eq!(used.former, "keeper");
    assert!(
        used.sessions.iter().all(|one| one.from.starts_with("endpoint of orders-")),
        "{used:?}"
    );
    let nodes = used.sessions.iter().map(|one| one.node.as_str());
    assert!(nodes.collect::<std::collections::BTreeSet<_>>().len() >= 2, "{used:?}");
    step("rotating");

    // After a planned change a session that stayed acts as the owner again; after a failover both
    // are still valid, and rights are as they were.
    let replica = api.promotable("orders", Duration::from_secs(30)).await?;
    let operation = api.operate("orders", "switchover", Some(&replica.name)).await?;
    api.finish(operation.id.as_str(), Duration::from_secs(60)).await?;
    keeper.batch_execute("CREATE TABLE later (id int)").await?;
    new.batch_execute("ALTER TABLE later ADD COLUMN name text").await?;
    step("switched over");
    let former = api.cluster("orders").await?.primary.context("a primary")?;
    docker(&["kill", &container_of(former.as_str())?])?;
    writer.progress(50).await?;
    sql::read_write(&before).await?;
    sql::read_write(&after).await?.batch_execute("INSERT INTO later VALUES (1)").await?;
    let report = sql::read_write(&users.connection("report").await?).await?;
    report.query("SELECT * FROM later", &[]).await?;
    assert_eq!(refusal(&report, "INSERT INTO goods (name) VALUES ('x')").await?, "42501");
    step("failed over");

    // Who says so ends the sessions of the former login too, on every node; its data stays.
    let (history, found) = writer.stop().await?;
    assert_eq!(history.lost(&found), Vec::<i64>::new(), "acknowledged writes are missing");
    let stays = sql::read_write(&before).await?;
    until("it is seen", SOON, || async {
        let rotation = users.show("keeper").await?.rotation.context("a rotation")?;
        ensure!(!rotation.sessions.is_empty(), "{rotation:?}");
        Ok(())
    })
    .await?;
    let (status, said) = users.end("keeper", true).await?;
    assert_eq!(status, 202, "{said}");
    assert!(said["sessions_ended"].as_u64().is_some_and(|count| count >= 1), "{said}");
    for client in [&stays, &keeper, &reads] {
        closed(client).await?;
    }
    users.in_force().await?;
    assert!(sql::read_write(&before).await.is_err(), "the former password is still valid");
    let new = sql::read_write(&after).await?;
    new.batch_execute("DROP TABLE written; INSERT INTO goods (name) VALUES ('last')").await?;
    step("ended");

    dropped(&users, &after, &new).await?;
    step("dropped");
    server.check_log()
}

/// Makes a database with users, whose rights are as they were asked for, also on what is made
/// later. A client of who owns it.
async fn with_rights(users: &Users<'_>) -> anyhow::Result<Client> {
    let primary = users.api.cluster("orders").await?.primary.context("a primary")?;
    let socket = "host=/run/bellwether/postgresql port=5431 user=postgres dbname=postgres";
    let engine = |statement: &str| {
        docker(&["exec", &container_of(primary.as_str())?, "psql", socket, "-AtXc", statement])
    };
    engine("CREATE ROLE by_hand LOGIN PASSWORD 'x'")?;
    let shop = json!({ "name": "shop" });
    users.api.post::<Value>("/v1/clusters/orders/databases", &shop).await?;
    users.make("keeper", "shop", "owner").await?;
    users.make("web", "shop", "read_write").await?;
    users.make("report", "shop", "read_only").await?;
    let may = "SELECT has_database_privilege('by_hand', datname, 'CONNECT') FROM pg_database \
               WHERE datname IN ('app', 'shop') ORDER BY datname";
    assert_eq!(engine(may)?, "t\nf", "a role made in SQL has kept its way into app, and no other");

    let owner = users.connection("keeper").await?;
    assert_eq!((owner.user.as_str(), owner.database.as_str()), ("keeper", "shop"));
    let keeper = sql::read_write(&owner).await?;
    keeper.batch_execute("CREATE TABLE goods (id bigserial PRIMARY KEY, name text)").await?;
    let writes = users.connection("web").await?;
    let web = sql::read_write(&writes).await?;
    web.batch_execute("INSERT INTO goods (name) VALUES ('bell')").await?;
    assert_eq!(refusal(&web, "DROP TABLE goods").await?, "42501");
    let report = sql::read_write(&users.connection("report").await?).await?;
    let count: i64 = report.query_one("SELECT count(*) FROM goods", &[]).await?.get(0);
    assert_eq!(count, 1);
    assert_eq!(refusal(&report, "INSERT INTO goods (name) VALUES ('x')").await?, "42501");
    let elsewhere = Connection { database: "app".to_owned(), ..writes };
    assert!(sql::read_write(&elsewhere).await.is_err(), "it has no rights there");
    Ok(keeper)
}

/// What is dropped is gone, the user's sessions and the database's data with it.
async fn dropped(users: &Users<'_>, keeper: &Connection, client: &Client) -> anyhow::Result<()> {
    let reads = sql::connect(keeper, keeper.read_only.last().context("one")?, SOON).await?;
    users.drop("keeper").await?;
    until("the user is gone", SOON, || async {
        ensure!(users.show("keeper").await.is_err(), "it is still there");
        Ok(())
    })
    .await?;
    for client in [client, &reads] {
        closed(client).await?;
    }
    let path = "/v1/clusters/orders/databases/shop?confirm=shop";
    let (status, said) = users.api.send("DELETE", path, None).await?;
    ensure!(status == 202, "{said}");
    until("the database is gone", SOON, || async {
        let all: Vec<Value> = users.api.get("/v1/clusters/orders/databases").await?;
        ensure!(all.len() == 1, "{all:?}");
        Ok(())
    })
    .await?;
    ensure!(sql::read_write(keeper).await.is_err(), "a dropped user gets in");
    let web = users.connection("web").await?;
    ensure!(web.database == "app", "a right on what is gone: {}", web.database);
    Ok(())
}

/// Users of keys may what they were given, whatever node leads them there.
pub(crate) async fn keys_have_users(users: &Users<'_>) -> anyhow::Result<()> {
    users.make("basket", "basket:*", "read_write").await?;
    users.make("report", "*", "read_only").await?;
    let basket = users.connection("basket").await?;
    let mut client = redis::Client::read_write(&basket).await?;
    client.ask(&["SET", "basket:{1}", "bell"]).await?;
    for forbidden in [["SET", "other:{1}", "x"], ["EVAL", "return 1", "x"]] {
        assert!(client.ask(&forbidden).await.is_err(), "{forbidden:?}");
    }
    let mut report = redis::Client::read_write(&users.connection("report").await?).await?;
    assert_eq!(report.ask(&["GET", "basket:{1}"]).await?, "bell");
    assert!(report.ask(&["SET", "basket:{1}", "x"]).await.is_err(), "it only reads");
    for address in basket.read_write.iter().chain(&basket.read_only) {
        redis::Client::connect(&basket, address, SOON).await?;
    }
    Ok(())
}

/// Logins of the cluster that was backed up let nobody into the copy; a user that is asked for
/// there again is let in with a password of its own. `before`: how `web` came into the other one.
pub(crate) async fn stay_behind<C: RowClient>(
    api: &Api,
    before: &[Connection],
) -> anyhow::Result<()> {
    let copy = api.connection("copy").await?;
    for other in before {
        let (user, password) = (other.user.clone(), other.password.clone());
        let stolen = Connection { user, password, ..copy.clone() };
        ensure!(read_write::<C>(&stolen).await.is_err(), "{} is let in", other.user);
    }
    let users = Users { api, cluster: "copy" };
    users.make("web", "app", "read_write").await?;
    read_write::<C>(&users.connection("web").await?).await.map(|_| ())
}

/// Two nodes of MariaDB or MySQL: rights, and a rotation while clients stay and come.
pub(crate) async fn the_family_of_mysql_has_users(api: &Api) -> anyhow::Result<()> {
    let users = Users { api, cluster: "orders" };
    let shop = json!({ "name": "shop_data" });
    api.post::<Value>("/v1/clusters/orders/databases", &shop).await?;
    users.make("keeper", "shop_data", "owner").await?;
    users.make("report", "shop_data", "read_only").await?;
    let before = users.connection("keeper").await?;
    let mut keeper = mysql::read_write(&before).await?;
    keeper.query_drop("CREATE TABLE goods (id BIGINT PRIMARY KEY)").await?;
    let mut report = mysql::read_write(&users.connection("report").await?).await?;
    assert!(report.query_drop("INSERT INTO goods VALUES (1)").await.is_err(), "it only reads");

    let after = users.rotate("keeper").await?;
    keeper.query_drop("INSERT INTO goods VALUES (2)").await?;
    mysql::read_write(&before).await?.disconnect().await?;
    let mut new = mysql::read_write(&after).await?;
    new.query_drop("ALTER TABLE goods ADD COLUMN name TEXT").await?;
    let replica = &before.read_only[0];
    mysql::connect(&before, replica, SOON).await?.disconnect().await?;
    users.is_used("keeper").await?;
    keeper.disconnect().await?;
    users.end_when_unused("keeper").await?;
    assert!(mysql::read_write(&before).await.is_err(), "the former password is still valid");
    until("a replica has heard of it", SOON, || async {
        ensure!(mysql::connect(&before, replica, SOON).await.is_err(), "still valid");
        Ok(())
    })
    .await?;
    let mut replica = mysql::connect(&after, replica, SOON).await?;
    let id: Option<u64> = replica.query_first("SELECT id FROM goods").await?;
    assert_eq!(id, Some(2));

    // Thought better of: the login that was to be replaced stays, and the other one goes.
    let other = users.rotate("keeper").await?;
    let kept = users.cancel("keeper").await?;
    assert_eq!((kept.user.as_str(), &kept.password), (after.user.as_str(), &after.password));
    mysql::read_write(&other).await?.disconnect().await?;
    users.end_when_unused("keeper").await?;
    assert!(mysql::read_write(&other).await.is_err(), "what was cancelled is still valid");
    mysql::read_write(&after).await?.disconnect().await?;

    // And back, ended by who says that its sessions shall end.
    let first = users.rotate("keeper").await?;
    assert_eq!(first.user, "keeper");
    users.is_used("keeper").await?;
    let (status, said) = users.end("keeper", true).await?;
    assert_eq!((status, said["sessions_ended"].as_u64()), (202, Some(2)), "{said}");
    for client in [&mut new, &mut replica] {
        let limit = Instant::now() + SOON;
        while client.query_drop("SELECT 1").await.is_ok() {
            ensure!(Instant::now() < limit, "the session goes on");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    mysql::read_write(&first).await?.disconnect().await?;
    Ok(())
}
