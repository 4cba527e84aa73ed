//! A server that is killed loses nothing it answered; what was under way goes on.

use std::time::Duration;

use bellwether_model::Operation;
use bellwether_testkit::docker::{container_of, docker, left_of};
use bellwether_testkit::wait::until;
use bellwether_testkit::{Server, Writer};
use serde_json::json;

#[tokio::test]
async fn operations_go_on_after_the_server_was_killed() -> anyhow::Result<()> {
    let (mut server, api) = Server::start().await?;
    let spec = json!({
        "name": "orders", "engine": "postgresql", "nodes": 2,
        "size": { "cpus": 1, "memory": "512MiB", "disk": "2GiB" },
        "allowlist": [{ "address": "server" }],
    });
    let cluster: bellwether_model::ClusterView = api.post("/v1/clusters", &spec).await?;
    let operation = cluster.operation.expect("creating is an operation");
    // Killed again and again in the middle of it.
    let mut api = api;
    for _ in 0..3 {
        tokio::time::timeout(
            Duration::from_millis(700),
            api.finish(operation.as_str(), Duration::from_secs(60)),
        )
        .await
        .ok();
        api = server.restart().await?;
    }
    api.finish(operation.as_str(), Duration::from_secs(180)).await?;
    api.healthy("orders", Duration::from_secs(30)).await?;

    let writer = Writer::start(api.connection("orders").await?).await?;
    for (kind, node) in
        [("switchover", Some("orders-2")), ("add_node", None), ("remove_node", Some("orders-1"))]
    {
        let operation = api.operate("orders", kind, node).await?;
        server.kill();
        api = server.restart().await?;
        api.finish(operation.id.as_str(), Duration::from_secs(120)).await?;
        api.healthy("orders", Duration::from_secs(60)).await?;
    }
    server.kill();
    // Nobody needs the server: not the clients, not the lease.
    writer.progress(1_000).await?;
    let api = server.restart().await?;
    let (history, found) = writer.stop().await?;
    assert_eq!(history.lost(&found), Vec::<i64>::new());

    let body: Operation = api.ask_to_delete("orders").await?;
    server.kill();
    let api = server.restart().await?;
    api.finish(body.id.as_str(), Duration::from_secs(60)).await?;
    assert_eq!(left_of(cluster.id.as_str())?, Vec::<String>::new());
    server.check_log()
}

/// The server dies at different moments of the failover, and with the primary.
#[tokio::test]
async fn a_failover_goes_on_after_the_server_was_killed() -> anyhow::Result<()> {
    let (mut server, mut api) = Server::start().await?;
    api.create("orders", 3, "strict").await?;
    let writer = Writer::start(api.connection("orders").await?).await?;
    for wait in [None, Some("failover"), Some("rejoin")] {
        let former = api.healthy("orders", Duration::from_secs(60)).await?.primary;
        let former = former.expect("a primary");
        writer.progress(50).await?;
        docker(&["kill", &container_of(former.as_str())?])?;
        if let Some(kind) = wait {
            until("the operation has begun", Duration::from_secs(20), || async {
                let operations = api.operations("orders").await?;
                let is_new = operations.first().is_some_and(|newest| newest.kind.word() == kind);
                anyhow::ensure!(is_new, "{kind} is not there yet");
                Ok(())
            })
            .await?;
        }
        server.kill();
        api = server.restart().await?;
        writer.progress(50).await?;
        let cluster = api.healthy("orders", Duration::from_secs(90)).await?;
        assert_ne!(cluster.primary, Some(former));
    }
    let (history, found) = writer.stop().await?;
    assert_eq!(history.lost(&found), Vec::<i64>::new(), "acknowledged writes are missing");
    server.check_log()
}
