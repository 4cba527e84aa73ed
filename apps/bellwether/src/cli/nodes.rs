//! `bellwether node …`

use bellwether_model::operation::NewOperation;
use bellwether_model::{Bytes, NodeView, OperationKind};
use clap::Subcommand;

use super::failure::Result;
use super::output::{Format, or_dash, print, table, word};
use super::{Acting, Context};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// List the nodes of a cluster
    List { cluster: String },
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

pub(super) async fn run(context: &Context, command: Command) -> Result {
    let (kind, cluster, node, acting) = match command {
        Command::List { cluster } => return list(context, &cluster).await,
        Command::Add { cluster, acting } => (OperationKind::AddNode, cluster, None, acting),
        Command::Promote { cluster, node, acting } => {
            (OperationKind::Switchover, cluster, Some(node), acting)
        }
        Command::Remove { cluster, node, acting } => {
            (OperationKind::RemoveNode, cluster, Some(node), acting)
        }
    };
    let request = NewOperation::of(kind, node);
    let plan = context.client.plan(&cluster, &request).await?;
    if acting.plan {
        return context.show_plan(&plan);
    }
    super::refuse_refused(&plan)?;
    if kind != OperationKind::AddNode && !acting.yes {
        context.explain(&plan);
        context.confirm(&acting, "Go on?")?;
    }
    let operation = context.client.operate(&cluster, &request).await?;
    context.follow(operation, &acting).await
}

pub(super) async fn list(context: &Context, cluster: &str) -> Result {
    let nodes = context.client.nodes(cluster).await?;
    if context.format != Format::Table {
        return print(context.format, &nodes);
    }
    let heads =
        ["name", "role", "health", "state", "lag", "cpu", "memory", "disk", "address", "version"];
    table(&heads, nodes.iter().map(row).collect());
    Ok(())
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
        or_dash(node.lag_bytes.map(Bytes)),
        or_dash(node.cpu_percent.map(|percent| format!("{percent:.0} %"))),
        or_dash(share(node.memory_used, node.memory_limit)),
        or_dash(share(node.disk_used, node.disk_size)),
        node.address.clone(),
        or_dash(node.engine_version.clone()),
    ]
}
