//! F11, F12: parts of the primary's agent are killed while its engine lives on.

use std::time::{Duration, Instant};

use bellwether_testkit::docker::inside;

use super::scene::{Scene, container};

async fn goes_on_without(part: &str) -> anyhow::Result<()> {
    let scene = Scene::start(3, "strict").await?;
    let primary = scene.primary().await?;
    let container = container(&primary)?;
    let postmaster = || inside(&container, "head -n 1 /data/pgdata/postmaster.pid");
    let before = postmaster()?;
    let began = Instant::now();
    // Again and again, as soon as it runs: whatever it was about to do is left undone.
    let kill = format!("until pkill -KILL -f '^/proc/self/exe {part}'; do sleep 0.02; done");
    for _ in 0..5 {
        inside(&container, &format!("timeout 10 sh -c \"{kill}\""))?;
        scene.near.progress(50).await?;
    }
    let outage = scene.far.history().outage(began);
    assert!(outage < Duration::from_secs(5), "writes waited {outage:?}");
    assert_eq!(postmaster()?, before, "the engine was started anew");
    assert_eq!(scene.primary().await?.id, primary.id, "it was replaced");
    scene.end().await
}

#[tokio::test]
async fn a_sentry_that_is_killed_is_back_before_anybody_decides() -> anyhow::Result<()> {
    goes_on_without("sentry").await
}

#[tokio::test]
async fn a_worker_that_is_killed_finds_its_engine_again() -> anyhow::Result<()> {
    goes_on_without("worker").await
}

/// With it the whole machine's programs end, the engine too.
#[tokio::test]
async fn an_agent_that_is_killed_whole_takes_its_role_with_it_or_keeps_it() -> anyhow::Result<()> {
    let scene = Scene::start(3, "strict").await?;
    let container = container(&scene.primary().await?)?;
    inside(&container, "pkill -KILL -f '(bellwether-agent|/proc/self/exe)'").ok();
    scene.far.progress(100).await?;
    scene.end().await
}
