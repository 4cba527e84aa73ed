//! F15: every process of the primary's engine stands still, while its agent and its machine go on.

use std::time::{Duration, Instant};

use bellwether_testkit::docker::inside;

use super::scene::{Scene, container};

#[tokio::test]
async fn an_engine_that_stands_still_is_replaced() -> anyhow::Result<()> {
    let scene = Scene::start(3, "strict").await?;
    let former = scene.primary().await?;
    let frozen = Instant::now();
    inside(&container(&former)?, "pkill -STOP -x postgres")?;
    scene.replaced(&former).await?;
    scene.far.progress(50).await?;
    let outage = scene.far.history().outage(frozen);
    println!("writes waited {outage:?}");
    assert!(outage < Duration::from_secs(20), "writes waited {outage:?}");
    scene.end().await
}
