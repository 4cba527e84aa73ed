//! Where nobody has to confirm a write, some may be lost with a machine: never with an engine, and
//! never untold.

use anyhow::Context as _;
use bellwether_testkit::docker::inside;

use crate::scene::{Scene, WHOLE_MAX, act, container};

#[tokio::test]
async fn with_an_engine_alone_nothing_is_lost() -> anyhow::Result<()> {
    let scene = Scene::start(3, "async").await?;
    let former = scene.primary().await?;
    inside(&container(&former)?, "pkill -KILL -x postgres")?;
    scene.replaced(&former).await?;
    scene.far.progress(50).await?;
    scene.end().await
}

#[tokio::test]
async fn with_a_machine_what_may_be_lost_is_told() -> anyhow::Result<()> {
    let scene = Scene::start(3, "async").await?;
    let former = scene.primary().await?;
    act("kill", &former)?;
    scene.replaced(&former).await?;
    scene.far.progress(50).await?;
    scene.api.healthy("orders", WHOLE_MAX).await?;
    let operations = scene.api.operations("orders").await?;
    let failover = operations.iter().find(|o| o.kind.word() == "failover").context("a failover")?;
    let words = failover.message.clone();
    let lost = scene.end_with_loss().await?;
    println!("{lost} writes lost; {words}");
    let is_told = words.contains("lost") && !words.ends_with("no acknowledged write is lost");
    assert!(lost == 0 || is_told, "{lost} writes are gone, and it was said: {words}");
    Ok(())
}
