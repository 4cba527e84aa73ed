//! `bellwether apply -f FILE`: what a file asks for is created or changed; nothing is ever deleted.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::PathBuf;

use bellwether_model::allowlist::{self, AllowEntry};
use bellwether_model::cluster::ClusterChange;
use bellwether_model::drill::DrillSchedule;
use bellwether_model::parameter::ParameterText;
use bellwether_model::plan::Plan;
use bellwether_model::schedule::BackupSchedule;
use bellwether_model::{ClusterSpec, ClusterView, Parameters};
use clap::Args;
use serde::{Deserialize, Serialize};

use super::failure::{Failure, Result};
use super::output::{Format, print, say, word};
use super::{Acting, Context, clusters, parameters};

#[derive(Args)]
pub(crate) struct Apply {
    /// A YAML file of clusters, or - for standard input
    #[arg(short, long, value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    acting: Acting,
}

/// What shall be done with one cluster.
#[derive(Serialize)]
struct Work {
    cluster: String,
    action: Action,
    changes: Vec<Change>,
    /// Only with `--plan`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    plans: Vec<Plan>,
    #[serde(skip)]
    spec: ClusterSpec,
    #[serde(skip)]
    known: Option<ClusterView>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Action {
    Create,
    Change,
    None,
}

#[derive(Serialize)]
struct Change {
    field: String,
    from: String,
    to: String,
}

pub(super) async fn run(context: &Context, command: Apply) -> Result {
    let text = read(&command.file)?;
    let specs = parse(&text).map_err(|failure| failure.in_file(&command.file))?;
    // Everything is looked at before anything is changed.
    let mut all = Vec::new();
    for spec in specs {
        all.push(look(context, spec).await?);
    }
    if command.acting.plan {
        return plan(context, all).await;
    }
    let diff: Vec<String> = all.iter().flat_map(Work::lines).collect();
    match context.format {
        Format::Table => say!("{}", diff.join("\n")),
        _ => eprintln!("{}", diff.join("\n")),
    }
    if all.iter().any(|work| work.action != Action::None) {
        context.confirm(&command.acting, "Apply?")?;
    }
    let mut clusters = Vec::new();
    for work in all {
        clusters.extend(act(context, work, &command.acting).await?);
    }
    if context.format == Format::Table { Ok(()) } else { print(context.format, &clusters) }
}

async fn look(context: &Context, spec: ClusterSpec) -> Result<Work> {
    let known = match context.client.cluster(&spec.name).await {
        Ok(known) => Some(known),
        Err(bellwether_client::Error::Refused(problem)) if problem.status == 404 => None,
        Err(error) => return Err(error.into()),
    };
    let mut spec = spec;
    if let Some(entries) = &mut spec.allowlist {
        allowlist::canonicalise(entries);
    }
    if let Some(known) = &known {
        refuse_impossible(&spec, known)?;
        spec.parameters = canonical(context, &spec, known).await?;
    }
    let changes = known.as_ref().map(|known| changes(&spec, &known.spec)).unwrap_or_default();
    let action = match (&known, changes.is_empty()) {
        (None, _) => Action::Create,
        (Some(_), false) => Action::Change,
        (Some(_), true) => Action::None,
    };
    Ok(Work { cluster: spec.name.clone(), action, changes, plans: Vec::new(), spec, known })
}

/// Asks the server what would be done, and whether it could be.
async fn plan(context: &Context, mut all: Vec<Work>) -> Result {
    for work in &mut all {
        work.plans = match &work.known {
            None => vec![context.client.plan_creation(&work.spec).await?],
            Some(known) if work.action == Action::Change => {
                let change = change_to(&work.spec, &known.spec);
                context.client.plan_change(&known.name, known.generation, &change).await?
            }
            Some(_) => Vec::new(),
        };
    }
    if context.format != Format::Table {
        return print(context.format, &all);
    }
    for work in &all {
        say!("{}", work.lines().join("\n"));
        for plan in &work.plans {
            say!("  {}", plan.summary);
        }
    }
    Ok(())
}

/// Does it. The cluster as it is then, where it was not shown.
async fn act(context: &Context, work: Work, acting: &Acting) -> Result<Option<ClusterView>> {
    let cluster = match (work.action, work.known) {
        (Action::Change, Some(known)) => change(context, &work.spec, &known, acting).await?,
        (_, Some(known)) => return Ok(Some(known)),
        (_, None) => clusters::create_from(context, &work.spec, acting).await?,
    };
    if context.format == Format::Table {
        say!("{}: {}", cluster.name, cluster.sentence);
    }
    Ok(Some(cluster))
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

/// What is looked at first.
#[derive(Deserialize)]
struct Head {
    kind: Option<String>,
}

/// A document that says what it is.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(rename = "kind")]
    _kind: String,
    spec: ClusterSpec,
}

/// The documents of a file: `kind: Cluster` with a `spec`, or a spec alone.
fn parse(text: &str) -> Result<Vec<ClusterSpec>> {
    let mut specs: Vec<ClusterSpec> = Vec::new();
    // Read twice: what a document is decides how it is read, and only what is read from the text
    // itself knows the line that is wrong.
    let documents = serde_yaml_ng::Deserializer::from_str(text);
    let again = serde_yaml_ng::Deserializer::from_str(text);
    for (number, (document, again)) in documents.zip(again).enumerate() {
        let number = number + 1;
        let wrong = |error: String| Failure::usage(format!("document {number}: {error}"));
        let misread = |error: serde_yaml_ng::Error| wrong(error.to_string());
        let Some(head) = Option::<Head>::deserialize(document).map_err(misread)? else { continue };
        let spec = match head.kind.as_deref() {
            Some("Cluster") => Document::deserialize(again).map_err(misread)?.spec,
            Some(other) => {
                return Err(wrong(format!("`kind: {other}` is not known; use Cluster")));
            }
            None => ClusterSpec::deserialize(again).map_err(misread)?,
        };
        if specs.iter().any(|known| known.name == spec.name) {
            return Err(wrong(format!("name: {} is asked for twice", spec.name)));
        }
        specs.push(spec);
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
        ("shards", (spec.shards > 0) != (known.spec.shards > 0)),
        ("multi_primary", spec.multi_primary != known.spec.multi_primary),
        ("project", spec.project != known.spec.project),
        ("apart", spec.apart != known.spec.apart),
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

fn changes(spec: &ClusterSpec, now: &ClusterSpec) -> Vec<Change> {
    let mut all: Vec<Change> = [
        ("nodes", now.nodes.to_string(), spec.nodes.to_string()),
        ("shards", now.shards.to_string(), spec.shards.to_string()),
        ("size", now.size.to_string(), spec.size.to_string()),
        ("replication", now.replication.to_string(), spec.replication.to_string()),
        ("timers", word(&now.timers), word(&spec.timers)),
        ("drill", drill(&now.drill), drill(&spec.drill)),
        // A file that does not speak of these leaves them as they are.
        ("protected", now.protected.to_string(), (now.protected || spec.protected).to_string()),
        (
            "backup",
            backup(&now.backup),
            backup(spec.backup.as_ref().map_or(&now.backup, |_| &spec.backup)),
        ),
        (
            "allowlist",
            listed(&now.allowlist),
            listed(spec.allowlist.as_ref().map_or(&now.allowlist, |_| &spec.allowlist)),
        ),
    ]
    .into_iter()
    .filter(|(_, from, to)| from != to)
    .map(|(field, from, to)| Change { field: field.to_owned(), from, to })
    .collect();
    let shown = |chosen: &Parameters, name: &str| {
        chosen.get(name).map_or_else(|| "default".to_owned(), ToString::to_string)
    };
    let names: BTreeSet<&String> = spec.parameters.keys().chain(now.parameters.keys()).collect();
    all.extend(names.into_iter().filter_map(|name| {
        let (from, to) = (shown(&now.parameters, name), shown(&spec.parameters, name));
        (from != to).then(|| Change { field: format!("parameters.{name}"), from, to })
    }));
    all
}

/// The settings of the file, each written as the server writes it; what cannot be had stays as it
/// is, for the server to refuse.
async fn canonical(
    context: &Context,
    spec: &ClusterSpec,
    known: &ClusterView,
) -> Result<Parameters> {
    if spec.parameters.is_empty() {
        return Ok(Parameters::new());
    }
    let engine = context.client.engine(&spec.engine).await?;
    let written = spec.parameters.iter().map(|(name, text)| {
        let mut all = engine.parameters_of(&known.spec.version);
        let parameter = all.find(|parameter| parameter.name == *name);
        let value = parameter.and_then(|one| one.canonical(&text.0, &known.spec.size).ok());
        (name.clone(), value.map_or_else(|| text.clone(), ParameterText))
    });
    Ok(written.collect())
}

fn backup(of: &Option<BackupSchedule>) -> String {
    of.as_ref()
        .map_or_else(|| "none".to_owned(), |of| serde_json::to_string(of).expect("plain data"))
}

fn listed(of: &Option<Vec<AllowEntry>>) -> String {
    let Some(entries) = of else { return "everybody".to_owned() };
    let word = |entry: &AllowEntry| {
        let until = entry.expires_at.map(|at| format!(" until {at}")).unwrap_or_default();
        let note = if entry.note.is_empty() { String::new() } else { format!(" ({})", entry.note) };
        format!("{}{until}{note}", entry.address)
    };
    let words: Vec<String> = entries.iter().map(word).collect();
    if words.is_empty() { "nobody".to_owned() } else { words.join(", ") }
}

fn drill(of: &Option<DrillSchedule>) -> String {
    match of {
        None => "none".to_owned(),
        Some(of) if of.allow_loss => format!("{} at {}, loss allowed", of.kind.word(), of.schedule),
        Some(of) => format!("{} at {}", of.kind.word(), of.schedule),
    }
}

impl Work {
    /// What would change, for people.
    fn lines(&self) -> Vec<String> {
        let (name, spec) = (&self.cluster, &self.spec);
        let change = |change: &Change| {
            let Change { field, from, to } = change;
            format!("~ {name}: {field} {from} → {to}")
        };
        match self.action {
            Action::None => vec![format!("= {name}: as it is")],
            Action::Change => self.changes.iter().map(change).collect(),
            Action::Create => vec![format!(
                "+ {name}: {} with {} nodes, {}",
                spec.engine,
                spec.nodes,
                clusters::replication_in_words(spec)
            )],
        }
    }
}

fn change_to(spec: &ClusterSpec, now: &ClusterSpec) -> ClusterChange {
    ClusterChange {
        replication: Some(spec.replication),
        timers: Some(spec.timers),
        nodes: Some(spec.nodes),
        shards: Some(spec.shards).filter(|shards| *shards != now.shards),
        size: Some(spec.size).filter(|size| *size != now.size),
        allow_waiting: false,
        parameters: Some(spec.parameters.clone()),
        drill: Some(spec.drill.clone()),
        protected: spec.protected.then_some(true),
        backup: spec.backup.clone().map(Some),
        allowlist: spec.allowlist.clone(),
    }
}

async fn change(
    context: &Context,
    spec: &ClusterSpec,
    known: &ClusterView,
    acting: &Acting,
) -> Result<ClusterView> {
    let change = change_to(spec, &known.spec);
    let changed = context.client.change_cluster(&known.name, known.generation, &change).await?;
    if !acting.wait {
        return Ok(changed);
    }
    if spec.parameters != known.spec.parameters
        && let Some(operation) = parameters::operation_of(context, &known.name).await?
    {
        context.wait_for(operation.id.as_str(), acting.timeout).await?;
    }
    if change.shards.is_some() {
        context.wait_for_shards(changed, acting.timeout).await?;
    }
    let changed = context.wait_for_nodes(&known.name, acting.timeout).await?;
    match change.size {
        Some(_) => context.wait_for_size(changed, acting.timeout).await,
        None => Ok(changed),
    }
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
