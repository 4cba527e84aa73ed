//! F36: what the server has on its disk is replaced by an older copy: its agents know better.

use anyhow::ensure;
use bellwether_testkit::wait::until;

use super::scene::{Scene, WHOLE_MAX, act, lasts};

#[tokio::test]
async fn a_server_restored_from_an_older_copy_learns_from_its_agents() -> anyhow::Result<()> {
    let mut scene = Scene::start(3, "strict").await?;
    scene.server.kill();
    let copy = scene.server.back_up()?;
    scene.api = scene.server.restart().await?;
    scene.api.healthy("orders", WHOLE_MAX).await?;
    let second = scene.api.promotable("orders", WHOLE_MAX).await?;
    let moved = scene.api.operate("orders", "switchover", Some(&second.name)).await?;
    scene.api.finish(moved.id.as_str(), WHOLE_MAX).await?;
    scene.far.progress(100).await?;
    act("kill", &scene.primary().await?)?;
    scene.far.progress(100).await?;
    let third = scene.api.healthy("orders", WHOLE_MAX).await?;

    scene.server.restore(copy.path())?;
    scene.api = scene.server.restart().await?;
    // Long enough for whoever would be told to follow the first one again.
    lasts(8).await;
    scene.far.progress(100).await?;
    until("it knows who is primary", WHOLE_MAX, || async {
        let cluster = scene.api.cluster("orders").await?;
        ensure!(cluster.primary == third.primary, "{:?}", cluster.primary_name);
        ensure!(cluster.term >= third.term, "term {}", cluster.term);
        Ok(())
    })
    .await?;
    scene.api.healthy("orders", WHOLE_MAX).await?;
    // And goes on to decide.
    act("kill", &scene.primary().await?)?;
    scene.far.progress(100).await?;
    scene.end().await
}
