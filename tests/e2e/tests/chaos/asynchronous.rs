//! Where nobody has to confirm a write, some may be lost with a machine: never with an engine, and
//! never untold.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use bellwether_model::{NodeView, Operation};
use bellwether_testkit::docker::{docker, inside};
use bellwether_testkit::wait::until;
use serde_json::json;

use super::scene::{Scene, WHOLE_MAX, act, container};

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

/// More than automation may lose: the former primary is waited for, and lacks nothing.
#[tokio::test]
async fn a_machine_that_held_too_much_alone_is_waited_for() -> anyhow::Result<()> {
    let scene = Scene::start(3, "async").await?;
    let former = hold_much_alone(&scene).await?;
    act("kill", &former)?;
    scene.far.progress(50).await?;
    let cluster = scene.api.healthy("orders", WHOLE_MAX).await?;
    assert_eq!(cluster.primary.as_ref(), Some(&former.id), "it lacks nothing");
    scene.end().await
}

/// Unless a person says that what it held may go.
#[tokio::test]
async fn a_person_may_let_go_what_automation_may_not() -> anyhow::Result<()> {
    let scene = Scene::start(3, "async").await?;
    let ask = || async {
        let wanted = json!({"kind": "failover", "allow_loss": true});
        scene.api.post::<Operation>("/v1/clusters/orders/operations", &wanted).await
    };
    let refused = ask().await.err().context("it was not refused")?;
    assert!(refused.to_string().contains("begins by itself"), "{refused}");
    let former = hold_much_alone(&scene).await?;
    act("pause", &former)?;
    until("a person is asked", Duration::from_secs(30), ask).await?;
    scene.replaced(&former).await?;
    act("unpause", &former)?;
    scene.api.healthy("orders", WHOLE_MAX).await?;
    let operations = scene.api.operations("orders").await?;
    let is_asked = |o: &&Operation| o.kind.word() == "failover" && o.rule == 0;
    let failover = operations.iter().find(is_asked).context("the failover that was asked for")?;
    assert!(failover.message.contains("lost"), "{}", failover.message);
    scene.end_with_loss().await?;
    Ok(())
}

/// The primary writes more than may be lost, and sends none of it.
async fn hold_much_alone(scene: &Scene) -> anyhow::Result<NodeView> {
    let primary = scene.primary().await?;
    let container = container(&primary)?;
    inside(&container, "pkill -STOP -f '^postgres: walsender'")?;
    let socket = "host=/run/bellwether/postgresql port=5431 user=postgres dbname=app";
    let line = "SELECT count(pg_logical_emit_message(false, 'filler', repeat('x', 1000000))) \
                FROM generate_series(1, 24)";
    docker(&["exec", &container, "psql", socket, "-AtXc", line])?;
    until("the primary tells of it", Duration::from_secs(5), || async {
        let replicas = scene.replicas().await?;
        let lags: Vec<_> = replicas.iter().map(|replica| replica.lag_bytes).collect();
        ensure!(lags.iter().all(|lag| lag.is_some_and(|lag| lag > 20_000_000)), "{lags:?}");
        Ok(())
    })
    .await?;
    Ok(primary)
}
