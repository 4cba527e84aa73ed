//! F31, F32: the source of a new node's copy dies in the middle, and the new node itself.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use bellwether_model::{NodeView, Operation};
use bellwether_testkit::wait::until;

use super::scene::{Scene, WHOLE_MAX, act};

/// Asks for one more node and waits until its machine is there.
async fn begin(scene: &Scene) -> anyhow::Result<(NodeView, Operation)> {
    let operation = scene.api.operate("orders", "add_node", None).await?;
    let new = until("the new node is being filled", WHOLE_MAX, || async {
        let nodes = scene.api.nodes("orders").await?;
        let new = nodes.into_iter().find(|node| node.name == "orders-4").context("not made yet")?;
        let all = scene.api.operations("orders").await?;
        let now = all.iter().find(|o| o.id == operation.id).context("the operation")?;
        let step = now.step_at().and_then(|at| now.steps.get(at)).context("it has ended")?;
        ensure!(
            !["reserve", "acquire", "await_agent"].iter().any(|s| step.name.contains(s)),
            "{}",
            step.name
        );
        super::scene::container(&new)?;
        Ok(new)
    })
    .await?;
    Ok((new, operation))
}

async fn ended(scene: &Scene, operation: &Operation) -> anyhow::Result<()> {
    until("the operation has ended", Duration::from_secs(180), || async {
        let all = scene.api.operations("orders").await?;
        let now = all.iter().find(|one| one.id == operation.id).context("the operation")?;
        ensure!(now.status.is_ended(), "{:?}: {}", now.status, now.message);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn the_one_that_is_copied_from_is_lost() -> anyhow::Result<()> {
    let scene = Scene::start(3, "strict").await?;
    let former = scene.primary().await?;
    let (_, operation) = begin(&scene).await?;
    act("kill", &former)?;
    scene.far.progress(100).await?;
    ended(&scene, &operation).await?;
    scene.end().await
}

#[tokio::test]
async fn the_new_one_is_lost() -> anyhow::Result<()> {
    let scene = Scene::start(3, "strict").await?;
    let primary = scene.primary().await?;
    let (new, operation) = begin(&scene).await?;
    act("kill", &new)?;
    scene.near.progress(100).await?;
    ended(&scene, &operation).await?;
    assert_eq!(scene.primary().await?.id, primary.id, "it was replaced");
    scene.end().await
}
