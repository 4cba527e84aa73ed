//! `bellwether node …`

use bellwether_model::engine::LogUnit;
use bellwether_model::operation::NewOperation;
use bellwether_model::{Bytes, NodeView, OperationKind, OperationStatus, Timestamp};
use clap::{Args, Subcommand};

use super::failure::{Failure, Result};
use super::output::{Format, or_dash, print, say, table, word};
use super::restore::moment;
use super::{Acting, Context};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// List the nodes of a cluster
    List { cluster: String },
    /// Show what only this node held when it came back as a former primary
    Diverged {
        node: String,
        #[arg(short, long)]
        cluster: String,
    },
    /// Add a replica
    Add {
        cluster: String,
        #[command(flatten)]
        acting: Acting,
    },
    /// Make a replica the primary
    Promote {
        cluster: String,
        node: String,
        /// End transactions that are still open instead of leaving the primary as it is
        #[arg(long)]
        end_transactions: bool,
        #[command(flatten)]
        acting: Acting,
    },
    /// Take a node out of service: no clients, no vote; its data is kept current
    Drain {
        cluster: String,
        node: String,
        /// Also where writes wait then, because too few replicas are left to confirm them
        #[arg(long)]
        allow_waiting: bool,
        #[command(flatten)]
        acting: Acting,
    },
    /// Take a drained node back into service
    Undrain {
        cluster: String,
        node: String,
        #[command(flatten)]
        acting: Acting,
    },
    /// Stop a node's machine and start it again; a primary hands over first
    Reboot {
        cluster: String,
        node: String,
        /// Also where writes wait meanwhile
        #[arg(long)]
        allow_waiting: bool,
        #[command(flatten)]
        later: Later,
        #[command(flatten)]
        acting: Acting,
    },
    /// Let a new node take the place of one, which goes when the new one has everything
    Replace {
        cluster: String,
        node: String,
        #[command(flatten)]
        acting: Acting,
    },
    /// Remove a replica with its data
    Remove {
        cluster: String,
        node: String,
        #[command(flatten)]
        acting: Acting,
    },
}

/// At what time.
#[derive(Args, Default)]
pub(crate) struct Later {
    /// Not now, but at this time, like 2030-01-31T03:00:00Z
    #[arg(long, value_name = "TIME", value_parser = moment, conflicts_with = "window")]
    at: Option<Timestamp>,
    /// Not now, but when this window begins the next time, as cron has it, in UTC: `0 3 * * 0`
    #[arg(long, value_name = "SCHEDULE")]
    window: Option<String>,
    /// Minutes in which it has to begin, or it does not
    #[arg(long, value_name = "MINUTES")]
    within: Option<u32>,
}

pub(super) async fn run(context: &Context, command: Command) -> Result {
    let (mut end_transactions, mut allow_waiting) = (false, false);
    let mut later = Later::default();
    let (kind, cluster, node, acting) = match command {
        Command::List { cluster } => return list(context, &cluster).await,
        Command::Diverged { node, cluster } => return diverged(context, &cluster, &node).await,
        Command::Add { cluster, acting } => (OperationKind::AddNode, cluster, None, acting),
        Command::Promote { cluster, node, end_transactions: ends, acting } => {
            end_transactions = ends;
            (OperationKind::Switchover, cluster, Some(node), acting)
        }
        Command::Drain { cluster, node, allow_waiting: waits, acting } => {
            allow_waiting = waits;
            (OperationKind::Drain, cluster, Some(node), acting)
        }
        Command::Undrain { cluster, node, acting } => {
            (OperationKind::Undrain, cluster, Some(node), acting)
        }
        Command::Reboot { cluster, node, allow_waiting: waits, later: when, acting } => {
            (allow_waiting, later) = (waits, when);
            (OperationKind::Reboot, cluster, Some(node), acting)
        }
        Command::Replace { cluster, node, acting } => {
            (OperationKind::ReplaceNode, cluster, Some(node), acting)
        }
        Command::Remove { cluster, node, acting } => {
            (OperationKind::RemoveNode, cluster, Some(node), acting)
        }
    };
    let request = NewOperation {
        end_transactions,
        allow_waiting,
        at: later.at,
        window: later.window,
        within_minutes: later.within,
        ..NewOperation::of(kind, node)
    };
    let plan = context.client.plan(&cluster, &request).await?;
    if acting.plan {
        return context.show_plan(&plan);
    }
    super::refuse_refused(&plan)?;
    let is_harmless = matches!(kind, OperationKind::AddNode | OperationKind::Undrain);
    if !is_harmless && !acting.yes {
        context.explain(&plan);
        context.confirm(&acting, "Go on?")?;
    }
    let operation = context.client.operate(&cluster, &request).await?;
    match (operation.status, context.format) {
        (OperationStatus::Scheduled, Format::Table) => {
            let (title, id) = (operation.kind.title(), &operation.id);
            let words = &operation.message;
            say!("{title}: {words}; `bellwether operation cancel {id}` takes it back");
            Ok(())
        }
        (OperationStatus::Scheduled, format) => print(format, &operation),
        _ => context.follow(operation, &acting).await,
    }
}

pub(super) async fn list(context: &Context, cluster: &str) -> Result {
    let nodes = context.client.nodes(cluster).await?;
    if context.format != Format::Table {
        return print(context.format, &nodes);
    }
    let heads = [
        "name", "role", "health", "state", "lag", "cpu", "memory", "disk", "full in", "address",
        "version",
    ];
    table(&heads, nodes.iter().map(row).collect());
    Ok(())
}

async fn diverged(context: &Context, cluster: &str, name: &str) -> Result {
    let nodes = context.client.nodes(cluster).await?;
    let is_named = |node: &&NodeView| node.name == name || node.id.as_str() == name;
    let Some(node) = nodes.iter().find(is_named) else {
        let names: Vec<_> = nodes.iter().map(|node| node.name.as_str()).collect();
        let words = format!("there is no node `{name}`; there are {}", names.join(", "));
        return Err(Failure::not_found(words));
    };
    if context.format != Format::Table {
        return print(context.format, &node.diverged);
    }
    if node.diverged.is_empty() {
        say!("{} keeps nothing that only it held.", node.name);
    }
    for (place, found) in node.diverged.iter().enumerate() {
        if place > 0 {
            say!();
        }
        say!("Term {}, found {}: {}", found.term, found.found_at, found.words());
        say!("  log      {} to {}", found.from, found.to);
        if let (Some(first), Some(last)) = (&found.first_commit, &found.last_commit) {
            say!("  commits  {first} to {last} UTC");
        }
        let records = found.records.iter().map(|(kind, count)| format!("{kind} {count}"));
        say!("  records  {}", records.collect::<Vec<_>>().join(", "));
        let cut = if found.is_cut { ", not all of it" } else { "" };
        let segments = found.segments;
        say!("  kept in  {} on the node, {segments} files of the log{cut}", found.directory);
    }
    Ok(())
}

/// How far it is behind, in what its engine's log counts.
fn lag_words(node: &NodeView) -> Option<String> {
    let bytes = node.lag_bytes.map(|bytes| Bytes(bytes).to_string());
    let words = |count| LogUnit::Transactions.words(count);
    bytes.or_else(|| node.lag_transactions.map(words))
}

fn row(node: &NodeView) -> Vec<String> {
    let share = |used: Option<u64>, all: Option<u64>| {
        used.zip(all).map(|(used, all)| format!("{} of {}", Bytes(used), Bytes(all)))
    };
    vec![
        node.name.clone(),
        word(&node.role),
        word(&node.health),
        node.state.clone(),
        or_dash(lag_words(node)),
        or_dash(node.cpu_percent.map(|percent| format!("{percent:.0} %"))),
        or_dash(share(node.memory_used, node.memory_limit)),
        or_dash(share(node.disk_used, node.disk_size)),
        or_dash(node.disk_full_in_days.map(|days| format!("{days} d"))),
        node.address.clone(),
        or_dash(node.engine_version.clone()),
    ]
}
