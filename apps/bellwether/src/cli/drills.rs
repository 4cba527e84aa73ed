//! `bellwether drill …`: the change of primary, tried on demand or on schedule.

use bellwether_model::OperationKind;
use bellwether_model::cluster::ClusterChange;
use bellwether_model::drill::{DrillKind, DrillSchedule, DrillView};
use bellwether_model::operation::NewOperation;
use clap::{Args, Subcommand, ValueEnum};

use super::failure::Result;
use super::output::{Format, or_dash, print, say, table, word};
use super::reports::loss;
use super::{Acting, Context};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Try the change of primary now, and measure how long writes wait
    Run(Run),
    /// List the drills of a cluster
    List { cluster: String },
    /// Let drills begin by themselves, or no more
    Schedule(Schedule),
}

#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    /// The primary hands over as planned; clients wait
    Switchover,
    /// The primary's engine is killed; a replica takes over as in earnest
    Failover,
}

impl From<Kind> for DrillKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Switchover => Self::Switchover,
            Kind::Failover => Self::Failover,
        }
    }
}

#[derive(Args)]
pub(crate) struct Run {
    cluster: String,
    /// What is tried
    #[arg(long, value_enum, default_value = "switchover")]
    kind: Kind,
    /// A failover also in asynchronous replication, where it may lose what was acknowledged last
    #[arg(long)]
    allow_loss: bool,
    #[command(flatten)]
    acting: Acting,
}

#[derive(Args)]
pub(crate) struct Schedule {
    cluster: String,
    /// When, in UTC, as cron has it: "0 4 * * 0" is every Sunday at four
    #[arg(required_unless_present = "off")]
    schedule: Option<String>,
    /// What is tried
    #[arg(long, value_enum, default_value = "switchover")]
    kind: Kind,
    /// A failover also in asynchronous replication, where it may lose what was acknowledged last
    #[arg(long)]
    allow_loss: bool,
    /// No drill begins by itself any more
    #[arg(long, conflicts_with_all = ["schedule", "allow_loss"])]
    off: bool,
}

pub(super) async fn run(context: &Context, command: Command) -> Result {
    match command {
        Command::Run(run) => run_now(context, run).await,
        Command::List { cluster } => list(context, &cluster).await,
        Command::Schedule(schedule) => set_schedule(context, schedule).await,
    }
}

async fn run_now(context: &Context, run: Run) -> Result {
    let request = NewOperation {
        drill: Some(run.kind.into()),
        allow_loss: run.allow_loss,
        ..NewOperation::of(OperationKind::Drill, None)
    };
    let plan = context.client.plan(&run.cluster, &request).await?;
    if run.acting.plan {
        return context.show_plan(&plan);
    }
    super::refuse_refused(&plan)?;
    if !run.acting.yes {
        context.explain(&plan);
        context.confirm(&run.acting, "Go on?")?;
    }
    let operation = context.client.operate(&run.cluster, &request).await?;
    context.follow(operation, &run.acting).await
}

async fn list(context: &Context, cluster: &str) -> Result {
    let drills = context.client.drills(cluster).await?;
    if context.format != Format::Table {
        return print(context.format, &drills);
    }
    let heads = ["id", "drill", "status", "writes waited", "lost", "whole after", "by", "began"];
    table(&heads, drills.iter().map(row).collect());
    Ok(())
}

fn row(drill: &DrillView) -> Vec<String> {
    let ms = |ms: Option<u64>| or_dash(ms.map(|ms| format!("{ms} ms")));
    vec![
        drill.id.to_string(),
        drill.kind.word().to_owned(),
        word(&drill.status),
        ms(drill.write_gap_ms),
        or_dash(drill.loss.map(loss)),
        ms(drill.whole_ms),
        drill.started_by.clone(),
        drill.created_at.to_string(),
    ]
}

async fn set_schedule(context: &Context, wanted: Schedule) -> Result {
    let drill = wanted.schedule.filter(|_| !wanted.off).map(|schedule| DrillSchedule {
        schedule,
        kind: wanted.kind.into(),
        allow_loss: wanted.allow_loss,
    });
    let known = context.client.cluster(&wanted.cluster).await?;
    let change = ClusterChange { drill: Some(drill), ..ClusterChange::default() };
    let changed = context.client.change_cluster(&known.name, known.generation, &change).await?;
    if context.format != Format::Table {
        return print(context.format, &changed);
    }
    match changed.next_drill_at {
        Some(next) => say!("{}: the next drill is due at {next}", changed.name),
        None => say!("{}: no drill begins by itself", changed.name),
    }
    Ok(())
}
