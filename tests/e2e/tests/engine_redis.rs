//! Valkey and Redis on real nodes: who gets in and how; what a planned change, a dead engine and a
//! lost machine cost; what only a former primary held; and that nothing empty is ever followed.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use bellwether_model::connection::Connection;
use bellwether_model::event::Page;
use bellwether_model::report::Report;
use bellwether_model::settings::ParameterView;
use bellwether_model::{ClusterView, NodeView, Operation};
use bellwether_testkit::docker::{container_of, docker, inside};
use bellwether_testkit::faults::Loss;
use bellwether_testkit::redis::Client;
use bellwether_testkit::wait::until;
use bellwether_testkit::{Api, RedisWriter, Server};
use serde_json::json;

use crate::database_users::{Users, keys_have_users};

#[derive(Clone, Copy)]
struct Engine {
    name: &'static str,
    version: &'static str,
}

const VALKEY: Engine = Engine { name: "valkey", version: "8" };

impl Engine {
    /// Without an image `make e2e` has said why it could not be made.
    fn can_run(self) -> bool {
        let image = format!("bellwether/node-{}:{}", self.name, self.version);
        let is_there = docker(&["image", "inspect", &image]).is_ok();
        if !is_there {
            eprintln!("NOT RUN: {} {}: there is no image {image}", self.name, self.version);
        }
        is_there
    }

    /// The name of its process.
    fn process(self) -> String {
        format!("{}-server", self.name)
    }

    async fn create(self, api: &Api, nodes: u32) -> anyhow::Result<ClusterView> {
        let spec = json!({
            "name": "cache", "engine": self.name, "version": self.version, "nodes": nodes,
            "size": { "cpus": 1, "memory": "256MiB", "disk": "1GiB" },
            "allowlist": [{ "address": "server" }],
        });
        let made: ClusterView = api.post("/v1/clusters", &spec).await?;
        let creation = made.operation.context("creating is an operation")?;
        api.finish(creation.as_str(), Duration::from_secs(120)).await?;
        api.healthy("cache", Duration::from_secs(30)).await
    }
}

fn kill_engine(engine: Engine, node: &NodeView) -> anyhow::Result<()> {
    let container = container_of(node.id.as_str())?;
    docker(&["exec", &container, "pkill", "-KILL", "-x", &engine.process()]).map(|_| ())
}

async fn primary(api: &Api) -> anyhow::Result<NodeView> {
    let id = api.cluster("cache").await?.primary.context("a primary")?;
    let nodes = api.nodes("cache").await?;
    nodes.into_iter().find(|node| node.id == id).context("the primary's node")
}

async fn replicas(api: &Api) -> anyhow::Result<Vec<NodeView>> {
    let primary = primary(api).await?;
    let nodes = api.nodes("cache").await?;
    Ok(nodes.into_iter().filter(|node| node.id != primary.id).collect())
}

async fn another_serves(api: &Api, former: &NodeView) -> anyhow::Result<()> {
    until("another is primary", Duration::from_secs(20), || async {
        let now = api.cluster("cache").await?.primary;
        ensure!(now.is_some_and(|id| id != former.id), "not yet");
        Ok(())
    })
    .await
}

async fn last(api: &Api, kind: &str) -> anyhow::Result<Operation> {
    let operations = api.operations("cache").await?;
    operations.into_iter().find(|o| o.kind.word() == kind).context("no such operation")
}

async fn promote(api: &Api) -> anyhow::Result<Operation> {
    let replica = api.promotable("cache", Duration::from_secs(30)).await?;
    let operation = api.operate("cache", "switchover", Some(&replica.name)).await?;
    api.finish(operation.id.as_str(), Duration::from_secs(60)).await
}

/// How the engine's own client gets in from outside; what it is told when it does not.
fn knock(engine: Engine, connection: &Connection, tls: &str, rest: &[&str]) -> String {
    let (host, port) = connection.read_write[0].rsplit_once(':').expect("host and port");
    let password = connection.password.clone().unwrap_or_default();
    let client = format!("{}-cli", engine.name);
    let image = format!("bellwether/node-{}:{}", engine.name, engine.version);
    let script = format!(
        "cat >/tmp/ca.pem; timeout 5 {client} --no-auth-warning -h {host} -p {port} {tls} \
         -a \"$PASSWORD\" {}",
        rest.join(" ")
    );
    let run = format!(
        "docker run --rm -i --network host -e PASSWORD={password} --entrypoint sh {image} -c \
         '{script}' 2>&1 <<'END'\n{}\nEND",
        connection.ca_certificate
    );
    let output = std::process::Command::new("sh").args(["-c", &run]).output().expect("docker runs");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

async fn conform(engine: Engine) -> anyhow::Result<()> {
    if !engine.can_run() {
        return Ok(());
    }
    let (server, api) = Server::start().await?;
    engine.create(&api, 3).await?;
    let connection = api.connection("cache").await?;
    assert_eq!(connection.database, "");

    // The engine's own client, as the example says; then everything that must not get in.
    let tls = "--tls --cacert /tmp/ca.pem --user app";
    assert_eq!(knock(engine, &connection, tls, &["PING"]), "PONG");
    let plain = knock(engine, &connection, "--user app", &["PING"]);
    assert!(!plain.contains("PONG"), "without TLS: {plain}");
    let nobody = knock(engine, &connection, "--tls --cacert /tmp/ca.pem", &["PING"]);
    assert!(!nobody.contains("PONG"), "the default user: {nobody}");
    let stranger = knock(
        engine,
        &connection,
        "--tls --cacert /etc/ssl/certs/ca-certificates.crt \
                          --user app",
        &["PING"],
    );
    assert!(!stranger.contains("PONG"), "with another authority: {stranger}");
    for command in ["FUNCTION FLUSH", "CONFIG GET *", "REPLICAOF NO ONE", "SHUTDOWN", "ACL LIST"] {
        let told = knock(engine, &connection, tls, &[command]);
        assert!(told.contains("NOPERM"), "{command}: {told}");
    }

    keys_have_users(&Users { api: &api, cluster: "cache" }).await?;

    // Data goes to every replica, which says so and takes no writes.
    let mut client = Client::read_write(&connection).await?;
    client.ask(&["SET", "greeting", "hello"]).await?;
    let address = &connection.read_only[0];
    until("a replica has it", Duration::from_secs(5), || async {
        let mut reader = Client::connect(&connection, address, Duration::from_secs(5)).await?;
        ensure!(reader.ask(&["GET", "greeting"]).await? == "hello");
        let refused = reader.ask(&["SET", "greeting", "x"]).await;
        ensure!(refused.is_err_and(|error| error.to_string().contains("READONLY")));
        Ok(())
    })
    .await?;

    // A planned change under load loses nothing.
    let writer = RedisWriter::start(connection.clone()).await?;
    writer.progress(100).await?;
    for _ in 0..2 {
        let before = writer.history().longest_gap();
        let done = promote(&api).await?;
        writer.progress(100).await?;
        let (gap, errors) = (writer.history().longest_gap(), writer.history().errors());
        eprintln!("{}: {}; {before:?} -> {gap:?}, {errors} errors", engine.name, done.message);
        api.healthy("cache", Duration::from_secs(30)).await?;
    }

    // What tells the term of the data comes back by itself.
    client.ask(&["FUNCTION", "DELETE", "bellwether"]).await?;
    until("the term is told again", Duration::from_secs(5), || async {
        let mut client = Client::read_write(&connection).await?;
        ensure!(client.ask(&["FCALL_RO", "bellwether_term", "0"]).await?.parse::<u64>()? > 1);
        Ok(())
    })
    .await?;

    // A dead engine is replaced; its node comes back as a replica.
    let former = primary(&api).await?;
    let killed = Instant::now();
    kill_engine(engine, &former)?;
    writer.progress(100).await?;
    let outage = writer.history().outage(killed);
    another_serves(&api, &former).await?;
    api.healthy("cache", Duration::from_secs(60)).await?;
    let failover = last(&api, "failover").await?;
    eprintln!("{}: the engine killed: {outage:?}; {}", engine.name, failover.message);
    assert!(outage < Duration::from_secs(5), "writes waited {outage:?}");

    // So is a lost machine.
    let former = primary(&api).await?;
    let killed = Instant::now();
    docker(&["kill", &container_of(former.id.as_str())?])?;
    writer.progress(100).await?;
    let outage = writer.history().outage(killed);
    another_serves(&api, &former).await?;
    api.healthy("cache", Duration::from_secs(60)).await?;
    let failover = last(&api, "failover").await?;
    eprintln!("{}: the machine killed: {outage:?}; {}", engine.name, failover.message);
    assert!(outage < Duration::from_secs(15), "writes waited {outage:?}");

    let (history, found) = writer.stop().await?;
    let lost = history.lost(&found).len();
    eprintln!("{}: {} acknowledged, {lost} lost", engine.name, history.acknowledged().len());
    // Asynchronous: what was under way when a primary died, of a client that writes one by one.
    assert!(lost <= 4, "{lost} acknowledged writes are missing");
    let mut client = Client::read_write(&connection).await?;
    assert_eq!(client.ask(&["GET", "greeting"]).await?, "hello");
    api.delete("cache").await?;
    server.check_log()
}

#[tokio::test]
async fn valkey_8() -> anyhow::Result<()> {
    conform(VALKEY).await
}

#[tokio::test]
async fn valkey_9() -> anyhow::Result<()> {
    conform(Engine { name: "valkey", version: "9" }).await
}

#[tokio::test]
async fn redis_8() -> anyhow::Result<()> {
    conform(Engine { name: "redis", version: "8" }).await
}

#[tokio::test]
async fn reports_tell_how_long_writes_waited() -> anyhow::Result<()> {
    let (server, api) = Server::start().await?;
    VALKEY.create(&api, 3).await?;
    let connection = api.connection("cache").await?;
    let writer = RedisWriter::start(connection.clone()).await?;
    writer.progress(100).await?;
    promote(&api).await?;
    let planned = measured(&api, "switchover").await?;
    assert!(planned < 500, "{planned} ms");
    kill_engine(VALKEY, &primary(&api).await?)?;
    writer.progress(100).await?;
    let unplanned = measured(&api, "failover").await?;
    assert!((1..5_000).contains(&unplanned), "{unplanned} ms");
    eprintln!("writes waited {planned} ms as planned, {unplanned} ms when the engine died");
    // What measures leaves nothing behind, and is no client of anybody's.
    let mut client = Client::read_write(&connection).await?;
    assert_eq!(client.ask(&["EXISTS", "bellwether:probe"]).await?, "0");
    writer.stop().await?;
    until("one client is counted", Duration::from_secs(15), || async {
        let counted = primary(&api).await?.connections;
        ensure!(counted == Some(1), "{counted:?}");
        Ok(())
    })
    .await?;
    server.check_log()
}

/// Milliseconds, as the newest report of that kind tells them.
async fn measured(api: &Api, kind: &str) -> anyhow::Result<u64> {
    until("the report tells how long writes waited", Duration::from_secs(20), || async {
        let all: Page<Report> = api.get("/v1/clusters/cache/reports").await?;
        let newest = all.items.into_iter().find(|report| report.kind.word() == kind);
        newest.and_then(|report| report.write_gap_ms).context("not yet")
    })
    .await
}

#[tokio::test]
async fn settings_are_taken_while_the_engine_runs() -> anyhow::Result<()> {
    let (server, api) = Server::start().await?;
    VALKEY.create(&api, 2).await?;
    let connection = api.connection("cache").await?;
    let writer = RedisWriter::start(connection.clone()).await?;
    let mut client = Client::read_write(&connection).await?;
    client.ask(&["SET", "used", "often"]).await?;
    let frequency = client.ask(&["OBJECT", "FREQ", "used"]).await;
    assert!(frequency.is_err(), "it is counted only under another policy");
    let wanted = json!({ "maxmemory-policy": "allkeys-lfu", "slowlog-log-slower-than": "5ms" });
    let generation = api.cluster("cache").await?.generation;
    api.change("cache", generation, &json!({ "parameters": wanted })).await?;
    let change = last(&api, "reconfigure").await?;
    let ended = api.finish(change.id.as_str(), Duration::from_secs(60)).await?;
    assert!(ended.message.contains("noeviction → allkeys-lfu"), "{}", ended.message);
    client.ask(&["OBJECT", "FREQ", "used"]).await?;
    let shown: Vec<ParameterView> = api.get("/v1/clusters/cache/parameters").await?;
    let differing: Vec<_> = shown.iter().filter(|one| !one.differs.is_empty()).collect();
    assert!(shown.len() >= 15 && differing.is_empty(), "{differing:?}");
    for (refused, field) in [
        (json!({ "appendfsync": "no" }), "appendfsync"),
        (json!({ "appendonly": "no" }), "appendonly"),
    ] {
        let generation = api.cluster("cache").await?.generation;
        let told = api.change("cache", generation, &json!({ "parameters": refused })).await;
        let told = told.expect_err("refused").to_string();
        assert!(told.contains(&format!("parameters.{field}")), "{told}");
    }
    let (history, found) = writer.stop().await?;
    assert_eq!((history.errors(), history.lost(&found)), (0, Vec::new()));
    server.check_log()
}

#[tokio::test]
async fn sessions_go_on_with_the_next_primary_and_those_that_cannot_are_told_why()
-> anyhow::Result<()> {
    let (server, api) = Server::start().await?;
    VALKEY.create(&api, 3).await?;
    let connection = api.connection("cache").await?;
    let writer = RedisWriter::start(connection.clone()).await?;
    let mut named = Client::read_write(&connection).await?;
    named.ask(&["SELECT", "3"]).await?;
    named.ask(&["CLIENT", "SETNAME", "web"]).await?;
    named.ask(&["SET", "mine", "1"]).await?;
    let mut third = Client::read_write(&connection).await?;
    let password = connection.password.clone().unwrap_or_default();
    third.ask(&["HELLO", "3", "AUTH", &connection.user, &password]).await?;
    let mut waits = Client::read_write(&connection).await?;
    waits.send(&[&["BLPOP", "queue", "0"]]).await?;
    let mut listens = Client::read_write(&connection).await?;
    listens.ask(&["SUBSCRIBE", "news"]).await?;
    writer.progress(100).await?;
    // All of them come with a login that is being replaced.
    let users = Users { api: &api, cluster: "cache" };
    let after = users.rotate("app").await?;
    assert_eq!(after.user, "app_b");
    let mut new = Client::read_write(&after).await?;
    for _ in 0..3 {
        promote(&api).await?;
        writer.progress(50).await?;
        assert_eq!(named.ask(&["GET", "mine"]).await?, "1", "in its own database");
        assert_eq!(named.ask(&["CLIENT", "GETNAME"]).await?, "web");
        named.send(&[&["MULTI"], &["INCR", "mine"], &["DECR", "mine"], &["EXEC"]]).await?;
        for expected in ["OK", "QUEUED", "QUEUED", "2\n1"] {
            assert_eq!(named.answer().await?, expected);
        }
        assert!(third.ask(&["INCR", "third"]).await?.parse::<u32>().is_ok());
    }
    for (client, what) in [(&mut waits, "a command that waits"), (&mut listens, "subscriptions")] {
        let told = client.answer().await.expect_err("it cannot go on").to_string();
        assert!(told.contains("changes as planned") && told.ends_with(what), "{told}");
    }
    let (history, found) = writer.stop().await?;
    assert_eq!(history.lost(&found), Vec::<i64>::new(), "acknowledged writes are missing");
    let errors: Vec<_> = history.attempts.iter().filter(|a| !a.acknowledged).collect();
    assert!(errors.is_empty(), "{errors:?}");
    eprintln!("three planned changes: the longest pause is {:?}", history.longest_gap());
    assert!(history.longest_gap() < Duration::from_millis(500), "{:?}", history.longest_gap());
    // Nobody is cut off before the last of them has gone.
    users.is_used("app").await?;
    drop((named, third));
    users.end_when_unused("app").await?;
    assert!(Client::read_write(&connection).await.is_err(), "the former login is still valid");
    new.ask(&["SET", "mine", "2"]).await?;
    server.check_log()
}

#[tokio::test]
async fn what_only_a_former_primary_held_is_kept_and_counted() -> anyhow::Result<()> {
    let (server, api) = Server::start().await?;
    VALKEY.create(&api, 3).await?;
    let connection = api.connection("cache").await?;
    let mut client = Client::read_write(&connection).await?;
    client.ask(&["SET", "before", "kept"]).await?;
    let former = primary(&api).await?;
    let container = container_of(former.id.as_str())?;
    // What goes to replicas is lost on the way.
    let losses: anyhow::Result<Vec<Loss>> = replicas(&api)
        .await?
        .iter()
        .map(|node| Loss::from(&container_of(node.id.as_str())?, &former.address))
        .collect();
    let address = format!("{}:6379", former.address);
    let mut direct = Client::connect(&connection, &address, Duration::from_secs(5)).await?;
    for number in 0..20 {
        direct.ask(&["SET", &format!("only-{number}"), &"x".repeat(100)]).await?;
    }
    kill_engine(VALKEY, &former)?;
    drop(losses);
    another_serves(&api, &former).await?;
    api.healthy("cache", Duration::from_secs(60)).await?;
    let node = api.nodes("cache").await?.into_iter().find(|n| n.id == former.id);
    let found = node.context("still a member")?.diverged;
    let found = found.first().context("nothing was kept")?;
    assert!(found.bytes > 2_000, "{found:?}");
    let kept = inside(&container, &format!("cat {}/*.aof*", found.directory))?;
    assert!(kept.contains("only-19"), "the files are there");
    let failover = last(&api, "failover").await?;
    assert!(failover.message.contains("lost"), "{}", failover.message);
    let mut client = Client::read_write(&connection).await?;
    assert_eq!(client.ask(&["GET", "before"]).await?, "kept");
    assert_eq!(client.ask(&["EXISTS", "only-19"]).await?, "0");
    server.check_log()
}

/// The oldest trap of the family: a primary whose data is gone comes up again, empty, and its
/// replicas copy that.
#[tokio::test]
async fn a_primary_that_comes_back_empty_wipes_nobody() -> anyhow::Result<()> {
    let (server, api) = Server::start().await?;
    VALKEY.create(&api, 3).await?;
    let connection = api.connection("cache").await?;
    let mut client = Client::read_write(&connection).await?;
    for number in 0..100 {
        client.ask(&["SET", &format!("key-{number}"), "x"]).await?;
    }
    let former = primary(&api).await?;
    let container = container_of(former.id.as_str())?;
    inside(&container, &format!("pkill -KILL -x {}; rm -rf /data/engine/*", VALKEY.process()))?;
    another_serves(&api, &former).await?;
    api.healthy("cache", Duration::from_secs(60)).await?;
    let mut client = Client::read_write(&connection).await?;
    assert_eq!(client.ask(&["DBSIZE"]).await?, "100");

    // The same with the whole machine, started again at once with files that have nothing in them.
    let former = primary(&api).await?;
    let container = container_of(former.id.as_str())?;
    inside(&container, "cd /data/engine/appendonlydir && for f in *.aof *.rdb; do : >$f; done")?;
    docker(&["restart", "-t", "0", &container])?;
    another_serves(&api, &former).await?;
    api.healthy("cache", Duration::from_secs(60)).await?;
    let mut client = Client::read_write(&connection).await?;
    assert_eq!(client.ask(&["DBSIZE"]).await?, "100");
    server.check_log()
}

#[tokio::test]
async fn a_single_node_keeps_its_data_through_a_restart() -> anyhow::Result<()> {
    let (server, api) = Server::start().await?;
    VALKEY.create(&api, 1).await?;
    let connection = api.connection("cache").await?;
    let mut client = Client::read_write(&connection).await?;
    client.ask(&["SET", "key", "value"]).await?;
    let node = primary(&api).await?;
    for fault in ["engine", "machine"] {
        match fault {
            "engine" => kill_engine(VALKEY, &node)?,
            _ => docker(&["restart", "-t", "0", &container_of(node.id.as_str())?]).map(|_| ())?,
        }
        until("it serves again", Duration::from_secs(30), || async {
            let mut client = Client::read_write(&connection).await?;
            ensure!(client.ask(&["GET", "key"]).await? == "value", "after the {fault} was killed");
            client.ask(&["SET", "after", fault]).await?;
            Ok(())
        })
        .await?;
    }
    let added = api.operate("cache", "add_node", None).await?;
    api.finish(added.id.as_str(), Duration::from_secs(60)).await?;
    promote(&api).await?;
    let connection = api.connection("cache").await?;
    let mut client = Client::read_write(&connection).await?;
    assert_eq!(client.ask(&["GET", "key"]).await?, "value");
    server.check_log()
}

#[tokio::test]
async fn whoever_dies_during_a_planned_change_nothing_acknowledged_before_is_lost()
-> anyhow::Result<()> {
    let (server, api) = Server::start().await?;
    VALKEY.create(&api, 3).await?;
    let connection = api.connection("cache").await?;
    for victim in ["candidate", "former"] {
        let mut client = Client::read_write(&connection).await?;
        client.ask(&["SET", "victim", victim]).await?;
        client.ask(&["WAIT", "2", "1000"]).await?;
        let (former, replica) =
            (primary(&api).await?, api.promotable("cache", Duration::from_secs(30)).await?);
        let operation = api.operate("cache", "switchover", Some(&replica.name)).await?;
        let node = if victim == "former" { &former } else { &replica };
        kill_engine(VALKEY, node)?;
        until("it has ended", Duration::from_secs(60), || async {
            let path = format!("/v1/operations/{}", operation.id);
            let now: Operation = api.get(&path).await?;
            ensure!(now.status.is_ended(), "it runs");
            Ok(())
        })
        .await?;
        api.healthy("cache", Duration::from_secs(60)).await?;
        let mut client = Client::read_write(&connection).await?;
        assert_eq!(client.ask(&["GET", "victim"]).await?, victim);
    }
    server.check_log()
}

#[tokio::test]
async fn replicas_are_copied_anew_one_at_a_time() -> anyhow::Result<()> {
    let (server, api) = Server::start().await?;
    VALKEY.create(&api, 3).await?;
    let writer = RedisWriter::start(api.connection("cache").await?).await?;
    writer.progress(50).await?;
    let request = json!({ "kind": "resync", "copy": true });
    let resync: Operation = api.post("/v1/clusters/cache/operations", &request).await?;
    api.finish(resync.id.as_str(), Duration::from_secs(120)).await?;
    api.healthy("cache", Duration::from_secs(30)).await?;
    promote(&api).await?;
    writer.progress(50).await?;
    let (history, found) = writer.stop().await?;
    assert_eq!(history.lost(&found), Vec::<i64>::new(), "acknowledged writes are missing");
    server.check_log()
}
