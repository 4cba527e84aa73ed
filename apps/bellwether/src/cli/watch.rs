//! Waiting for an operation, showing its steps as they go.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use bellwether_model::{ClusterView, Operation, OperationStatus, Step, StepState};
use indicatif::{ProgressBar, ProgressStyle};

use super::Context;
use super::failure::{Failure, Result};

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(150);

impl Context {
    /// Waits until a cluster has the nodes that were asked for, and all of them are well.
    pub(super) async fn wait_for_nodes(&self, cluster: &str, seconds: u64) -> Result<ClusterView> {
        let end = Instant::now() + Duration::from_secs(seconds);
        loop {
            let state = match self.client.cluster(cluster).await {
                Ok(view) if has_its_nodes(&view) => return Ok(view),
                Ok(view) => view.sentence,
                // The server may be started again meanwhile; the loop goes on then.
                Err(error @ bellwether_client::Error::Unreachable { .. }) => error.to_string(),
                Err(error) => return Err(error.into()),
            };
            if Instant::now() > end {
                let state = format!("not done within {seconds} s: {state}");
                return Err(Failure::timed_out(state)
                    .hint(format!("it goes on: `bellwether cluster show {cluster}`")));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Waits until the operation has ended; its failure is the command's.
    pub(super) async fn wait_for(&self, id: &str, seconds: u64) -> Result<Operation> {
        let end = Instant::now() + Duration::from_secs(seconds);
        let mut shown = Shown::new(self.quiet);
        let mut unreachable = 0;
        loop {
            let operation = match self.client.operation(id).await {
                Ok(operation) => operation,
                // The server may be started again meanwhile; the operation goes on.
                Err(bellwether_client::Error::Unreachable { .. }) if unreachable < 100 => {
                    unreachable += 1;
                    tokio::time::sleep(LOOK_EVERY).await;
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            unreachable = 0;
            shown.update(&operation);
            if operation.status.is_ended() {
                shown.finish();
                return match operation.status {
                    OperationStatus::Succeeded => Ok(operation),
                    _ => {
                        let title = operation.kind.title().to_lowercase();
                        let why = &operation.message;
                        Err(Failure::unexpected(format!("{title} did not succeed: {why}")))
                    }
                };
            }
            if Instant::now() > end {
                shown.finish();
                return Err(Failure::timed_out(format!("not done within {seconds} s"))
                    .hint(format!("it goes on: `bellwether operation watch {id}`")));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

fn has_its_nodes(view: &ClusterView) -> bool {
    view.operation.is_none()
        && view.nodes_total == view.spec.nodes * view.spec.shards.max(1)
        && view.nodes_healthy == view.nodes_total
}

struct Shown {
    bar: Option<ProgressBar>,
    done: usize,
    is_quiet: bool,
}

impl Shown {
    fn new(is_quiet: bool) -> Self {
        let bar = (!is_quiet && std::io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("  {spinner} {wide_msg}") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        Self { bar, done: 0, is_quiet }
    }

    fn update(&mut self, operation: &Operation) {
        for step in operation.steps.iter().skip(self.done) {
            if !matches!(step.state, StepState::Done | StepState::Failed | StepState::Skipped) {
                break;
            }
            self.done += 1;
            self.line(&ended(step));
        }
        if let (Some(bar), Some(index)) = (&self.bar, operation.step_at()) {
            let step = &operation.steps[index];
            let message = match step.message.as_str() {
                "" => step.title.clone(),
                message => format!("{}: {message}", step.title),
            };
            bar.set_message(message);
        }
    }

    fn line(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(text),
            None if !self.is_quiet => eprintln!("{text}"),
            None => {}
        }
    }

    fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn ended(step: &Step) -> String {
    let took = step.started_at.zip(step.ended_at).map(|(from, to)| to.millis_since(from));
    let took = took.map_or(String::new(), |ms| format!(" ({:.1} s)", ms as f64 / 1_000.0));
    match step.state {
        StepState::Failed => format!("  ✗ {}: {}", step.title, step.message),
        StepState::Skipped => format!("  - {} (not done)", step.title),
        _ => format!("  ✓ {}{took}", step.title),
    }
}
