//! F22: the primary's cable is loose: a second out, a second in.

use std::time::Duration;

use bellwether_testkit::faults::Isolation;

use super::scene::{Scene, container, lasts};

#[tokio::test]
async fn a_loose_cable_loses_nothing() -> anyhow::Result<()> {
    let scene = Scene::start(3, "strict").await?;
    let primary = scene.primary().await?;
    for _ in 0..5 {
        let isolation = Isolation::of(&container(&primary)?)?;
        lasts(1).await;
        drop(isolation);
        lasts(1).await;
    }
    tokio::time::timeout(Duration::from_secs(60), scene.far.progress(100)).await??;
    scene.end().await
}
