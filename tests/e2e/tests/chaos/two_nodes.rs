//! Two nodes: one vote, with the server as witness.

use super::scene::{Scene, act};

async fn either_is_lost(mode: &str) -> anyhow::Result<()> {
    let scene = Scene::start(2, mode).await?;
    let first = scene.primary().await?;
    act("kill", &first)?;
    scene.far.progress(100).await?;
    scene.api.healthy("orders", super::scene::WHOLE_MAX).await?;
    let replica = scene.replicas().await?.remove(0);
    act("kill", &replica)?;
    scene.far.progress(100).await?;
    scene.end().await
}

#[tokio::test]
async fn either_is_lost_and_what_was_confirmed_is_there() -> anyhow::Result<()> {
    either_is_lost("strict").await
}

#[tokio::test]
async fn a_confirmation_that_is_preferred_holds_nobody_up() -> anyhow::Result<()> {
    either_is_lost("prefer").await
}
