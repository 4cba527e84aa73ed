//! F35: a disk gives back something else than was written to it.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use bellwether_model::Operation;
use bellwether_testkit::docker::{docker, inside};
use bellwether_testkit::wait::until;
use serde_json::json;

use super::scene::{Scene, WHOLE_MAX, container};

/// Nobody is replaced for it by itself: what reads as damaged may be so everywhere.
#[tokio::test]
async fn damaged_data_is_told_and_copied_anew() -> anyhow::Result<()> {
    let scene = Scene::start(3, "strict").await?;
    let primary = scene.primary().await?;
    let ask = |container: &str, line: &str| {
        let socket = "host=/run/bellwether/postgresql port=5431 user=postgres dbname=app";
        docker(&["exec", container, "psql", socket, "-AtXc", line])
    };
    let source = container(&primary)?;
    ask(&source, "CREATE TABLE old AS SELECT generate_series(1, 10000) AS id")?;
    ask(&source, "CHECKPOINT")?;
    let replica = scene.api.promotable("orders", Duration::from_secs(30)).await?;
    let container = container(&replica)?;
    until("the table has come over", Duration::from_secs(10), || async {
        let found = ask(&container, "SELECT count(*) FROM old")?;
        ensure!(found == "10000", "{found}");
        // On the disk, so that nothing brings it back when the engine starts again.
        ask(&container, "CHECKPOINT").map(|_| ())
    })
    .await?;
    let path = ask(&container, "SELECT pg_relation_filepath('old')")?;
    let damage = "dd if=/dev/urandom bs=512 count=1 seek=8 conv=notrunc status=none";
    inside(&container, &format!("{damage} of=/data/pgdata/{path}"))?;
    inside(&container, "pkill -KILL -x postgres")?;
    let node = || async {
        let nodes = scene.api.nodes("orders").await?;
        nodes.into_iter().find(|node| node.id == replica.id).context("still a member")
    };
    until("it says what is wrong", WHOLE_MAX, || async {
        let read = ask(&container, "SELECT count(*) FROM old");
        ensure!(read.is_err(), "it reads well");
        let state = node().await?.state;
        ensure!(state.contains("damaged data was read"), "{state}");
        Ok(())
    })
    .await?;
    let sentence = scene.api.cluster("orders").await?.sentence;
    assert!(sentence.contains("damaged data was read"), "{sentence}");
    let refused = scene.api.operate("orders", "switchover", Some(&replica.name)).await.err();
    let refused = refused.context("it was to be promoted")?.to_string();
    assert!(refused.contains("resynchronise it"), "{refused}");

    let copy = json!({ "kind": "resync", "nodes": [replica.name], "copy": true });
    let resync: Operation = scene.api.post("/v1/clusters/orders/operations", &copy).await?;
    scene.api.finish(resync.id.as_str(), WHOLE_MAX).await?;
    scene.api.healthy("orders", WHOLE_MAX).await?;
    assert_eq!(ask(&container, "SELECT count(*) FROM old")?, "10000");
    assert_eq!(scene.primary().await?.id, primary.id, "the primary is another");
    assert_eq!(scene.failovers().await?, 0);
    scene.end().await
}
