//! F40: the primary's machine is shut down in order, and nobody said so before.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use bellwether_testkit::docker::docker;

use super::scene::{Scene, act, container};

/// What it has to say goes out before it is off: nothing is lost even where nobody confirms.
#[tokio::test]
async fn a_machine_that_is_shut_down_hands_everything_over() -> anyhow::Result<()> {
    let scene = Scene::start(3, "async").await?;
    let former = scene.primary().await?;
    let began = Instant::now();
    docker(&["stop", "--time", "30", &container(&former)?])?;
    println!("it was off after {:?}", began.elapsed());
    scene.replaced(&former).await?;
    scene.far.progress(50).await?;
    let outage = scene.far.history().outage(began);
    println!("writes waited {outage:?}");
    assert!(outage < Duration::from_secs(4), "as if it had died: writes waited {outage:?}");
    let operations = scene.api.operations("orders").await?;
    let failover = operations.iter().find(|o| o.kind.word() == "failover").context("a failover")?;
    assert!(failover.message.ends_with("no acknowledged write is lost"), "{}", failover.message);
    // The server may have started it already.
    act("start", &former)?;
    scene.end().await
}
