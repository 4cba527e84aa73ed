//! F37: somebody promotes a replica's engine behind everybody's back.

use std::time::Duration;

use anyhow::ensure;
use bellwether_testkit::docker::inside;
use bellwether_testkit::wait::until;

use super::scene::{Scene, WHOLE_MAX, container};

#[tokio::test]
async fn a_replica_that_was_promoted_by_hand_follows_again() -> anyhow::Result<()> {
    let scene = Scene::start(3, "strict").await?;
    let primary = scene.primary().await?;
    let other = &scene.replicas().await?[0];
    let container = container(other)?;
    let ask = |sql: &str| {
        let psql = "su postgres -c \"psql -h /run/bellwether/postgresql -p 5431 -Atq";
        inside(&container, &format!("{psql} -c '{sql}'\""))
    };
    // Its agent may end the engine before that has answered.
    ask("SELECT pg_promote(true)").ok();
    scene.far.progress(100).await?;
    until("it follows again", WHOLE_MAX, || async {
        ensure!(ask("SELECT pg_is_in_recovery()")? == "t", "it is on its own");
        Ok(())
    })
    .await?;
    assert_eq!(scene.primary().await?.id, primary.id, "the primary is another");
    assert_eq!(scene.failovers().await?, 0);
    tokio::time::timeout(Duration::from_secs(120), scene.end()).await?
}
