//! F13, F14: a disk that is full, under load.

use bellwether_testkit::docker::inside;

use super::scene::{Scene, container, lasts};

/// Takes all the room there is.
fn fill(container: &str) -> anyhow::Result<()> {
    let line = "fallocate -l $(df --output=avail -B 1 /data | tail -n 1) /data/filler; \
                dd if=/dev/zero of=/data/filler2 bs=1k 2>/dev/null; true";
    inside(container, line).map(drop)
}

#[tokio::test]
async fn a_replica_without_room_holds_nobody_up() -> anyhow::Result<()> {
    let scene = Scene::start(3, "strict").await?;
    let primary = scene.primary().await?;
    let full = container(&scene.replicas().await?[0])?;
    fill(&full)?;
    scene.near.progress(500).await?;
    assert_eq!(scene.primary().await?.id, primary.id, "it was replaced");
    inside(&full, "rm -f /data/filler*")?;
    scene.end().await
}

/// It says that it takes no new data, or another one does: whatever was acknowledged is there.
#[tokio::test]
async fn a_primary_without_room_loses_nothing() -> anyhow::Result<()> {
    let scene = Scene::start(3, "strict").await?;
    let full = container(&scene.primary().await?)?;
    fill(&full)?;
    lasts(10).await;
    inside(&full, "rm -f /data/filler*")?;
    scene.far.progress(100).await?;
    scene.end().await
}
