//! F5, F24: a primary that does not reach its replicas, and a replica that does not reach the
//! server.

use std::time::Instant;

use bellwether_testkit::faults::Loss;

use super::scene::{Scene, container, lasts};

#[tokio::test]
async fn a_primary_that_reaches_no_replica_goes_on_where_nobody_has_to_confirm()
-> anyhow::Result<()> {
    let scene = Scene::start(3, "async").await?;
    let primary = scene.primary().await?;
    let replicas = scene.replicas().await?;
    let addresses: Vec<&str> = replicas.iter().map(|node| node.address.as_str()).collect();
    let loss = Loss::between(&container(&primary)?, &addresses)?;
    lasts(8).await;
    // Only the near one reaches it.
    scene.near.progress(100).await?;
    drop(loss);
    assert_eq!(scene.primary().await?.id, primary.id, "it was replaced");
    assert_eq!(scene.failovers().await?, 0);
    scene.end().await
}

/// The replicas are well and hold everything: one of them can take over.
#[tokio::test]
async fn where_they_have_to_confirm_another_takes_over() -> anyhow::Result<()> {
    let scene = Scene::start(3, "strict").await?;
    let former = scene.primary().await?;
    let replicas = scene.replicas().await?;
    let addresses: Vec<&str> = replicas.iter().map(|node| node.address.as_str()).collect();
    let loss = Loss::between(&container(&former)?, &addresses)?;
    scene.replaced(&former).await?;
    scene.far.progress(50).await?;
    drop(loss);
    scene.end().await
}

#[tokio::test]
async fn a_replica_that_only_the_server_does_not_hear_follows_on() -> anyhow::Result<()> {
    let scene = Scene::start(3, "strict").await?;
    let primary = scene.primary().await?;
    let replica = container(&scene.replicas().await?[0])?;
    let began = Instant::now();
    let loss = Loss::of_port(&replica, scene.server.agent_port())?;
    lasts(8).await;
    scene.near.progress(100).await?;
    assert!(scene.goes_on_after(began), "the others write on");
    drop(loss);
    assert_eq!(scene.primary().await?.id, primary.id, "it was replaced");
    assert_eq!(scene.failovers().await?, 0);
    scene.end().await
}
