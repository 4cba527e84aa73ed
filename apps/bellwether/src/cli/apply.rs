//! `bellwether apply -f FILE`: what a file asks for is created or changed; nothing is ever deleted.

use std::io::Read as _;
use std::path::PathBuf;

use bellwether_model::cluster::ClusterChange;
use bellwether_model::{ClusterSpec, ClusterView};
use clap::Args;
use serde::Deserialize as _;

use super::failure::{Failure, Result};
use super::{Acting, Context, clusters};

#[derive(Args)]
pub(crate) struct Apply {
    /// A YAML file of clusters, or - for standard input
    #[arg(short, long, value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    acting: Acting,
}

pub(super) async fn run(context: &Context, command: Apply) -> Result {
    let text = read(&command.file)?;
    let specs = parse(&text)?;
    // Everything is looked at before anything is changed.
    let mut work = Vec::new();
    for spec in specs {
        let known = match context.client.cluster(&spec.name).await {
            Ok(known) => Some(known),
            Err(bellwether_client::Error::Refused(problem)) if problem.status == 404 => None,
            Err(error) => return Err(error.into()),
        };
        if let Some(known) = &known {
            refuse_impossible(&spec, known)?;
        }
        work.push((spec, known));
    }
    let mut has_changes = false;
    for (spec, known) in &work {
        has_changes |= show_diff(spec, known.as_ref());
    }
    if command.acting.plan || !has_changes {
        return Ok(());
    }
    context.confirm(&command.acting, "Apply?")?;
    for (spec, known) in work {
        match known {
            None => clusters::create_from(context, &spec, &command.acting).await?,
            Some(known) => change(context, &spec, &known).await?,
        }
    }
    Ok(())
}

fn read(path: &PathBuf) -> Result<String> {
    let failed = |error: std::io::Error| Failure::usage(format!("{}: {error}", path.display()));
    if path.as_os_str() == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map_err(failed)?;
        return Ok(text);
    }
    std::fs::read_to_string(path).map_err(failed)
}

/// The documents of a file: `kind: Cluster` with a `spec`, or a spec alone.
fn parse(text: &str) -> Result<Vec<ClusterSpec>> {
    let mut specs = Vec::new();
    for (number, document) in serde_yaml_ng::Deserializer::from_str(text).enumerate() {
        let number = number + 1;
        let wrong = |error: String| Failure::usage(format!("document {number}: {error}"));
        let value =
            serde_yaml_ng::Value::deserialize(document).map_err(|e| wrong(e.to_string()))?;
        if value.is_null() {
            continue;
        }
        let kind = value.get("kind").and_then(|kind| kind.as_str());
        let spec = match kind {
            Some("Cluster") => {
                value.get("spec").cloned().ok_or_else(|| wrong("`spec` is missing".to_owned()))?
            }
            Some(other) => {
                return Err(wrong(format!("`kind: {other}` is not known; use Cluster")));
            }
            None => value,
        };
        specs.push(serde_yaml_ng::from_value(spec).map_err(|e| wrong(e.to_string()))?);
    }
    if specs.is_empty() {
        return Err(Failure::usage("the file has no cluster"));
    }
    Ok(specs)
}

/// What cannot be changed on a cluster that exists.
fn refuse_impossible(spec: &ClusterSpec, known: &ClusterView) -> Result {
    let version = if spec.version.is_empty() { &known.spec.version } else { &spec.version };
    let differs = [
        ("engine", spec.engine != known.spec.engine),
        ("version", *version != known.spec.version),
        ("provider", spec.provider != known.spec.provider),
        ("size", spec.size != known.spec.size),
    ];
    let fields: Vec<&str> = differs.iter().filter(|(_, is)| *is).map(|(name, _)| *name).collect();
    if fields.is_empty() {
        return Ok(());
    }
    Err(Failure::refused(format!(
        "{}: {} cannot be changed on a cluster that exists",
        spec.name,
        fields.join(", ")
    ))
    .hint("create another cluster, or set the field back"))
}

/// Shows what would change; whether anything would.
fn show_diff(spec: &ClusterSpec, known: Option<&ClusterView>) -> bool {
    let Some(known) = known else {
        println!(
            "+ {}: {} with {} nodes, replication {}",
            spec.name, spec.engine, spec.nodes, spec.replication
        );
        return true;
    };
    let now = &known.spec;
    let lines = [
        ("nodes", now.nodes.to_string(), spec.nodes.to_string()),
        ("replication", now.replication.to_string(), spec.replication.to_string()),
        ("timers", super::output::word(&now.timers), super::output::word(&spec.timers)),
    ];
    let changed: Vec<_> = lines.iter().filter(|(_, from, to)| from != to).collect();
    if changed.is_empty() {
        println!("= {}: as it is", spec.name);
    }
    for (field, from, to) in &changed {
        println!("~ {}: {field} {from} → {to}", spec.name);
    }
    !changed.is_empty()
}

async fn change(context: &Context, spec: &ClusterSpec, known: &ClusterView) -> Result {
    let change = ClusterChange {
        replication: Some(spec.replication),
        timers: Some(spec.timers),
        nodes: Some(spec.nodes),
    };
    let changed = context.client.change_cluster(&spec.name, known.generation, &change).await?;
    println!("{}: generation {}", changed.name, changed.generation);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_both_shapes_are_read() {
        let text = "
kind: Cluster
spec: { name: one, engine: postgresql, nodes: 3, replication: quorum(2) }
---
name: two
engine: postgresql
nodes: 1
size: { cpus: 1, memory: 1GiB, disk: 5GiB }
";
        let specs = parse(text).expect("read");
        let names: Vec<&str> = specs.iter().map(|spec| spec.name.as_str()).collect();
        assert_eq!(names, ["one", "two"]);
        assert_eq!(specs[0].replication.acks(), 2);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_document() {
        for (text, word) in [
            ("", "no cluster"),
            ("kind: Node", "Node"),
            ("kind: Cluster", "spec"),
            ("name: a\nengine: b\nnodes: 1\ncolour: red", "colour"),
            ("name: a\nengine: b\nnodes: many", "document 1"),
            ("{", "document 1"),
        ] {
            let failure = parse(text).expect_err(text);
            assert!(failure.text.contains(word), "{text}: {}", failure.text);
        }
    }
}
