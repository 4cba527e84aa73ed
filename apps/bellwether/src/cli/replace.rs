//! `bellwether cluster restore …`: a backup takes the place of a cluster's data.

use bellwether_model::operation::NewOperation;
use bellwether_model::restore::Source;
use bellwether_model::{OperationKind, Timestamp};
use clap::Args;

use super::failure::{Failure, Result};
use super::restore::moment;
use super::{Acting, Context};

#[derive(Args)]
pub(crate) struct Restore {
    cluster: String,
    /// The backup, by its id
    backup: String,
    /// A moment after the backup, like 2026-03-01T12:00:00Z: what was committed until then
    #[arg(long, value_name = "MOMENT", value_parser = moment)]
    at: Option<Timestamp>,
    /// Where what is there now is stored first; the schedule's, or the only one, when left out
    #[arg(long)]
    repository: Option<String>,
    /// Do not store what is there now in a backup first
    #[arg(long, conflicts_with = "repository")]
    without_backup: bool,
    /// Go on also where writes wait until replicas are copied anew
    #[arg(long)]
    allow_waiting: bool,
    #[command(flatten)]
    acting: Acting,
}

#[derive(Args)]
pub(crate) struct Undo {
    cluster: String,
    /// Go on also where writes wait until replicas are copied anew
    #[arg(long)]
    allow_waiting: bool,
    #[command(flatten)]
    acting: Acting,
}

pub(super) async fn restore(context: &Context, restore: Restore) -> Result {
    let request = NewOperation {
        source: Some(Source { backup: restore.backup.as_str().into(), at: restore.at }),
        repository: restore.repository,
        without_backup: restore.without_backup,
        allow_waiting: restore.allow_waiting,
        ..NewOperation::of(OperationKind::Restore, None)
    };
    run(context, &restore.cluster, request, &restore.acting).await
}

pub(super) async fn undo(context: &Context, undo: Undo) -> Result {
    let request = NewOperation {
        allow_waiting: undo.allow_waiting,
        ..NewOperation::of(OperationKind::UndoRestore, None)
    };
    run(context, &undo.cluster, request, &undo.acting).await
}

pub(super) async fn keep(context: &Context, cluster: &str, acting: &Acting) -> Result {
    run(context, cluster, NewOperation::of(OperationKind::KeepRestored, None), acting).await
}

async fn run(
    context: &Context,
    cluster: &str,
    mut request: NewOperation,
    acting: &Acting,
) -> Result {
    let name = context.client.cluster(cluster).await?.name;
    let plan = context.client.plan(&name, &request).await?;
    if acting.plan {
        return context.show_plan(&plan);
    }
    super::refuse_refused(&plan)?;
    if !acting.yes {
        context.explain(&plan);
        let answer = context.ask(&format!("Type {name} to go on: "))?;
        if answer.trim() != name {
            return Err(Failure::usage("nothing was done"));
        }
    }
    request.confirm = Some(name.clone());
    let operation = context.client.operate(&name, &request).await?;
    context.follow(operation, acting).await
}
