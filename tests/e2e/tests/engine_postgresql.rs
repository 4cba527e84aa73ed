//! PostgreSQL's driver on real nodes: who gets in and how, who has to confirm a commit, data that
//! went another way, and a disk that is full.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use bellwether_model::connection::Connection;
use bellwether_model::node::NodeHealth;
use bellwether_model::{ClusterView, NodeView};
use bellwether_testkit::docker::{container_of, docker, inside};
use bellwether_testkit::wait::until;
use bellwether_testkit::{Api, Server, sql};
use serde_json::json;
use tokio_postgres::Client;

async fn create(api: &Api, version: &str, nodes: u32, mode: &str) -> anyhow::Result<ClusterView> {
    let spec = json!({
        "name": "orders", "engine": "postgresql", "version": version, "nodes": nodes,
        "replication": mode, "size": { "cpus": 1, "memory": "512MiB", "disk": "1GiB" },
        "allowlist": [{ "address": "server" }],
    });
    let made: ClusterView = api.post("/v1/clusters", &spec).await?;
    let creation = made.operation.context("creating is an operation")?;
    api.finish(creation.as_str(), Duration::from_secs(120)).await?;
    api.healthy("orders", Duration::from_secs(30)).await
}

/// The containers of the primary and of one replica.
async fn containers(api: &Api) -> anyhow::Result<(String, String)> {
    let primary = api.cluster("orders").await?.primary.context("a primary")?;
    let nodes = api.nodes("orders").await?;
    let replica = nodes.iter().find(|node| node.id != primary).context("a replica")?;
    Ok((container_of(primary.as_str())?, container_of(replica.id.as_str())?))
}

/// What the engine of that container says to its own agent's user.
fn ask(container: &str, statement: &str) -> anyhow::Result<String> {
    let socket = "host=/run/bellwether/postgresql port=5431 user=postgres dbname=app";
    docker(&["exec", container, "psql", socket, "-AtXc", statement])
}

async fn node_now(api: &Api, name: &str) -> anyhow::Result<NodeView> {
    let nodes = api.nodes("orders").await?;
    nodes.into_iter().find(|node| node.name == name).context("no such node")
}

/// Without an image `make e2e` has said why it could not be made.
fn can_run(version: &str) -> bool {
    let image = format!("bellwether/node-postgresql:{version}");
    let is_there = docker(&["image", "inspect", &image]).is_ok();
    if !is_there {
        eprintln!("NOT RUN: PostgreSQL {version}: there is no image {image}");
    }
    is_there
}

/// How `psql` gets in from outside; what it is told when it does not.
fn knock(from: &str, connection: &Connection, options: &str) -> anyhow::Result<String> {
    let (host, port) = connection.read_write[0].rsplit_once(':').context("host and port")?;
    let password = connection.password.as_deref().unwrap_or_default();
    let line = format!(
        "PGPASSWORD='{password}' PGCONNECT_TIMEOUT=3 psql -AtXc 'SELECT 1' \
         'hostaddr={host} host={host} port={port} dbname=app user={} {options}' 2>&1 || true",
        connection.user
    );
    inside(from, &line)
}

async fn only_the_clusters_users_get_in_and_only_by_tls(version: &str) -> anyhow::Result<()> {
    if !can_run(version) {
        return Ok(());
    }
    let (server, api) = Server::start().await?;
    create(&api, version, 2, "async").await?;
    let connection = api.connection("orders").await?;
    let (primary, replica) = containers(&api).await?;
    let own = |change: &str| knock(&primary, &connection, change);

    // With everything verified, by the name and by the number; with nothing encrypted, never.
    let ca = "sslmode=verify-full sslrootcert=/data/conf/ca.pem";
    assert_eq!(own(ca)?, "1");
    assert_eq!(own(&format!("{ca} host=orders-1"))?, "1");
    let other = own(&format!("{ca} host=invoices-1"))?;
    assert!(other.contains("does not match host name"), "{other}");
    let stranger = own("sslmode=verify-full sslrootcert=/etc/ssl/certs/ca-certificates.crt")?;
    assert!(stranger.contains("verify failed"), "{stranger}");
    let plain = own("sslmode=disable")?;
    assert!(plain.contains("no encryption"), "{plain}");
    let old =
        own("sslmode=require ssl_max_protocol_version=TLSv1.1 ssl_min_protocol_version=TLSv1")?;
    assert_ne!(old, "1", "TLS 1.1 was accepted");
    let weak = own("sslmode=require require_auth=scram-sha-256")?;
    let knows_require_auth = version != "15";
    assert!(!knows_require_auth || weak == "1", "SCRAM is what it asks for: {weak}");

    // The engine's own users are for the nodes, and over the network not even for them.
    let own_users = ["postgres", "bellwether_probe", "bellwether_replication", "bellwether_rewind"];
    for user in own_users {
        for database in ["app", "postgres"] {
            let from_outside = api_user(&connection, user, database).await;
            let words = format!("{:#}", from_outside.expect_err(user));
            assert!(words.contains("pg_hba.conf"), "{user} at {database}: {words}");
        }
    }
    let superuser = own("sslmode=require user=postgres")?;
    assert!(superuser.contains("pg_hba.conf"), "{superuser}");
    let stream = own("sslmode=require replication=true")?;
    assert!(stream.contains("pg_hba.conf"), "{stream}");
    // The engine's own port is the members' alone.
    let (host, _) = connection.read_write[0].rsplit_once(':').context("host and port")?;
    let direct = tokio::net::TcpStream::connect(format!("{host}:5431"));
    let direct = tokio::time::timeout(Duration::from_secs(1), direct).await;
    assert!(!matches!(direct, Ok(Ok(_))), "the private port is open");

    let roles = "SELECT string_agg(format('%s %s %s', rolname, left(rolpassword, 14), rolsuper), \
                 ', ' ORDER BY rolname) FROM pg_authid WHERE rolcanlogin";
    let expected = "app SCRAM-SHA-256$ f, bellwether_probe SCRAM-SHA-256$ f, \
                    bellwether_replication SCRAM-SHA-256$ f, \
                    bellwether_rewind SCRAM-SHA-256$ f, postgres  t";
    assert_eq!(ask(&primary, roles)?, expected);
    let peer =
        "su postgres -c \"psql -h /run/bellwether/postgresql -p 5431 -U app app -c '' 2>&1\"";
    let peer = inside(&primary, &format!("{peer} || true"))?;
    assert!(peer.contains("FATAL") || peer.contains("Permission denied"), "{peer}");

    // Nothing is weaker than it must be, and passwords are nowhere to be read.
    for (name, value) in [
        ("fsync", "on"),
        ("full_page_writes", "on"),
        ("wal_log_hints", "on"),
        ("data_checksums", "on"),
        ("restart_after_crash", "off"),
        ("synchronous_commit", "on"),
        ("password_encryption", "scram-sha-256"),
        ("ssl_min_protocol_version", "TLSv1.2"),
    ] {
        for container in [&primary, &replica] {
            assert_eq!(ask(container, &format!("SHOW {name}"))?, value, "{name}");
        }
    }
    if version != "15" {
        assert!(ask(&primary, "ALTER SYSTEM SET fsync = off").is_err());
    }
    let password = connection.password.as_deref().unwrap_or_default();
    for container in [&primary, &replica] {
        let found = format!("grep -rlF '{password}' /data/log /data/conf /tmp /run || true");
        assert_eq!(inside(container, &found)?, "");
        let open = "find /data/conf /data/pgdata -maxdepth 1 -perm /077 ! -name pgdata";
        assert_eq!(inside(container, open)?, "", "open to others");
    }
    let readable = ask(&primary, "SELECT pg_read_file('/data/conf/passfile')")?;
    assert!(readable.contains("bellwether"), "only the superuser reads that");
    let client = sql::read_write(&connection).await?;
    for statement in [
        "SELECT pg_read_file('/data/conf/passfile')",
        "SELECT rolpassword FROM pg_authid",
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "CREATE ROLE other SUPERUSER",
        "SET synchronous_standby_names = ''",
    ] {
        assert!(client.batch_execute(statement).await.is_err(), "{statement}");
    }
    server.check_log()
}

/// A connection from this machine, which is no node, as another user.
async fn api_user(connection: &Connection, user: &str, database: &str) -> anyhow::Result<()> {
    let other =
        Connection { user: user.to_owned(), database: database.to_owned(), ..connection.clone() };
    sql::connect(&other, &other.read_write[0], Duration::from_secs(5)).await.map(|_| ())
}

#[tokio::test]
async fn only_the_clusters_users_get_in_15() -> anyhow::Result<()> {
    only_the_clusters_users_get_in_and_only_by_tls("15").await
}

#[tokio::test]
async fn only_the_clusters_users_get_in_17() -> anyhow::Result<()> {
    only_the_clusters_users_get_in_and_only_by_tls("17").await
}

#[tokio::test]
async fn only_the_clusters_users_get_in_18() -> anyhow::Result<()> {
    only_the_clusters_users_get_in_and_only_by_tls("18").await
}

#[tokio::test]
async fn each_mode_names_who_confirms() -> anyhow::Result<()> {
    let (server, api) = Server::start().await?;
    create(&api, "17", 3, "async").await?;
    let (primary, replica) = containers(&api).await?;
    let names = || ask(&primary, "SHOW synchronous_standby_names");
    assert_eq!(names()?, "");
    let all = r#"("orders-2", "orders-3")"#;
    let change = async |mode: &str| {
        let generation = api.cluster("orders").await?.generation;
        api.change("orders", generation, &json!({ "replication": mode })).await
    };
    let becomes = async |wanted: &str| {
        until(wanted, Duration::from_secs(15), || async {
            let names = names()?;
            ensure!(names == wanted, "{names}");
            Ok(())
        })
        .await
    };
    for (mode, count) in [("quorum(2)", 2), ("strict", 1), ("prefer", 1)] {
        change(mode).await?;
        becomes(&format!("ANY {count} {all}")).await?;
        assert_eq!(ask(&primary, "SHOW synchronous_commit")?, "on");
        // It is in force, not only written down: who confirms is known to the engine.
        let confirming = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'quorum'";
        assert_eq!(ask(&primary, confirming)?, "2");
    }
    // Every node has the same, for the moment it is primary.
    assert_eq!(ask(&replica, "SHOW synchronous_standby_names")?, names()?);
    // Who prefers a confirmation goes on without one while nobody can give it.
    let nodes = api.nodes("orders").await?;
    let replicas = nodes.iter().filter(|node| node.name != "orders-1");
    let replicas: Vec<String> =
        replicas.map(|node| container_of(node.id.as_str())).collect::<Result<_, _>>()?;
    replicas.iter().try_for_each(|id| docker(&["pause", id]).map(|_| ()))?;
    becomes("").await?;
    let client = sql::read_write(&api.connection("orders").await?).await?;
    client.batch_execute("CREATE TABLE alone (id int)").await?;
    replicas.iter().try_for_each(|id| docker(&["unpause", id]).map(|_| ()))?;
    becomes(&format!("ANY 1 {all}")).await?;
    change("async").await?;
    becomes("").await?;
    server.check_log()
}

/// Lets the primary write what no replica gets, and cuts its power. Where it was.
async fn diverge(
    api: &Api,
    meanwhile: impl Fn(&str) -> anyhow::Result<()>,
) -> anyhow::Result<String> {
    let connection = api.connection("orders").await?;
    let client = sql::read_write(&connection).await?;
    client.batch_execute("CREATE TABLE IF NOT EXISTS kept (id bigint, text text)").await?;
    let kept = "INSERT INTO kept SELECT n, repeat('kept', 20) FROM generate_series(1, 20000) n";
    client.batch_execute(kept).await?;
    let (primary, replica) = containers(api).await?;
    let rows = "SELECT count(*) FROM kept";
    let all = ask(&primary, rows)?;
    until("the replica has it", Duration::from_secs(10), || async {
        let has = ask(&replica, rows)?;
        ensure!(has == all, "{has}");
        Ok(())
    })
    .await?;
    // Nothing more gets from engine to engine.
    inside(
        &primary,
        "nft add table inet cut && nft add chain inet cut out \
           '{ type filter hook output priority -10; }' && \
           nft add rule inet cut out tcp sport 5431 drop",
    )?;
    let lost = "CREATE TABLE lost AS SELECT n AS id, repeat('lost', 20) AS text \
                FROM generate_series(1, 20000) n; UPDATE kept SET text = 'lost' WHERE id < 5000; \
                SELECT pg_switch_wal(); INSERT INTO lost VALUES (0, 'lost')";
    ask(&primary, lost)?;
    meanwhile(&primary)?;
    docker(&["kill", &primary])?;
    Ok(primary)
}

/// How the agent of that node repaired its data, as it says; the last time.
fn repairs(container: &str) -> anyhow::Result<String> {
    let output = std::process::Command::new("docker").args(["logs", container]).output()?;
    let log = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    let found = log.lines().rev().find_map(|line| line.split_once("repaired: "));
    Ok(format!("repaired: {}", found.with_context(|| log.clone())?.1))
}

/// The same rows on both, and nothing of what was lost on either.
async fn expect_the_same(api: &Api) -> anyhow::Result<()> {
    let (primary, replica) = containers(api).await?;
    let sum = "SELECT count(*), sum(hashtext(id || text)), \
               count(*) FILTER (WHERE text = 'lost') FROM kept";
    let wanted = ask(&primary, sum)?;
    assert!(wanted.ends_with("|0"), "what was lost came back: {wanted}");
    until("the replica has the same", Duration::from_secs(15), || async {
        let has = ask(&replica, sum)?;
        ensure!(has == wanted, "{has} instead of {wanted}");
        Ok(())
    })
    .await?;
    for container in [&primary, &replica] {
        assert_eq!(ask(container, "SELECT to_regclass('lost') IS NULL")?, "t");
    }
    Ok(())
}

#[tokio::test]
async fn a_primary_whose_data_went_another_way_comes_back_with_the_clusters() -> anyhow::Result<()>
{
    let (server, api) = Server::start().await?;
    create(&api, "17", 2, "async").await?;
    let healthy = async || api.healthy("orders", Duration::from_secs(60)).await;

    let former = diverge(&api, |_| Ok(())).await?;
    healthy().await?;
    expect_the_same(&api).await?;
    assert_eq!(repairs(&former)?, "repaired: Rewound");
    // What only it held can still be looked at.
    let aside = inside(&former, "ls /data/diverged/*/ | wc -l")?;
    assert_ne!(aside, "0");

    // Where rewinding cannot be trusted the data is copied.
    let former = diverge(&api, |primary| {
        inside(primary, "touch /data/pgdata/backup_label && sync").map(|_| ())
    })
    .await?;
    healthy().await?;
    expect_the_same(&api).await?;
    assert_eq!(repairs(&former)?, "repaired: NeedsCopy");

    // Nor can what was cut off while it was rewound: its power goes again just then.
    let former = diverge(&api, |primary| {
        let slow = "cd /usr/lib/postgresql/17/bin && mv pg_rewind pg_rewind.real && \
                    printf '#!/bin/sh\\ncase \"$*\" in *dry-run*) exec $0.real \"$@\";; esac\\n\
                    echo spoilt > /data/pgdata/global/pg_control\\nexec sleep 600\\n' > pg_rewind \
                    && chmod 755 pg_rewind";
        inside(primary, slow).map(|_| ())
    })
    .await?;
    until("it is being rewound", Duration::from_secs(30), || async {
        inside(&former, "pgrep -x sleep")
    })
    .await?;
    docker(&["kill", &former])?;
    healthy().await?;
    expect_the_same(&api).await?;
    let segments = inside(&former, "find /data/diverged -name '????????????????????????' | wc -l")?;
    assert!(segments.parse::<u32>()? <= 8, "{segments} segments are kept of what is long past");
    server.check_log()
}

#[tokio::test]
async fn what_an_earlier_life_left_does_not_stop_the_engine() -> anyhow::Result<()> {
    let (server, api) = Server::start().await?;
    let cluster = create(&api, "17", 1, "async").await?;
    let id = container_of(cluster.primary.context("a primary")?.as_str())?;
    let connection = api.connection("orders").await?;
    sql::read_write(&connection).await?.batch_execute("CREATE TABLE kept (id int)").await?;
    let postmaster = "head -1 /data/pgdata/postmaster.pid";
    let is_back = async |before: &str| {
        until("it writes again", Duration::from_secs(20), || async {
            ensure!(inside(&id, postmaster)? != before, "the same process");
            let insert = sql::read_write(&connection).await?;
            Ok(insert.batch_execute("INSERT INTO kept VALUES (1)").await?)
        })
        .await
    };
    // Lock files that name a process which lives and is another's: the engine's own user's.
    let before = inside(&id, postmaster)?;
    docker(&["exec", "-d", "-u", "postgres", &id, "sleep", "600"])?;
    let stale = "pid=$(pgrep -x sleep); for f in /data/pgdata/postmaster.pid \
                 /run/bellwether/postgresql/.s.PGSQL.5431.lock; do sed -i \"1s/.*/$pid/\" $f; done";
    inside(&id, &format!("{stale}; kill -9 {before}"))?;
    is_back(&inside(&id, "pgrep -x sleep")?).await?;
    assert_eq!(inside(&id, "pgrep -x sleep | wc -l")?, "1", "a stranger was killed");
    // And that of a power cut.
    let before = inside(&id, postmaster)?;
    docker(&["kill", &id])?;
    docker(&["start", &id])?;
    until("the engine is there", Duration::from_secs(20), || async { ask(&id, "SELECT 1") })
        .await?;
    is_back("").await?;
    drop(before);
    server.check_log()
}

/// Takes all the room there is on a node's disk.
fn fill(container: &str) -> anyhow::Result<()> {
    let line = "fallocate -l $(df --output=avail -B 1 /data | tail -n 1) /data/filler; \
                dd if=/dev/zero of=/data/filler2 bs=1k 2>/dev/null; df --output=avail /data";
    let left = inside(container, line)?;
    ensure!(left.ends_with(" 0") || left.ends_with("\n0"), "there is room left: {left}");
    Ok(())
}

/// Waits until the node's state says in words that its disk is full.
async fn says_that_it_is_full(api: &Api, name: &str) -> anyhow::Result<NodeView> {
    until("the node says that its disk is full", Duration::from_secs(30), || async {
        let node = node_now(api, name).await?;
        ensure!(node.state.contains("disk is full"), "{:?}: {}", node.health, node.state);
        Ok(node)
    })
    .await
}

#[tokio::test]
async fn a_full_disk_of_a_replica_is_named_and_harms_nobody_else() -> anyhow::Result<()> {
    let (server, api) = Server::start().await?;
    create(&api, "17", 2, "async").await?;
    let (_, replica) = containers(&api).await?;
    let client = sql::read_write(&api.connection("orders").await?).await?;
    client.batch_execute("CREATE TABLE kept (id bigint, text text)").await?;
    fill(&replica)?;
    for _ in 0..4 {
        let insert = "INSERT INTO kept SELECT n, repeat('x', 500) FROM generate_series(1, 60000) n";
        client.batch_execute(insert).await?;
    }
    says_that_it_is_full(&api, "orders-2").await?;
    client.batch_execute("INSERT INTO kept VALUES (0, 'the primary goes on')").await?;
    inside(&replica, "rm /data/filler*")?;
    api.healthy("orders", Duration::from_secs(90)).await?;
    let rows = "SELECT count(*) FROM kept";
    until("the replica has it all", Duration::from_secs(20), || async {
        ensure!(ask(&replica, rows)? == "240001");
        Ok(())
    })
    .await?;
    server.check_log()
}

/// Writes log until there is no room for more: the engine cannot go on then. As nobody but its own
/// agent's user does, who is not told that there is no room.
fn write_until_it_dies(container: &str) -> anyhow::Result<()> {
    let message = "SET default_transaction_read_only = off; \
                   SELECT count(pg_logical_emit_message(false, 'filler', repeat('x', 1000000))) \
                   FROM generate_series(1, 1000)";
    let died = ask(container, message).expect_err("there is no room for so much log");
    ensure!(format!("{died:#}").contains("server closed the connection"), "{died:#}");
    Ok(())
}

/// What is written is refused, in words that a program understands.
async fn expect_refusal(client: &Client) -> anyhow::Result<()> {
    until("new data is refused", Duration::from_secs(10), || async {
        let insert = client.batch_execute("INSERT INTO kept VALUES (0, 'refused')").await;
        let refused = insert.err().context("it was accepted")?;
        let code = refused.code().map(|code| code.code().to_owned());
        ensure!(code.as_deref() == Some("25006"), "{refused:?}");
        Ok(())
    })
    .await
}

async fn rows(client: &Client) -> anyhow::Result<i64> {
    Ok(client.query_one("SELECT count(*) FROM kept WHERE text <> 'refused'", &[]).await?.get(0))
}

#[tokio::test]
async fn a_full_disk_of_the_only_node_refuses_new_data_and_ends_with_room() -> anyhow::Result<()> {
    let (server, api) = Server::start().await?;
    let cluster = create(&api, "17", 1, "async").await?;
    let id = container_of(cluster.primary.context("a primary")?.as_str())?;
    let connection = api.connection("orders").await?;
    let client = sql::read_write(&connection).await?;
    client.batch_execute("CREATE TABLE kept (id bigint, text text)").await?;
    client.batch_execute("INSERT INTO kept VALUES (0, 'before')").await?;
    let big =
        "CREATE TABLE big AS SELECT repeat(md5(n::text), 30) FROM generate_series(1, 150000) n";
    client.batch_execute(big).await?;
    let postmaster = inside(&id, "head -1 /data/pgdata/postmaster.pid")?;
    until("room is held in reserve", Duration::from_secs(10), || async {
        inside(&id, "ls /data/reserve")
    })
    .await?;
    fill(&id)?;
    // The engine goes on: what is there can be read, and a person can make room.
    expect_refusal(&client).await?;
    let node = says_that_it_is_full(&api, "orders-1").await?;
    assert_eq!(node.health, NodeHealth::Degraded);
    assert_eq!(rows(&client).await?, 1);
    inside(&id, "rm /data/filler*")?;
    until("new data is accepted", Duration::from_secs(10), || async {
        Ok(client.batch_execute("INSERT INTO kept VALUES (1, 'after')").await?)
    })
    .await?;
    assert_eq!(inside(&id, "head -1 /data/pgdata/postmaster.pid")?, postmaster, "it never ended");
    api.healthy("orders", Duration::from_secs(10)).await?;

    // Whoever writes on until there is no room for the log ends the engine. It comes back by
    // itself, with what was held in reserve, and those who use it make room by deleting.
    fill(&id)?;
    write_until_it_dies(&id)?;
    let client = until("it is back", Duration::from_secs(30), || async {
        let client = sql::read_write(&connection).await?;
        ensure!(rows(&client).await? == 2, "acknowledged writes are missing");
        Ok(client)
    })
    .await?;
    expect_refusal(&client).await?;
    says_that_it_is_full(&api, "orders-1").await?;
    client.batch_execute("SET default_transaction_read_only = off").await?;
    client.batch_execute("DROP TABLE big").await?;
    let client = sql::read_write(&connection).await?;
    until("new data is accepted", Duration::from_secs(20), || async {
        Ok(client.batch_execute("INSERT INTO kept VALUES (2, 'after')").await?)
    })
    .await?;
    api.healthy("orders", Duration::from_secs(10)).await?;
    until("room is held in reserve again", Duration::from_secs(10), || async {
        inside(&id, "ls /data/reserve")
    })
    .await?;
    server.check_log()
}

#[tokio::test]
async fn a_full_disk_of_a_primary_is_left_for_one_with_room() -> anyhow::Result<()> {
    let (server, api) = Server::start().await?;
    create(&api, "17", 2, "async").await?;
    let (primary, _) = containers(&api).await?;
    let connection = api.connection("orders").await?;
    let client = sql::read_write(&connection).await?;
    client.batch_execute("CREATE TABLE kept (id bigint, text text)").await?;
    fill(&primary)?;
    write_until_it_dies(&primary)?;
    until("another accepts writes", Duration::from_secs(40), || async {
        let cluster = api.cluster("orders").await?;
        ensure!(cluster.primary_name.as_deref() == Some("orders-2"), "{}", cluster.sentence);
        let client = sql::read_write(&connection).await?;
        Ok(client.batch_execute("INSERT INTO kept VALUES (0, 'after')").await?)
    })
    .await?;
    // Its return as a replica may give up enough log to have room: what fills the disk goes on.
    until("the node says that its disk is full", Duration::from_secs(30), || async {
        fill(&primary)?;
        let node = node_now(&api, "orders-1").await?;
        ensure!(node.state.contains("disk is full"), "{:?}: {}", node.health, node.state);
        Ok(())
    })
    .await?;
    inside(&primary, "rm /data/filler*")?;
    api.healthy("orders", Duration::from_secs(90)).await?;
    server.check_log()
}
