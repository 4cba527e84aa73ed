//! `bellwether schedule …`: backups that begin by themselves.

use bellwether_model::ClusterView;
use bellwether_model::cluster::ClusterChange;
use bellwether_model::schedule::{BackupSchedule, Retention};
use clap::{Args, Subcommand};

use super::Context;
use super::failure::Result;
use super::output::{Format, print, say};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Let backups begin by themselves
    Set(Set),
    /// Show when backups begin, and how the last ones went
    Show { cluster: String },
    /// Let no backup begin by itself any more
    Remove { cluster: String },
}

#[derive(Args)]
pub(crate) struct Set {
    cluster: String,
    /// hourly, daily, weekly, monthly, or as cron has it, in UTC
    schedule: String,
    #[arg(long)]
    repository: String,
    /// Keep the last so many
    #[arg(long, default_value = "3")]
    keep_last: u32,
    /// Keep the last of each of so many hours
    #[arg(long, default_value = "0")]
    keep_hourly: u32,
    /// Keep the last of each of so many days
    #[arg(long, default_value = "7")]
    keep_daily: u32,
    /// Keep the last of each of so many weeks
    #[arg(long, default_value = "4")]
    keep_weekly: u32,
    /// Keep the last of each of so many months
    #[arg(long, default_value = "6")]
    keep_monthly: u32,
    /// Keep the log, too, so that any moment can be restored
    #[arg(long)]
    point_in_time: bool,
    /// How many days back any moment can be restored
    #[arg(long, value_name = "DAYS", default_value = "7")]
    keep_log_days: u32,
    /// Kilobytes a second that are sent at most
    #[arg(long, value_name = "KIB", default_value = "0")]
    rate: u64,
    /// Restore every backup in a scratch node and look through it
    #[arg(long)]
    verify: bool,
}

pub(super) async fn run(context: &Context, command: Command) -> Result {
    match command {
        Command::Set(set) => {
            let schedule = BackupSchedule {
                schedule: set.schedule,
                repository: set.repository,
                keep: Retention {
                    last: set.keep_last,
                    hourly: set.keep_hourly,
                    daily: set.keep_daily,
                    weekly: set.keep_weekly,
                    monthly: set.keep_monthly,
                    log_days: set.keep_log_days,
                },
                rate_kib: set.rate,
                verify: set.verify,
                point_in_time: set.point_in_time,
            };
            change(context, &set.cluster, Some(schedule)).await
        }
        Command::Show { cluster } => show(context, &context.client.cluster(&cluster).await?),
        Command::Remove { cluster } => change(context, &cluster, None).await,
    }
}

async fn change(context: &Context, cluster: &str, backup: Option<BackupSchedule>) -> Result {
    let known = context.client.cluster(cluster).await?;
    let change = ClusterChange { backup: Some(backup), ..ClusterChange::default() };
    show(context, &context.client.change_cluster(&known.name, known.generation, &change).await?)
}

fn show(context: &Context, cluster: &ClusterView) -> Result {
    if context.format != Format::Table {
        return print(context.format, cluster);
    }
    let (name, standing) = (&cluster.name, &cluster.backup);
    match (&cluster.spec.backup, standing.next_at) {
        (Some(wanted), Some(next)) => {
            say!("{name}: {} to {}, next at {next}", wanted.schedule, wanted.repository);
            if wanted.point_in_time {
                let days = wanted.keep.log_days;
                say!("the log is kept: any moment of the last {days} days can be restored");
            }
        }
        _ => say!("{name}: no backup begins by itself"),
    }
    if let Some(at) = standing.recoverable_to {
        say!("recoverable up to {at}");
    }
    if let Some(at) = standing.proven_to {
        say!("proven up to {at}");
    }
    if let Some(ms) = standing.restore_ms {
        say!("restoring now would take about {} s", ms.div_ceil(1_000));
    }
    if !standing.problem.is_empty() {
        say!("problem: {}", standing.problem);
    }
    Ok(())
}
