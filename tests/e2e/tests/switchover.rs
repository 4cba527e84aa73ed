//! N3: a planned change of primary under load loses nothing.

use std::time::Duration;

use bellwether_testkit::{Server, Writer};

#[tokio::test]
async fn a_promoted_replica_has_every_acknowledged_write() -> anyhow::Result<()> {
    let (server, api) = Server::start().await?;
    let cluster = api.create("orders", 3, "async").await?;
    let former = cluster.primary.expect("a primary");
    let writer = Writer::start(api.connection("orders").await?).await?;
    for _ in 0..2 {
        writer.progress(50).await?;
        let replica = api.promotable("orders", Duration::from_secs(30)).await?;
        let operation = api.operate("orders", "switchover", Some(&replica.name)).await?;
        api.finish(operation.id.as_str(), Duration::from_secs(60)).await?;
        let cluster = api.healthy("orders", Duration::from_secs(30)).await?;
        assert_eq!(cluster.primary.as_ref(), Some(&replica.id));
    }
    writer.progress(50).await?;
    let (history, found) = writer.stop().await?;
    assert_eq!(history.lost(&found), Vec::<i64>::new(), "acknowledged writes are missing");

    let (status, problem) = {
        let now = api.cluster("orders").await?.primary_name.expect("a primary");
        let body = serde_json::json!({ "kind": "switchover", "node": now });
        api.send("POST", "/v1/clusters/orders/operations", Some(&body)).await?
    };
    assert_eq!(status, 409, "{problem}");
    assert!(problem["detail"].as_str().is_some_and(|words| words.contains("primary already")));
    drop(former);
    server.check_log()
}
