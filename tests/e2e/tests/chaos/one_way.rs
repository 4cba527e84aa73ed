//! F4, F5, F23: a primary that nobody reaches, and packets that are lost in one direction only.

use std::time::{Duration, Instant};

use bellwether_testkit::faults::{Isolation, Loss};

use super::scene::{Scene, container, lasts};

#[tokio::test]
async fn a_primary_cut_off_from_everybody_is_replaced_and_takes_no_more() -> anyhow::Result<()> {
    let scene = Scene::start(3, "strict").await?;
    let former = scene.primary().await?;
    let isolation = Isolation::of(&container(&former)?)?;
    scene.replaced(&former).await?;
    scene.far.progress(50).await?;
    drop(isolation);
    scene.far.progress(200).await?;
    scene.end().await
}

#[tokio::test]
async fn a_replica_that_does_not_hear_the_primary_replaces_nobody() -> anyhow::Result<()> {
    let scene = Scene::start(3, "strict").await?;
    let primary = scene.primary().await?;
    let deaf = &scene.replicas().await?[0];
    let began = Instant::now();
    let loss = Loss::from(&container(deaf)?, &primary.address)?;
    lasts(8).await;
    scene.near.progress(50).await?;
    let outage = scene.near.history().outage(began);
    assert!(outage < Duration::from_secs(5), "writes waited {outage:?}");
    drop(loss);
    assert_eq!(scene.primary().await?.id, primary.id, "it was replaced");
    assert_eq!(scene.failovers().await?, 0);
    scene.end().await
}
