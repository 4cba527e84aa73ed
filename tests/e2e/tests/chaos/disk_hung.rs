//! F15, F16: a disk that takes no writes and refuses none, and one that is slow.

use std::time::{Duration, Instant};

use bellwether_testkit::faults::{Frozen, Slow};

use super::scene::{Scene, container, lasts};

#[tokio::test]
async fn a_primary_whose_disk_hangs_is_replaced() -> anyhow::Result<()> {
    let scene = Scene::start(3, "strict").await?;
    let former = scene.primary().await?;
    let began = Instant::now();
    let frozen = Frozen::disk_of(&container(&former)?)?;
    scene.replaced(&former).await?;
    scene.far.progress(50).await?;
    let outage = scene.far.history().outage(began);
    println!("writes waited {outage:?}");
    assert!(outage < Duration::from_secs(25), "writes waited {outage:?}");
    drop(frozen);
    scene.end().await
}

#[tokio::test]
async fn a_moment_is_no_reason() -> anyhow::Result<()> {
    let scene = Scene::start(3, "strict").await?;
    let primary = scene.primary().await?;
    let frozen = Frozen::disk_of(&container(&primary)?)?;
    lasts(3).await;
    drop(frozen);
    scene.near.progress(100).await?;
    assert_eq!(scene.primary().await?.id, primary.id, "it was replaced");
    assert_eq!(scene.failovers().await?, 0);
    scene.end().await
}

#[tokio::test]
async fn a_replica_whose_disk_hangs_holds_nobody_up() -> anyhow::Result<()> {
    let scene = Scene::start(3, "strict").await?;
    let primary = scene.primary().await?;
    let began = Instant::now();
    let frozen = Frozen::disk_of(&container(&scene.replicas().await?[0])?)?;
    lasts(8).await;
    scene.near.progress(100).await?;
    let outage = scene.near.history().outage(began);
    assert!(outage < Duration::from_secs(3), "writes waited {outage:?}");
    drop(frozen);
    assert_eq!(scene.primary().await?.id, primary.id, "it was replaced");
    scene.end().await
}

#[tokio::test]
async fn a_slow_disk_is_slow_and_nothing_else() -> anyhow::Result<()> {
    let scene = Scene::start(3, "strict").await?;
    let primary = scene.primary().await?;
    let slow = Slow::disk_of(&container(&primary)?, 10)?;
    lasts(15).await;
    assert_eq!(scene.primary().await?.id, primary.id, "it was replaced");
    assert_eq!(scene.failovers().await?, 0);
    drop(slow);
    scene.near.progress(100).await?;
    scene.end().await
}
