//! `bellwether parameter …`

use bellwether_model::cluster::ClusterChange;
use bellwether_model::parameter::ParameterText;
use bellwether_model::settings::ParameterView;
use bellwether_model::{ClusterView, Operation, OperationKind, Parameters};
use clap::Subcommand;

use super::failure::{Failure, Result};
use super::output::{Format, print, say, table};
use super::{Acting, Context};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// List the settings of a cluster's engine: values, defaults, limits
    List {
        cluster: String,
        /// Only those that somebody chose, or that are not in force everywhere
        #[arg(long)]
        chosen: bool,
    },
    /// Change settings: NAME=VALUE, any number of them at once
    Set {
        cluster: String,
        #[arg(required = true, value_name = "NAME=VALUE", value_parser = assignment)]
        values: Vec<(String, String)>,
        #[command(flatten)]
        acting: Acting,
    },
    /// Give settings their defaults again
    Reset {
        cluster: String,
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
        #[command(flatten)]
        acting: Acting,
    },
}

/// `NAME=VALUE`.
pub(super) fn assignment(text: &str) -> std::result::Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    let (name, value) = (name.trim(), value.trim());
    if name.is_empty() || value.is_empty() {
        return Err("write NAME=VALUE".to_owned());
    }
    Ok((name.to_owned(), value.to_owned()))
}

/// Several of them, the last of a name counts.
pub(super) fn chosen(values: Vec<(String, String)>) -> Parameters {
    values.into_iter().map(|(name, value)| (name, ParameterText(value))).collect()
}

pub(super) async fn run(context: &Context, command: Command) -> Result {
    match command {
        Command::List { cluster, chosen } => list(context, &cluster, chosen).await,
        Command::Set { cluster, values, acting } => {
            let known = context.client.cluster(&cluster).await?;
            let mut parameters = known.spec.parameters.clone();
            parameters.extend(chosen(values));
            change(context, &known, parameters, &acting).await
        }
        Command::Reset { cluster, names, acting } => {
            let known = context.client.cluster(&cluster).await?;
            let mut parameters = known.spec.parameters.clone();
            for name in &names {
                if parameters.remove(name).is_none() {
                    return Err(Failure::usage(format!(
                        "{name} is not chosen on {cluster}: it has its default"
                    )));
                }
            }
            change(context, &known, parameters, &acting).await
        }
    }
}

async fn list(context: &Context, cluster: &str, chosen: bool) -> Result {
    let mut all = context.client.parameters(cluster).await?;
    all.retain(|one| !chosen || one.chosen || !one.differs.is_empty());
    if context.format != Format::Table {
        return print(context.format, &all);
    }
    let rows = all.iter().map(row).collect();
    table(&["name", "value", "default", "possible", "restart", "in force"], rows);
    Ok(())
}

fn row(one: &ParameterView) -> Vec<String> {
    let differs = one.differs.iter().map(|drift| {
        let waits = if drift.needs_restart { ", waits for a restart" } else { "" };
        format!("{} on {}{waits}", drift.in_force, drift.node)
    });
    let differs: Vec<String> = differs.collect();
    vec![
        one.name.clone(),
        if one.chosen { one.value.clone() } else { format!("{} (default)", one.value) },
        one.default.clone(),
        one.range.clone(),
        if one.restart { "yes" } else { "no" }.to_owned(),
        if differs.is_empty() { "everywhere".to_owned() } else { differs.join("; ") },
    ]
}

async fn change(
    context: &Context,
    known: &ClusterView,
    parameters: Parameters,
    acting: &Acting,
) -> Result {
    let change = ClusterChange { parameters: Some(parameters), ..ClusterChange::default() };
    let (name, generation) = (&known.name, known.generation);
    let plans = context.client.plan_change(name, generation, &change).await?;
    let Some(plan) = plans.into_iter().find(|plan| plan.kind == OperationKind::Reconfigure) else {
        return nothing_differs(context, known);
    };
    if acting.plan {
        return context.show_plan(&plan);
    }
    super::refuse_refused(&plan)?;
    if !acting.yes {
        context.explain(&plan);
        context.confirm(acting, "Go on?")?;
    }
    let changed = context.client.change_cluster(name, generation, &change).await?;
    match operation_of(context, name).await? {
        Some(operation) => context.follow(operation, acting).await,
        None => print(context.format, &changed),
    }
}

/// The operation that came with a change of settings: the newest of its kind.
pub(super) async fn operation_of(context: &Context, cluster: &str) -> Result<Option<Operation>> {
    let operations = context.client.operations(Some(cluster)).await?;
    Ok(operations.into_iter().find(|one| one.kind == OperationKind::Reconfigure))
}

fn nothing_differs(context: &Context, known: &ClusterView) -> Result {
    if context.format != Format::Table {
        return print(context.format, known);
    }
    say!("{}: nothing differs", known.name);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assignments_are_read_and_others_refused() {
        let read = assignment("work_mem = 64MiB").expect("read");
        assert_eq!(read, ("work_mem".to_owned(), "64MiB".to_owned()));
        for text in ["work_mem", "=1", "work_mem=", ""] {
            assert!(assignment(text).is_err(), "{text}");
        }
    }
}
