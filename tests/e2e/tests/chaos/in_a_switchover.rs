//! F25, F26: a planned change of primary in the middle of which the one or the other is lost.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use bellwether_model::{NodeView, Operation};
use bellwether_testkit::wait::until;

use super::scene::{Scene, act};

async fn begin(scene: &Scene) -> anyhow::Result<(NodeView, NodeView, Operation)> {
    let former = scene.primary().await?;
    let next = scene.api.promotable("orders", Duration::from_secs(30)).await?;
    let operation = scene.api.operate("orders", "switchover", Some(&next.name)).await?;
    Ok((former, next, operation))
}

async fn ended(scene: &Scene, operation: &Operation) -> anyhow::Result<()> {
    until("the operation has ended", Duration::from_secs(60), || async {
        let all = scene.api.operations("orders").await?;
        let now = all.iter().find(|one| one.id == operation.id).context("the operation")?;
        ensure!(now.status.is_ended(), "{:?}: {}", now.status, now.message);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn the_one_that_hands_over_is_lost() -> anyhow::Result<()> {
    let scene = Scene::start(3, "strict").await?;
    let (former, _, operation) = begin(&scene).await?;
    act("kill", &former)?;
    scene.replaced(&former).await?;
    ended(&scene, &operation).await?;
    scene.far.progress(100).await?;
    scene.end().await
}

#[tokio::test]
async fn the_one_that_takes_over_is_lost() -> anyhow::Result<()> {
    let scene = Scene::start(3, "strict").await?;
    let (_, next, operation) = begin(&scene).await?;
    act("kill", &next)?;
    ended(&scene, &operation).await?;
    scene.far.progress(100).await?;
    scene.end().await
}
