//! What MariaDB and MySQL promise alike, on real nodes.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use bellwether_model::connection::Connection;
use bellwether_model::{ClusterView, NodeView, Operation};
use bellwether_testkit::docker::{container_of, docker, inside};
use bellwether_testkit::wait::until;
use bellwether_testkit::{Api, MysqlWriter, Server, mysql};
use mysql_async::prelude::Queryable as _;
use serde_json::json;

use self::held::Sessions;
use crate::database_users::the_family_of_mysql_has_users;

mod held;

/// How one of the engines is dealt with.
pub(crate) struct Engine {
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
    /// The name of its process, and of its command-line client.
    pub(crate) process: &'static str,
    pub(crate) client: &'static str,
    /// How the client is told to verify.
    pub(crate) verifies: &'static str,
    /// And how not to encrypt.
    pub(crate) unencrypted: &'static str,
}

impl Engine {
    /// Without an image `make e2e` has said why it could not be made.
    fn can_run(&self) -> bool {
        let image = format!("bellwether/node-{}:{}", self.name, self.version);
        let is_there = docker(&["image", "inspect", &image]).is_ok();
        if !is_there {
            eprintln!("NOT RUN: {} {}: there is no image {image}", self.name, self.version);
        }
        is_there
    }

    async fn create(&self, api: &Api, nodes: u32, mode: &str) -> anyhow::Result<ClusterView> {
        let spec = json!({
            "name": "orders", "engine": self.name, "version": self.version, "nodes": nodes,
            "replication": mode, "size": { "cpus": 1, "memory": "768MiB", "disk": "2GiB" },
            "allowlist": [{ "address": "server" }],
        });
        let made: ClusterView = api.post("/v1/clusters", &spec).await?;
        let creation = made.operation.context("creating is an operation")?;
        api.finish(creation.as_str(), Duration::from_secs(180)).await?;
        api.healthy("orders", Duration::from_secs(60)).await
    }

    /// What the engine of that container says to its own agent's user.
    fn ask(&self, container: &str, statement: &str) -> anyhow::Result<String> {
        let socket = "--socket=/run/bellwether/mysql/server.sock";
        docker(&["exec", container, self.client, "--no-defaults", socket, "-NBe", statement])
    }

    /// What a client from outside is told, in the first words of it.
    fn knock(&self, from: &str, connection: &Connection, options: &str) -> anyhow::Result<String> {
        let (host, port) = connection.read_write[0].rsplit_once(':').context("host and port")?;
        let password = connection.password.as_deref().unwrap_or_default();
        let line = format!(
            "MYSQL_PWD='{password}' {} --no-defaults --connect-timeout=3 -NBe 'SELECT 1' \
             --host={host} --port={port} --user={} {options} app 2>&1 || true",
            self.client, connection.user
        );
        inside(from, &line)
    }

    fn kill(&self, container: &str) -> anyhow::Result<()> {
        docker(&["exec", container, "pkill", "-KILL", "-x", self.process]).map(|_| ())
    }
}

async fn node(api: &Api, id: &bellwether_model::NodeId) -> anyhow::Result<NodeView> {
    let nodes = api.nodes("orders").await?;
    nodes.into_iter().find(|node| node.id == *id).context("still a member")
}

async fn operation(api: &Api, kind: &str) -> anyhow::Result<Operation> {
    let operations = api.operations("orders").await?;
    operations.into_iter().find(|one| one.kind.word() == kind).context("such an operation")
}

pub(crate) async fn only_the_clusters_users_get_in_and_only_by_tls(
    engine: &Engine,
) -> anyhow::Result<()> {
    if !engine.can_run() {
        return Ok(());
    }
    let (server, api) = Server::start().await?;
    let cluster = engine.create(&api, 2, "async").await?;
    let connection = api.connection("orders").await?;
    let primary = cluster.primary.context("a primary")?;
    let container = container_of(primary.as_str())?;
    let own = |options: &str| engine.knock(&container, &connection, options);

    let verified = format!("--ssl-ca=/data/conf/ca.pem {}", engine.verifies);
    assert_eq!(own(&verified)?, "1");
    let stranger = format!("--ssl-ca=/etc/ssl/certs/ca-certificates.crt {}", engine.verifies);
    assert_ne!(own(&stranger)?, "1", "another authority was trusted");
    let wrong = Connection { password: Some("wrong".into()), ..connection.clone() };
    let said = engine.knock(&container, &wrong, &verified)?;
    assert!(said.contains("1045"), "another password was taken: {said}");
    let plain = own(engine.unencrypted)?;
    assert!(plain.contains("3159"), "it is not encrypted: {plain}");
    // Nothing unencrypted, nobody's but the application's user, nowhere but through the gate.
    let mut client = mysql::read_write(&connection).await?;
    let grants: Vec<String> = client.query("SHOW GRANTS").await?;
    ensure!(
        !grants.iter().any(|g| g.contains("SUPER") || g.contains("READ_ONLY ADMIN")),
        "{grants:?}"
    );
    let tls: Option<(String, String)> =
        client.query_first("SHOW STATUS LIKE 'Ssl_version'").await?;
    ensure!(tls.is_some_and(|(_, version)| version.starts_with("TLSv1.")), "it is not encrypted");
    ensure!(client.query_drop("SET GLOBAL read_only = OFF").await.is_err(), "it may do all");
    ensure!(client.query_drop("SELECT * FROM bellwether.terms").await.is_err(), "it sees ours");
    let (host, _) = connection.read_write[0].rsplit_once(':').context("host and port")?;
    let direct = tokio::net::TcpStream::connect(format!("{host}:3305"));
    let direct = tokio::time::timeout(Duration::from_secs(1), direct).await;
    assert!(!matches!(direct, Ok(Ok(_))), "the private port is open");

    // A replica takes no writes of the application, and says so.
    let nodes = api.nodes("orders").await?;
    let replica = nodes.iter().find(|node| node.id != primary).context("a replica")?;
    let read_only = engine.ask(&container_of(replica.id.as_str())?, "SELECT @@read_only")?;
    assert_eq!(read_only, "1");
    the_family_of_mysql_has_users(&api).await?;
    server.check_log()
}

pub(crate) async fn a_killed_node_is_replaced_and_comes_back(
    engine: &Engine,
) -> anyhow::Result<()> {
    if !engine.can_run() {
        return Ok(());
    }
    let (server, api) = Server::start().await?;
    let cluster = engine.create(&api, 3, "strict").await?;
    let former = cluster.primary.context("a primary")?;
    let writer = MysqlWriter::start(api.connection("orders").await?).await?;
    writer.progress(50).await?;

    let killed = Instant::now();
    docker(&["kill", &container_of(former.as_str())?])?;
    writer.progress(50).await?;
    let outage = writer.history().outage(killed);
    assert!(outage < Duration::from_secs(15), "writes waited {outage:?}");

    let cluster = api.healthy("orders", Duration::from_secs(90)).await?;
    assert_ne!(cluster.primary.as_ref(), Some(&former));
    assert_eq!(node(&api, &former).await?.upstream, cluster.primary_name);
    let (history, found) = writer.stop().await?;
    assert_eq!(history.lost(&found), Vec::<i64>::new(), "acknowledged writes are missing");
    server.check_log()
}

pub(crate) async fn a_dead_engine_is_replaced_again_and_again(
    engine: &Engine,
) -> anyhow::Result<()> {
    if !engine.can_run() {
        return Ok(());
    }
    let (server, api) = Server::start().await?;
    let mut primary = engine.create(&api, 3, "strict").await?.primary.context("a primary")?;
    let writer = MysqlWriter::start(api.connection("orders").await?).await?;
    for _ in 0..3 {
        writer.progress(50).await?;
        engine.kill(&container_of(primary.as_str())?)?;
        writer.progress(50).await?;
        let cluster = api.healthy("orders", Duration::from_secs(90)).await?;
        let now = cluster.primary.context("a primary")?;
        ensure!(now != primary, "nobody took over");
        primary = now;
    }
    let (history, found) = writer.stop().await?;
    assert_eq!(history.lost(&found), Vec::<i64>::new(), "acknowledged writes are missing");
    server.check_log()
}

pub(crate) async fn all_engines_may_die_at_once(engine: &Engine) -> anyhow::Result<()> {
    if !engine.can_run() {
        return Ok(());
    }
    let (server, api) = Server::start().await?;
    engine.create(&api, 3, "strict").await?;
    let nodes = api.nodes("orders").await?;
    let writer = MysqlWriter::start(api.connection("orders").await?).await?;
    for _ in 0..2 {
        writer.progress(50).await?;
        for node in &nodes {
            engine.kill(&container_of(node.id.as_str())?)?;
        }
        writer.progress(50).await?;
        api.healthy("orders", Duration::from_secs(90)).await?;
    }
    let (history, found) = writer.stop().await?;
    assert_eq!(history.lost(&found), Vec::<i64>::new(), "acknowledged writes are missing");
    server.check_log()
}

pub(crate) async fn a_planned_change_loses_nothing(engine: &Engine) -> anyhow::Result<()> {
    if !engine.can_run() {
        return Ok(());
    }
    let (server, api) = Server::start().await?;
    engine.create(&api, 3, "async").await?;
    let primary = api.cluster("orders").await?.primary.context("a primary")?;
    let uptime = |id: &bellwether_model::NodeId| -> anyhow::Result<u64> {
        let status = "SHOW GLOBAL STATUS LIKE 'Uptime'";
        let said = engine.ask(&container_of(id.as_str())?, status)?;
        Ok(said.split_whitespace().last().unwrap_or_default().parse()?)
    };
    let before = (Instant::now(), uptime(&primary)?);
    let connection = api.connection("orders").await?;
    let mut sessions = Sessions::open(&connection).await?;
    let writer = MysqlWriter::start(connection.clone()).await?;
    for _ in 0..2 {
        writer.progress(50).await?;
        let replica = api.promotable("orders", Duration::from_secs(30)).await?;
        let operation = api.operate("orders", "switchover", Some(&replica.name)).await?;
        api.finish(operation.id.as_str(), Duration::from_secs(60)).await?;
        let cluster = api.healthy("orders", Duration::from_secs(30)).await?;
        assert_eq!(cluster.primary.as_ref(), Some(&replica.id));
        sessions.went_along().await?;
        let report = held::it_was_measured(&api).await?;
        println!("writes waited {:?} ms: {:?}", report.write_gap_ms, report.measured_by);
    }
    held::statements_can_be_ended(&connection).await?;
    writer.progress(50).await?;
    // It follows without having been stopped.
    let passed = before.0.elapsed().as_secs();
    ensure!(uptime(&primary)? + 2 >= before.1 + passed, "the former primary was stopped");
    let (history, found) = writer.stop().await?;
    println!("the longest pause was {:?}", history.longest_gap());
    assert_eq!(history.errors(), 0, "a client was told of the change");
    assert_eq!(history.lost(&found), Vec::<i64>::new(), "acknowledged writes are missing");
    server.check_log()
}

pub(crate) async fn what_only_a_former_primary_held_is_kept(engine: &Engine) -> anyhow::Result<()> {
    if !engine.can_run() {
        return Ok(());
    }
    let (server, api) = Server::start().await?;
    let cluster = engine.create(&api, 2, "async").await?;
    let former = cluster.primary.context("a primary")?;
    let container = container_of(former.as_str())?;
    engine.ask(&container, "CREATE TABLE app.kept (id INT PRIMARY KEY)")?;
    let nodes = api.nodes("orders").await?;
    let replica = nodes.iter().find(|node| node.id != former).context("a replica")?;
    let replica = container_of(replica.id.as_str())?;
    until("the table has come over", Duration::from_secs(10), || async {
        engine.ask(&replica, "SELECT COUNT(*) FROM app.kept").map(|_| ())
    })
    .await?;
    // Nothing more gets from engine to engine.
    let cut = "nft add table inet cut && nft add chain inet cut out \
               '{ type filter hook output priority -10; }' && \
               nft add rule inet cut out tcp sport 3305 drop";
    inside(&container, cut)?;
    for id in 1..=7 {
        engine.ask(&container, &format!("INSERT INTO app.kept VALUES ({id})"))?;
    }
    docker(&["kill", &container])?;
    let healthy = api.healthy("orders", Duration::from_secs(120)).await?;
    assert_ne!(healthy.primary.as_ref(), Some(&former));

    let returned = node(&api, &former).await?;
    let found = returned.diverged.first().context("what only it held is listed")?;
    assert_eq!(found.transactions, Some(7), "{found:?}");
    let files = inside(&container, &format!("ls {}", found.directory))?;
    assert!(files.contains("summary.json") && files.contains("binlog.0"), "{files}");
    let rejoin = operation(&api, "rejoin").await?;
    assert!(rejoin.message.contains("7 transactions"), "{}", rejoin.message);
    server.check_log()
}

/// Nothing is passed over by itself: the replica stands still, says so, and is copied anew.
pub(crate) async fn a_change_that_cannot_be_applied_is_told(engine: &Engine) -> anyhow::Result<()> {
    if !engine.can_run() {
        return Ok(());
    }
    let (server, api) = Server::start().await?;
    let cluster = engine.create(&api, 3, "strict").await?;
    let primary = cluster.primary.context("a primary")?;
    let writer = MysqlWriter::start(api.connection("orders").await?).await?;
    engine.ask(&container_of(primary.as_str())?, "CREATE TABLE app.odd (id INT PRIMARY KEY)")?;
    let replica = api.promotable("orders", Duration::from_secs(30)).await?;
    let container = container_of(replica.id.as_str())?;
    until("the table has come over", Duration::from_secs(10), || async {
        engine.ask(&container, "SELECT COUNT(*) FROM app.odd").map(|_| ())
    })
    .await?;
    let odd = "SET sql_log_bin = 0; SET GLOBAL read_only = 0; INSERT INTO app.odd VALUES (7)";
    engine.ask(&container, odd)?;
    engine.ask(&container_of(primary.as_str())?, "INSERT INTO app.odd VALUES (7)")?;
    until("it says what is wrong", Duration::from_secs(30), || async {
        let now = node(&api, &replica.id).await?;
        ensure!(now.state.contains("cannot be applied (error 1062"), "{}", now.state);
        let sentence = api.cluster("orders").await?.sentence;
        ensure!(sentence.contains("cannot be applied"), "{sentence}");
        Ok(())
    })
    .await?;
    let refused = api.operate("orders", "switchover", Some(&replica.name)).await.err();
    let refused = refused.context("it was to be promoted")?.to_string();
    assert!(refused.contains("resynchronise it"), "{refused}");
    writer.progress(50).await?;

    let copy = json!({ "kind": "resync", "nodes": [replica.name], "copy": true });
    let resync: Operation = api.post("/v1/clusters/orders/operations", &copy).await?;
    api.finish(resync.id.as_str(), Duration::from_secs(120)).await?;
    api.healthy("orders", Duration::from_secs(60)).await?;
    assert_eq!(api.cluster("orders").await?.primary, Some(primary), "nobody had to take over");
    let (history, found) = writer.stop().await?;
    assert_eq!(history.lost(&found), Vec::<i64>::new(), "acknowledged writes are missing");
    server.check_log()
}

pub(crate) async fn a_single_one_is_started_again_and_grows(engine: &Engine) -> anyhow::Result<()> {
    if !engine.can_run() {
        return Ok(());
    }
    let (server, api) = Server::start().await?;
    let cluster = engine.create(&api, 1, "async").await?;
    let primary = cluster.primary.context("a primary")?;
    let writer = MysqlWriter::start(api.connection("orders").await?).await?;
    writer.progress(20).await?;
    engine.kill(&container_of(primary.as_str())?)?;
    writer.progress(20).await?;
    // With its machine, too: what an earlier life left does not keep it from starting.
    let container = container_of(primary.as_str())?;
    docker(&["kill", &container])?;
    docker(&["start", &container])?;
    writer.progress(20).await?;
    let adding = api.operate("orders", "add_node", None).await?;
    api.finish(adding.id.as_str(), Duration::from_secs(120)).await?;
    api.healthy("orders", Duration::from_secs(60)).await?;
    let (history, found) = writer.stop().await?;
    assert_eq!(history.lost(&found), Vec::<i64>::new(), "acknowledged writes are missing");
    server.check_log()
}

pub(crate) async fn settings_change_under_load(engine: &Engine) -> anyhow::Result<()> {
    if !engine.can_run() {
        return Ok(());
    }
    let (server, api) = Server::start().await?;
    let former = engine.create(&api, 3, "prefer").await?.primary;
    let writer = MysqlWriter::start(api.connection("orders").await?).await?;
    writer.progress(50).await?;
    let running = json!({ "max_connections": 77, "transaction_isolation": "read-committed" });
    change(&api, running).await?;
    in_force(engine, &api, "@@global.max_connections", "77").await?;
    in_force(engine, &api, "@@global.transaction_isolation", "READ-COMMITTED").await?;
    assert_eq!(api.cluster("orders").await?.primary, former, "nobody had to be started again");
    assert_eq!(writer.history().errors(), 0);

    let started = json!({ "max_connections": 77, "innodb_buffer_pool_size": "256MiB" });
    change(&api, started).await?;
    in_force(engine, &api, "@@global.innodb_buffer_pool_size DIV 1048576", "256").await?;
    in_force(engine, &api, "@@global.transaction_isolation", "REPEATABLE-READ").await?;
    assert_ne!(api.cluster("orders").await?.primary, former, "a replica took over");
    writer.progress(50).await?;
    let (history, found) = writer.stop().await?;
    assert_eq!(history.lost(&found), Vec::<i64>::new(), "acknowledged writes are missing");
    server.check_log()
}

/// Chooses these settings, and no others, and waits until they are in force.
async fn change(api: &Api, parameters: serde_json::Value) -> anyhow::Result<()> {
    let generation = api.cluster("orders").await?.generation;
    api.change("orders", generation, &json!({ "parameters": parameters })).await?;
    let reconfigure = operation(api, "reconfigure").await?;
    api.finish(reconfigure.id.as_str(), Duration::from_secs(180)).await?;
    api.healthy("orders", Duration::from_secs(60)).await.map(|_| ())
}

/// What each node's engine itself says.
async fn in_force(engine: &Engine, api: &Api, what: &str, value: &str) -> anyhow::Result<()> {
    for node in api.nodes("orders").await? {
        let said = engine.ask(&container_of(node.id.as_str())?, &format!("SELECT {what}"))?;
        ensure!(said == value, "{what} is {said} on {}, not {value}", node.name);
    }
    Ok(())
}
