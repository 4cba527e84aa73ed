//! `bellwether cluster resize`

use std::time::{Duration, Instant};

use bellwether_model::cluster::ClusterChange;
use bellwether_model::{Bytes, ClusterView, NodeSize, OperationKind, OperationStatus, Timestamp};
use clap::Args;

use super::failure::{Failure, Result};
use super::output::{Format, print, say};
use super::{Acting, Context};

const LOOK_EVERY: Duration = Duration::from_millis(500);

#[derive(Args)]
pub(crate) struct Resize {
    cluster: String,
    /// Processor cores of each node; as they are when left out
    #[arg(long)]
    cpus: Option<f64>,
    /// Memory of each node
    #[arg(long)]
    memory: Option<Bytes>,
    /// Disk of each node; for a smaller one new nodes take the place of those that are there
    #[arg(long)]
    disk: Option<Bytes>,
    /// Go on also where writes wait meanwhile
    #[arg(long)]
    allow_waiting: bool,
    #[command(flatten)]
    acting: Acting,
}

pub(super) async fn run(context: &Context, command: Resize) -> Result {
    let Resize { cluster, cpus, memory, disk, allow_waiting, acting } = command;
    if cpus.is_none() && memory.is_none() && disk.is_none() {
        return Err(Failure::usage("say what shall change: --cpus, --memory or --disk"));
    }
    let known = context.client.cluster(&cluster).await?;
    let has = known.spec.size;
    let size = NodeSize {
        cpus: cpus.unwrap_or(has.cpus),
        memory: memory.unwrap_or(has.memory),
        disk: disk.unwrap_or(has.disk),
    };
    let change = ClusterChange { size: Some(size), allow_waiting, ..ClusterChange::default() };
    let plans = context.client.plan_change(&known.name, known.generation, &change).await?;
    let resized: Vec<_> = plans.into_iter().filter(|plan| changes_size(plan.kind)).collect();
    if acting.plan {
        return resized.iter().try_for_each(|plan| context.show_plan(plan));
    }
    resized.iter().try_for_each(super::refuse_refused)?;
    if !acting.yes && !resized.is_empty() {
        resized.iter().for_each(|plan| context.explain(plan));
        context.confirm(&acting, "Go on?")?;
    }
    let changed = context.client.change_cluster(&known.name, known.generation, &change).await?;
    let changed =
        if acting.wait { context.wait_for_size(changed, acting.timeout).await? } else { changed };
    match context.format {
        Format::Table => say!("{}: {}", changed.name, changed.sentence),
        _ => print(context.format, &changed)?,
    }
    Ok(())
}

/// Whether it may be what gives a node its size.
fn changes_size(kind: OperationKind) -> bool {
    matches!(kind, OperationKind::Resize | OperationKind::ReplaceNode)
}

impl Context {
    /// Waits until every node has the size that is asked for; a failure is the command's.
    pub(super) async fn wait_for_size(
        &self,
        asked: ClusterView,
        seconds: u64,
    ) -> Result<ClusterView> {
        let began = Timestamp::now();
        let end = Instant::now() + Duration::from_secs(seconds);
        let size = asked.spec.size;
        loop {
            let view = self.client.cluster(&asked.name).await?;
            let nodes = self.client.nodes(&asked.name).await?;
            if !nodes.iter().any(|node| node.size != size) && view.operation.is_none() {
                return Ok(view);
            }
            let operations = self.client.operations(Some(&asked.name)).await?;
            let failed = operations.into_iter().find(|one| {
                changes_size(one.kind)
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
