//! `bellwether operation …`

use bellwether_model::engine::LogUnit;
use bellwether_model::replication::Position;
use bellwether_model::{Bytes, Operation, StepState};
use clap::Subcommand;
use serde_json::Value;

use super::Context;
use super::failure::Result;
use super::output::{Format, or_dash, print, say, table, word};

/// What a report may hold, in the order in which it is told.
const REPORT: [(&str, &str); 23] = [
    ("evidence", "What was seen"),
    ("former_name", "Former primary"),
    ("former_position", "Its log, as last reported"),
    ("final_position", "Its log ended at"),
    ("candidate_name", "New primary"),
    ("candidate_position", "Its log reached"),
    ("term", "New term"),
    ("fence", "Why the former primary could not write"),
    ("missing_bytes", "Known to be lost"),
    ("unseen_ms", "May be lost besides: the last"),
    ("found_transactions", "Transactions that only the former primary held"),
    ("found_bytes", "In so much of its log"),
    ("found_in", "Kept on it in"),
    ("promised_ms", "Promises collected after"),
    ("fenced_ms", "Former primary fenced after"),
    ("drained_ms", "No transaction was open after"),
    ("surrendered_ms", "Role given up after"),
    ("serving_ms", "New primary served after"),
    ("write_gap_ms", "Writes waited"),
    ("gap_before_ms", "In the drill before"),
    ("whole_ms", "Whole again after"),
    ("redundancy_min", "Copies at the lowest point"),
    ("failure", "Why it failed"),
];

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
    /// Take back what was asked for at a later time
    Cancel { id: String },
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
        Command::Cancel { id } => show(context, &context.client.cancel_operation(&id).await?),
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
    let rule = match operation.rule {
        0 => String::new(),
        rule => format!(" (rule {rule})"),
    };
    say!(
        "{} of {}: {}, {}{rule} by {}",
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
    for (label, value) in report(&operation.state) {
        say!("{label}: {value}");
    }
    Ok(())
}

/// What the steps have learned, as lines for people.
fn report(state: &Value) -> Vec<(&'static str, String)> {
    let unit = state.get("unit").and_then(|unit| serde_json::from_value(unit.clone()).ok());
    let unit: LogUnit = unit.unwrap_or_default();
    let line = |(key, label): (&str, &'static str)| {
        Some((label, words(key, state.get(key)?, unit).filter(|words| !words.is_empty())?))
    };
    REPORT.into_iter().filter_map(line).collect()
}

fn words(key: &str, value: &Value, unit: LogUnit) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Object(_) => {
            let position: Position = serde_json::from_value(value.clone()).ok()?;
            Some(position.to_string())
        }
        Value::Number(number) => {
            let number = number.as_u64()?;
            Some(match key {
                "missing_bytes" if number == 0 => "nothing".to_owned(),
                "missing_bytes" | "rescued_bytes" if unit == LogUnit::Transactions => {
                    unit.words(number)
                }
                _ if key.ends_with("_bytes") => Bytes(number).to_string(),
                _ if key.ends_with("_ms") => format!("{number} ms"),
                // Term 0 is before the first primary: nothing was decided yet.
                "term" if number == 0 => return None,
                _ => number.to_string(),
            })
        }
        _ => None,
    }
}
