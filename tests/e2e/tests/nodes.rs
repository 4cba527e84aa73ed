//! N2, N4, E9: a single node grows into a cluster and back, under load.

use std::time::Duration;

use bellwether_testkit::docker::left_of;
use bellwether_testkit::wait::until;
use bellwether_testkit::{Api, Server, Writer, sql};

/// Who answers on the ports for reads, on every node.
async fn reads_from_a_replica(api: &Api) -> anyhow::Result<bool> {
    let connection = api.connection("orders").await?;
    let mut all = true;
    for address in &connection.read_only {
        let client = sql::connect(&connection, address, Duration::from_secs(5)).await?;
        all &= client.query_one("SELECT pg_is_in_recovery()", &[]).await?.get::<_, bool>(0);
    }
    Ok(all)
}

#[tokio::test]
async fn nodes_are_added_and_removed_under_load() -> anyhow::Result<()> {
    let (server, api) = Server::start().await?;
    let cluster = api.create("orders", 1, "async").await?;
    let writer = Writer::start(api.connection("orders").await?).await?;
    assert!(!reads_from_a_replica(&api).await?, "there is none yet");

    for _ in 0..2 {
        let operation = api.operate("orders", "add_node", None).await?;
        api.finish(operation.id.as_str(), Duration::from_secs(120)).await?;
    }
    let grown = api.healthy("orders", Duration::from_secs(30)).await?;
    assert_eq!((grown.spec.nodes, grown.nodes_healthy), (3, 3));
    writer.progress(50).await?;
    until("reads go to replicas", Duration::from_secs(10), || async {
        anyhow::ensure!(reads_from_a_replica(&api).await?, "the primary answers");
        Ok(())
    })
    .await?;

    let operation = api.operate("orders", "remove_node", Some("orders-2")).await?;
    api.finish(operation.id.as_str(), Duration::from_secs(60)).await?;
    let nodes = api.nodes("orders").await?;
    let names: Vec<&str> = nodes.iter().map(|node| node.name.as_str()).collect();
    assert_eq!(names, ["orders-1", "orders-3"]);

    let body = serde_json::json!({ "kind": "remove_node", "node": "orders-1" });
    let (status, problem) = api.send("POST", "/v1/clusters/orders/operations", Some(&body)).await?;
    assert_eq!(status, 409);
    assert!(problem["detail"].as_str().is_some_and(|words| words.contains("promote another")));

    writer.progress(50).await?;
    let (history, found) = writer.stop().await?;
    assert_eq!(history.lost(&found), Vec::<i64>::new());
    assert_eq!(history.errors(), 0, "no write failed while nodes came and went");

    api.delete("orders").await?;
    assert_eq!(left_of(cluster.id.as_str())?, Vec::<String>::new());
    let (status, _) = api.send("GET", "/v1/clusters/orders", None).await?;
    assert_eq!(status, 404);
    server.check_log()
}
