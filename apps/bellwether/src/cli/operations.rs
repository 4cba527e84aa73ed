//! `bellwether operation …`

use bellwether_model::{Operation, StepState};
use clap::Subcommand;

use super::Context;
use super::failure::Result;
use super::output::{Format, or_dash, print, say, table, word};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// List the newest operations
    List {
        /// Only of this cluster
        #[arg(long)]
        cluster: Option<String>,
    },
    /// Show an operation with its steps
    Show { id: String },
    /// Follow an operation to its end
    Watch {
        id: String,
        /// Wait at most so many seconds
        #[arg(long, value_name = "SECONDS", default_value = "900")]
        timeout: u64,
    },
}

pub(super) async fn run(context: &Context, command: Command) -> Result {
    match command {
        Command::List { cluster } => {
            let operations = context.client.operations(cluster.as_deref()).await?;
            if context.format != Format::Table {
                return print(context.format, &operations);
            }
            let heads = ["id", "cluster", "operation", "node", "status", "by", "began"];
            table(&heads, operations.iter().map(row).collect());
            Ok(())
        }
        Command::Show { id } => show(context, &context.client.operation(&id).await?),
        Command::Watch { id, timeout } => {
            let operation = context.wait_for(&id, timeout).await?;
            show(context, &operation)
        }
    }
}

fn row(operation: &Operation) -> Vec<String> {
    vec![
        operation.id.to_string(),
        operation.cluster_name.clone(),
        operation.kind.title().to_owned(),
        or_dash(operation.node_name.clone()),
        word(&operation.status),
        operation.started_by.clone(),
        operation.created_at.to_string(),
    ]
}

fn show(context: &Context, operation: &Operation) -> Result {
    if context.format != Format::Table {
        return print(context.format, operation);
    }
    say!(
        "{} of {}: {}, {} by {}",
        operation.kind.title(),
        operation.cluster_name,
        word(&operation.status),
        operation.reason,
        operation.started_by
    );
    if !operation.message.is_empty() {
        say!("{}", operation.message);
    }
    for step in &operation.steps {
        let mark = match step.state {
            StepState::Done => "✓",
            StepState::Failed => "✗",
            StepState::Running => "…",
            StepState::Pending | StepState::Skipped => "-",
        };
        let took = step.started_at.zip(step.ended_at).map(|(from, to)| to.millis_since(from));
        let took = took.map_or(String::new(), |ms| format!("  {ms} ms"));
        let message =
            if step.message.is_empty() { String::new() } else { format!(": {}", step.message) };
        say!("  {mark} {}{message}{took}", step.title);
    }
    Ok(())
}
