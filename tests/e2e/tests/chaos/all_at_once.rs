//! F20, F38: the primary and a replica at once, and everything at once.

use std::time::Instant;

use super::scene::{Scene, act, lasts};

#[tokio::test]
async fn without_the_primary_and_a_replica_nobody_can_say_what_was_promised() -> anyhow::Result<()>
{
    let scene = Scene::start(3, "quorum(1)").await?;
    let former = scene.primary().await?;
    let replicas = scene.replicas().await?;
    // Frozen, not off: a machine that is off is started again by the server.
    act("pause", &former)?;
    act("pause", &replicas[0])?;
    lasts(2).await;
    let gone = Instant::now();
    lasts(6).await;
    assert!(!scene.goes_on_after(gone), "the last one knows nothing of what the others hold");
    act("unpause", &replicas[0])?;
    scene.replaced(&former).await?;
    act("unpause", &former)?;
    scene.end().await
}

#[tokio::test]
async fn after_a_loss_of_power_everything_is_as_it_was() -> anyhow::Result<()> {
    let scene = Scene::start(3, "strict").await?;
    let primary = scene.primary().await?;
    for node in scene.replicas().await?.iter().chain([&primary]) {
        act("kill", node)?;
    }
    scene.far.progress(100).await?;
    scene.end().await
}
