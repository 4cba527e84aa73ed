//! A server that is killed loses nothing it answered; what was under way goes on.

use std::time::Duration;

use bellwether_testkit::{Server, Writer};
use serde_json::json;

#[tokio::test]
async fn operations_go_on_after_the_server_was_killed() -> anyhow::Result<()> {
    let (mut server, api) = Server::start().await?;
    let spec = json!({
        "name": "orders", "engine": "postgresql", "nodes": 2,
        "size": { "cpus": 1, "memory": "512MiB", "disk": "2GiB" },
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
    for kind in ["switchover", "add_node"] {
        let node = (kind == "switchover").then_some("orders-2");
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
    api.delete("orders").await?;
    Ok(())
}
