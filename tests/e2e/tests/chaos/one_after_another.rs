//! F21: whoever takes over is lost as well.

use super::scene::{Scene, act};

#[tokio::test]
async fn the_next_primary_dies_too() -> anyhow::Result<()> {
    let scene = Scene::start(3, "quorum(1)").await?;
    let first = scene.primary().await?;
    act("kill", &first)?;
    scene.replaced(&first).await?;
    // Whether the first is back by then or not: somebody who holds everything takes writes again.
    act("kill", &scene.primary().await?)?;
    scene.far.progress(100).await?;
    scene.end().await
}
