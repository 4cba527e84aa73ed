//! F3, F8, F9, F23: nodes that do not reach the server, and a server that is gone together with the
//! primary.

use std::time::{Duration, Instant};

use anyhow::ensure;
use bellwether_testkit::faults::Loss;
use bellwether_testkit::wait::until;

use super::scene::{Scene, WHOLE_MAX, act, container, lasts};

/// Longer than any lease.
const LONG: u64 = 8;

async fn nobody_minds(scene: Scene, loss: Loss) -> anyhow::Result<()> {
    let primary = scene.primary().await?;
    let began = Instant::now();
    lasts(LONG).await;
    scene.far.progress(50).await?;
    let outage = scene.far.history().outage(began);
    assert!(outage < Duration::from_secs(2), "writes waited {outage:?}");
    drop(loss);
    scene.api.healthy("orders", WHOLE_MAX).await?;
    assert_eq!(scene.primary().await?.id, primary.id, "it was replaced");
    assert_eq!(scene.failovers().await?, 0);
    scene.end().await
}

#[tokio::test]
async fn a_primary_that_only_the_server_does_not_hear_goes_on() -> anyhow::Result<()> {
    let scene = Scene::start(3, "strict").await?;
    let container = container(&scene.primary().await?)?;
    let loss = Loss::of_port(&container, scene.server.agent_port())?;
    nobody_minds(scene, loss).await
}

#[tokio::test]
async fn nor_does_it_matter_which_way_the_packets_are_lost() -> anyhow::Result<()> {
    let scene = Scene::start(3, "strict").await?;
    let container = container(&scene.primary().await?)?;
    let loss = Loss::to_port(&container, scene.server.agent_port())?;
    nobody_minds(scene, loss).await
}

#[tokio::test]
async fn without_server_and_primary_nobody_is_promoted_until_the_server_is_back()
-> anyhow::Result<()> {
    let mut scene = Scene::start(3, "strict").await?;
    let former = scene.primary().await?;
    scene.server.kill();
    let killed = Instant::now();
    lasts(LONG).await;
    assert!(scene.goes_on_after(killed + Duration::from_secs(LONG / 2)), "writes need no server");
    act("kill", &former)?;
    let killed = Instant::now();
    lasts(LONG).await;
    assert!(!scene.goes_on_after(killed + Duration::from_secs(1)), "nobody decides without it");
    scene.api = scene.server.restart().await?;
    scene.replaced(&former).await?;
    until("writes go on", WHOLE_MAX, || async {
        ensure!(scene.goes_on_after(killed + Duration::from_secs(LONG)), "not yet");
        Ok(())
    })
    .await?;
    // The provider is asked to start a machine that is off.
    scene.end().await
}
