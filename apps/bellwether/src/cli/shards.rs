//! `bellwether cluster reshard`

use std::time::{Duration, Instant};

use bellwether_model::cluster::ClusterChange;
use bellwether_model::{ClusterView, OperationKind, OperationStatus, Timestamp};
use clap::Args;

use super::failure::{Failure, Result};
use super::output::{Format, print, say};
use super::{Acting, Context};

const LOOK_EVERY: Duration = Duration::from_millis(500);

#[derive(Args)]
pub(crate) struct Reshard {
    cluster: String,
    /// The number of shards wanted
    #[arg(long)]
    shards: u32,
    #[command(flatten)]
    acting: Acting,
}

pub(super) async fn run(context: &Context, command: Reshard) -> Result {
    let Reshard { cluster, shards, acting } = command;
    let known = context.client.cluster(&cluster).await?;
    let change = ClusterChange { shards: Some(shards), ..ClusterChange::default() };
    let plans = context.client.plan_change(&known.name, known.generation, &change).await?;
    let divided: Vec<_> =
        plans.into_iter().filter(|plan| plan.kind == OperationKind::Reshard).collect();
    if acting.plan {
        return divided.iter().try_for_each(|plan| context.show_plan(plan));
    }
    divided.iter().try_for_each(super::refuse_refused)?;
    if !acting.yes && !divided.is_empty() {
        divided.iter().for_each(|plan| context.explain(plan));
        context.confirm(&acting, "Go on?")?;
    }
    let changed = context.client.change_cluster(&known.name, known.generation, &change).await?;
    let changed =
        if acting.wait { context.wait_for_shards(changed, acting.timeout).await? } else { changed };
    match context.format {
        Format::Table => say!("{}: {}", changed.name, changed.sentence),
        _ => print(context.format, &changed)?,
    }
    Ok(())
}

impl Context {
    /// Waits until there are the shards that are asked for, and no slots on their way; a failure is
    /// the command's.
    pub(super) async fn wait_for_shards(
        &self,
        asked: ClusterView,
        seconds: u64,
    ) -> Result<ClusterView> {
        let began = Timestamp::now();
        let end = Instant::now() + Duration::from_secs(seconds);
        loop {
            let view = self.client.cluster(&asked.name).await?;
            let has_keys = view.shards.iter().all(|shard| !shard.slots.is_empty());
            let is_whole = view.shards.len() == view.spec.shards as usize && has_keys;
            if is_whole && view.operation.is_none() {
                return Ok(view);
            }
            let operations = self.client.operations(Some(&asked.name)).await?;
            let failed = operations.into_iter().find(|one| {
                one.kind == OperationKind::Reshard
                    && one.status == OperationStatus::Failed
                    && one.created_at >= began
            });
            if let Some(failed) = failed {
                return Err(Failure::refused(failed.message));
            }
            if Instant::now() > end {
                let state = format!("not done within {seconds} s: {}", view.sentence);
                let hint = format!("it goes on: `bellwether cluster show {}`", asked.name);
                return Err(Failure::timed_out(state).hint(hint));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}
