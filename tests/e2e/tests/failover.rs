//! H1: a lost primary is replaced by itself; the former one comes back as a replica.

use std::time::{Duration, Instant};

use bellwether_testkit::docker::{container_of, docker};
use bellwether_testkit::wait::until;
use bellwether_testkit::{Server, Writer};

#[tokio::test]
async fn a_killed_primary_is_replaced_and_comes_back_as_a_replica() -> anyhow::Result<()> {
    let (server, api) = Server::start().await?;
    let cluster = api.create("orders", 3, "strict").await?;
    let former = cluster.primary.expect("a primary");
    let writer = Writer::start(api.connection("orders").await?).await?;
    writer.progress(50).await?;

    let killed = Instant::now();
    docker(&["kill", &container_of(former.as_str())?])?;
    writer.progress(50).await?;
    let outage = writer.history().outage(killed);
    assert!(outage > Duration::from_millis(20), "the kill was not felt: {outage:?}");
    assert!(outage < Duration::from_secs(15), "writes waited {outage:?}");

    let cluster = api.healthy("orders", Duration::from_secs(60)).await?;
    assert_ne!(cluster.primary.as_ref(), Some(&former));
    let nodes = api.nodes("orders").await?;
    let returned = nodes.iter().find(|node| node.id == former).expect("still a member");
    assert_eq!(returned.upstream, cluster.primary_name);

    let (history, found) = writer.stop().await?;
    assert_eq!(history.lost(&found), Vec::<i64>::new(), "acknowledged writes are missing");
    let operations = api.operations("orders").await?;
    assert!(operations.iter().any(|o| o.kind.word() == "failover" && o.rule == 205));
    server.check_log()
}

#[tokio::test]
async fn a_dead_engine_is_replaced_without_its_machine() -> anyhow::Result<()> {
    let (server, api) = Server::start().await?;
    let cluster = api.create("orders", 2, "async").await?;
    let former = cluster.primary.expect("a primary");
    let writer = Writer::start(api.connection("orders").await?).await?;
    let container = container_of(former.as_str())?;
    docker(&["exec", &container, "pkill", "-KILL", "-x", "postgres"])?;
    until("another is primary", Duration::from_secs(15), || async {
        let cluster = api.cluster("orders").await?;
        anyhow::ensure!(cluster.primary.as_ref().is_some_and(|id| *id != former), "not yet");
        Ok(())
    })
    .await?;
    writer.progress(50).await?;
    api.healthy("orders", Duration::from_secs(60)).await?;
    writer.stop().await?;
    server.check_log()
}

/// In asynchronous replication a replica may lack what the primary acknowledged last. Where only
/// the engine died, it is still on the disk.
#[tokio::test]
async fn what_a_dead_engine_had_not_sent_is_taken_from_its_disk() -> anyhow::Result<()> {
    let (server, api) = Server::start().await?;
    let cluster = api.create("orders", 3, "async").await?;
    let former = cluster.primary.expect("a primary");
    let writer = Writer::start(api.connection("orders").await?).await?;
    writer.progress(50).await?;

    let container = container_of(former.as_str())?;
    docker(&["exec", &container, "pkill", "-STOP", "-f", "^postgres: walsender"])?;
    writer.progress(50).await?;
    docker(&["exec", &container, "pkill", "-KILL", "-x", "postgres"])?;
    writer.progress(50).await?;
    api.healthy("orders", Duration::from_secs(60)).await?;

    let (history, found) = writer.stop().await?;
    assert_eq!(history.lost(&found), Vec::<i64>::new(), "acknowledged writes are missing");
    let operations = api.operations("orders").await?;
    let failover = operations.iter().find(|o| o.kind.word() == "failover").expect("a failover");
    let message = &failover.message;
    assert!(message.contains("bytes of log were taken from its disk"), "{message}");
    assert!(message.ends_with("no acknowledged write is lost"), "{message}");
    server.check_log()
}

#[tokio::test]
async fn a_killed_agent_leaves_the_engine_running() -> anyhow::Result<()> {
    let (server, api) = Server::start().await?;
    let cluster = api.create("orders", 2, "async").await?;
    let primary = cluster.primary.expect("a primary");
    let writer = Writer::start(api.connection("orders").await?).await?;
    let container = container_of(primary.as_str())?;
    let postmaster = || docker(&["exec", &container, "head", "-1", "/data/pgdata/postmaster.pid"]);
    let before = postmaster()?;
    for part in ["worker", "sentry"] {
        let pattern = format!("^/proc/self/exe {part}");
        docker(&["exec", &container, "pkill", "-KILL", "-f", &pattern])?;
        writer.progress(50).await?;
    }
    let cluster = api.healthy("orders", Duration::from_secs(30)).await?;
    assert_eq!(cluster.primary, Some(primary), "the primary has not moved");
    assert_eq!(postmaster()?, before, "the engine was not started anew");
    writer.stop().await?;
    server.check_log()
}
