//! The other engines' data is replaced where it is, too, under a client that keeps its connection
//! string, past the death of the primary's agent in the middle; what was there comes back with all
//! that was written to it, and goes when that is asked for.

use std::fmt::Debug;

use anyhow::{Context as _, ensure};
use bellwether_model::backup::BackupStatus;
use bellwether_model::connection::Connection;
use bellwether_model::{Backup, Operation, OperationKind, OperationStatus};
use bellwether_testkit::Api;
use bellwether_testkit::docker::{container_of, inside};
use bellwether_testkit::wait::until;
use serde_json::json;

use super::replaced::{SOON, ask};
use super::scene::WORK_MAX;

/// Kills the primary's agent once the operation is past these steps.
async fn kill_agent_past(api: &Api, asked: &Operation, steps: &[&str]) -> anyhow::Result<()> {
    let primary = api.cluster("orders").await?.primary.context("a primary")?;
    let container = container_of(primary.as_str())?;
    until("it is under way", WORK_MAX, || async {
        let now: Operation = api.get(&format!("/v1/operations/{}", asked.id)).await?;
        let at = now.step_at().and_then(|at| now.steps.get(at)).context("it has ended")?;
        ensure!(!steps.contains(&at.name.as_str()), "at {}", at.name);
        println!("the agent is killed at `{}`", at.name);
        Ok(())
    })
    .await?;
    inside(&container, "pkill -KILL -f '(bellwether-agent|/proc/self/exe)'").ok();
    Ok(())
}

/// The primary has this at the addresses that were known before, and so has the replica once
/// everything is as it should be.
async fn until_whole<D: PartialEq + Debug>(
    api: &Api,
    kept: &Connection,
    digest: &impl AsyncFn(&Connection) -> anyhow::Result<D>,
    wanted: &D,
) -> anyhow::Result<()> {
    ensure!(digest(kept).await? == *wanted, "not what it was");
    api.healthy("orders", SOON).await?;
    let replica = Connection { read_write: kept.read_only.clone(), ..kept.clone() };
    ensure!(digest(&replica).await? == *wanted, "the replica has other data");
    Ok(())
}

/// Restores `backup`, of when the cluster had `before`, over what it has, and back.
pub(super) async fn goes_and_comes_back<D: PartialEq + Debug>(
    api: &Api,
    (backup, before): (&Backup, &D),
    digest: impl AsyncFn(&Connection) -> anyhow::Result<D>,
    write: impl AsyncFn() -> anyhow::Result<()>,
    is_let_in: impl AsyncFn() -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let kept = api.connection("orders").await?;
    let later = digest(&kept).await?;
    ensure!(later != *before, "it has been written to");
    let source = json!({ "source": { "backup": backup.id } });
    let restore = ask(api, "restore", source).await?;
    kill_agent_past(api, &restore, &["check", "back_up"]).await?;
    println!("{}", api.finish(restore.id.as_str(), WORK_MAX).await?.message);
    is_let_in().await.context("users stay")?;
    let shown = api.cluster("orders").await?.replaced.context("what was replaced is kept")?;
    let safety = shown.safety.context("what was there is stored")?;
    let safety: Backup = api.get(&format!("/v1/backups/{safety}")).await?;
    ensure!(safety.status == BackupStatus::Complete, "{safety:?}");
    until_whole(api, &kept, &digest, before).await?;
    write().await?;

    let again = ask(api, "undo_restore", json!({})).await?;
    kill_agent_past(api, &again, &["check", "bring"]).await?;
    println!("{}", api.finish(again.id.as_str(), WORK_MAX).await?.message);
    is_let_in().await.context("users stay")?;
    until_whole(api, &kept, &digest, &later).await?;

    let keep = ask(api, "keep_restored", json!({})).await?;
    api.finish(keep.id.as_str(), SOON).await?;
    for node in api.nodes("orders").await? {
        let left = inside(&container_of(node.id.as_str())?, "ls /data")?;
        ensure!(!left.contains("former") && !left.contains(".new"), "{}: {left}", node.name);
    }
    let all = api.operations("orders").await?;
    let failed = |one: &&Operation| one.status == OperationStatus::Failed;
    let wrong = all.iter().filter(failed).find(|one| one.kind != OperationKind::Backup);
    ensure!(wrong.is_none(), "{wrong:?}");
    Ok(())
}
