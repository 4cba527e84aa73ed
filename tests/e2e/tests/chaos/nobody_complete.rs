//! F30: the primary is lost while the only other node is being copied to.

use anyhow::ensure;
use bellwether_model::Operation;
use bellwether_testkit::wait::until;
use serde_json::json;

use super::scene::{Scene, WHOLE_MAX, act};

/// Whoever has no vote is not made primary, however much it has: the one that was lost is started
/// again, or what was copied had its vote back already and takes over. Nothing is missing.
#[tokio::test]
async fn without_anybody_who_is_complete_the_lost_one_comes_back() -> anyhow::Result<()> {
    let scene = Scene::start(2, "prefer").await?;
    let body = json!({ "kind": "resync", "copy": true, "allow_waiting": true });
    let operation: Operation = scene.api.post("/v1/clusters/orders/operations", &body).await?;
    until("the copy is under way", WHOLE_MAX, || async {
        let all = scene.api.operations("orders").await?;
        let now = all.iter().find(|other| other.id == operation.id);
        let step = now.and_then(|now| now.steps.get(now.step_at()?)).map(|step| &step.name);
        ensure!(step.is_some_and(|name| name.starts_with("copy")), "{step:?}");
        Ok(())
    })
    .await?;
    act("kill", &scene.primary().await?)?;
    scene.far.progress(100).await?;
    scene.end().await
}
