//! F18: the primary's machine stands still and goes on later, with everything it had in mind.

use super::scene::{Scene, act, lasts};

#[tokio::test]
async fn a_machine_that_wakes_up_has_nothing_to_say_any_more() -> anyhow::Result<()> {
    let scene = Scene::start(3, "strict").await?;
    let former = scene.primary().await?;
    act("pause", &former)?;
    scene.replaced(&former).await?;
    scene.far.progress(50).await?;
    act("unpause", &former)?;
    scene.far.progress(200).await?;
    scene.end().await
}

/// Shorter than a lease: it goes on where it was.
#[tokio::test]
async fn a_moment_is_no_reason() -> anyhow::Result<()> {
    let scene = Scene::start(3, "strict").await?;
    let primary = scene.primary().await?;
    act("pause", &primary)?;
    lasts(1).await;
    act("unpause", &primary)?;
    scene.far.progress(100).await?;
    assert_eq!(scene.primary().await?.id, primary.id, "it was replaced");
    assert_eq!(scene.failovers().await?, 0);
    scene.end().await
}
