//! `bellwether report …`: what a change of primary has seen, decided, taken and lost.

use bellwether_model::report::{Evidence, Loss, Report};
use clap::Subcommand;

use super::Context;
use super::failure::Result;
use super::output::{Format, or_dash, print, say, table, word};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// List the changes of primary of a cluster
    List { cluster: String },
    /// Show one, by the id of its operation
    Show { id: String },
}

pub(super) async fn run(context: &Context, command: Command) -> Result {
    match command {
        Command::List { cluster } => {
            let reports = context.client.reports(&cluster).await?;
            if context.format != Format::Table {
                return print(context.format, &reports);
            }
            let heads = ["id", "change", "from", "to", "writes waited", "lost", "status", "began"];
            table(&heads, reports.iter().map(row).collect());
            Ok(())
        }
        Command::Show { id } => {
            let report = context.client.report(&id).await?;
            if context.format != Format::Table {
                return print(context.format, &report);
            }
            show(&report);
            Ok(())
        }
    }
}

fn row(report: &Report) -> Vec<String> {
    vec![
        report.id.to_string(),
        report.kind.title().to_owned(),
        or_dash(report.from.clone()),
        or_dash(report.to.clone()),
        or_dash(report.write_gap_ms.map(|ms| format!("{ms} ms"))),
        loss(report.loss).to_owned(),
        word(&report.status),
        or_dash(report.started_at),
    ]
}

pub(super) fn loss(loss: Loss) -> &'static str {
    match loss {
        Loss::Nothing => "nothing",
        Loss::Range => "something",
        Loss::NotKnown => "not known",
    }
}

fn show(report: &Report) {
    let title = report.kind.title();
    let (from, to) = (or_dash(report.from.clone()), or_dash(report.to.clone()));
    say!("{title} of {} from {from} to {to}: {}", report.cluster_name, word(&report.status));
    if !report.message.is_empty() {
        say!("{}", report.message);
    }
    let decision = &report.decision;
    let rule = match decision.rule {
        0 => String::new(),
        rule => format!(" (rule {rule})"),
    };
    say!("Decided: {}{rule} by {}", decision.reason, decision.by);
    for (label, words) in [("Seen", &report.seen.sentence), ("Fence", &decision.fence)] {
        if !words.is_empty() {
            say!("{label}: {words}");
        }
    }
    if !decision.promised.is_empty() {
        say!("Promised by: {}", decision.promised.join(", "));
    }
    for phase in &report.timeline {
        say!("  {:>6} ms  {}", phase.ended_ms, phase.title);
    }
    match report.write_gap_ms {
        Some(ms) => say!("Writes waited: {ms} ms"),
        None => say!("Writes waited: not measured"),
    }
    for gap in &report.measured_by {
        let unsure = match gap.slack_ms {
            0 => String::new(),
            slack => format!(", perhaps {slack} ms less"),
        };
        say!("  at {}: {} ms{unsure}", gap.node_name, gap.ms);
    }
    say!("Lost: {}", report.loss_sentence);
    if let Some(rescued @ 1..) = report.rescued {
        say!("Taken from the disk of {from}: {}", report.unit.words(rescued));
    }
    if let Some(count) = report.found_transactions {
        say!("Transactions that only {from} held: {count}");
    }
    if let Some(evidence) = &report.seen.evidence {
        show_evidence(evidence);
    }
}

fn show_evidence(evidence: &Evidence) {
    let age = |ms: Option<u64>| or_dash(ms.map(|ms| format!("{ms} ms")));
    say!(
        "Evidence (silent after {} ms): {} reported {} ago",
        evidence.suspect_after_ms,
        evidence.node_name,
        age(evidence.report_age_ms)
    );
    let row = |witness: &bellwether_model::report::Witness| {
        vec![
            witness.node_name.clone(),
            if witness.votes { "yes" } else { "no" }.to_owned(),
            age(witness.lease_request_age_ms),
            age(witness.engine_message_age_ms),
            age(witness.report_age_ms),
        ]
    };
    let heads = ["witness", "votes", "lease request", "engine message", "own report"];
    table(&heads, evidence.witnesses.iter().map(row).collect());
}
