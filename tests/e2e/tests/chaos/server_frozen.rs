//! F19: the server stands still for a while, and goes on with everything it believed.

use std::time::{Duration, Instant};

use super::scene::{Scene, act, lasts};

#[tokio::test]
async fn a_server_that_stood_still_judges_nobody_by_what_it_missed() -> anyhow::Result<()> {
    let scene = Scene::start(3, "strict").await?;
    let primary = scene.primary().await?;
    let began = Instant::now();
    scene.server.freeze()?;
    lasts(10).await;
    scene.server.thaw()?;
    lasts(5).await;
    scene.near.progress(100).await?;
    let outage = scene.far.history().outage(began);
    assert!(outage < Duration::from_secs(2), "writes waited {outage:?}");
    assert_eq!(scene.primary().await?.id, primary.id, "it was replaced");
    assert_eq!(scene.failovers().await?, 0);
    scene.end().await
}

#[tokio::test]
async fn nor_is_a_primary_forgotten_that_was_lost_meanwhile() -> anyhow::Result<()> {
    let scene = Scene::start(3, "strict").await?;
    let former = scene.primary().await?;
    scene.server.freeze()?;
    act("kill", &former)?;
    lasts(5).await;
    scene.server.thaw()?;
    scene.far.progress(100).await?;
    scene.end().await
}
