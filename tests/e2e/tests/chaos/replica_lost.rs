//! F6, F7: replicas that are lost; who promised to wait for them waits.

use std::time::Instant;

use anyhow::ensure;
use bellwether_testkit::wait::until;

use super::scene::{Scene, WHOLE_MAX, act, lasts};

#[tokio::test]
async fn one_of_two_is_enough_and_without_both_strict_waits() -> anyhow::Result<()> {
    let scene = Scene::start(3, "strict").await?;
    let primary = scene.primary().await?;
    let replicas = scene.replicas().await?;
    act("pause", &replicas[0])?;
    scene.near.progress(100).await?;
    act("pause", &replicas[1])?;
    lasts(2).await;
    let alone = Instant::now();
    lasts(5).await;
    let history = scene.near.history();
    let taken = history.attempts.iter().filter(|a| a.acknowledged && a.ended > alone).count();
    assert_eq!(taken, 0, "strict acknowledges nothing that only the primary holds");
    for replica in &replicas {
        act("unpause", replica)?;
    }
    scene.near.progress(100).await?;
    until("the same is primary", WHOLE_MAX, || async {
        let now = scene.primary().await?;
        ensure!(now.id == primary.id, "{}", now.name);
        Ok(())
    })
    .await?;
    scene.end().await
}
