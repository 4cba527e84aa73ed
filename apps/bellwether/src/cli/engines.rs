//! `bellwether engine …` and `bellwether provider …`

use bellwether_model::Bytes;
use clap::Subcommand;

use super::Context;
use super::failure::Result;
use super::output::{Format, print, say, table};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// List the engines
    List,
    /// Show an engine: versions, topologies, replication modes, settings, ports
    Show { engine: String },
}

#[derive(Subcommand)]
pub(crate) enum ProviderCommand {
    /// List the providers
    List,
}

pub(super) async fn run(context: &Context, command: Command) -> Result {
    match command {
        Command::List => {
            let engines = context.client.engines().await?;
            if context.format != Format::Table {
                return print(context.format, &engines);
            }
            let rows = engines.into_iter().map(|engine| {
                vec![engine.name, engine.title, engine.versions.join(", "), engine.summary]
            });
            table(&["name", "title", "versions", "summary"], rows.collect());
        }
        Command::Show { engine } => {
            let engine = context.client.engine(&engine).await?;
            if context.format != Format::Table {
                return print(context.format, &engine);
            }
            say!("{}: {}", engine.title, engine.summary);
            say!("Versions    {}", engine.versions.join(", "));
            say!("Topologies");
            for topology in &engine.topologies {
                say!("  {}: {}", topology.title, topology.summary);
            }
            say!("Replication");
            for mode in &engine.replication_modes {
                say!("  {} ({}): {}", mode.name, mode.title, mode.summary);
            }
            if !engine.parameters.is_empty() {
                say!("Settings");
            }
            for parameter in &engine.parameters {
                let restart = if parameter.restart { " (needs a restart)" } else { "" };
                say!("  {}: {}{restart}", parameter.name, parameter.summary);
            }
            for warning in &engine.warnings {
                say!("Beware      {warning}");
            }
            let ports = engine.ports;
            say!(
                "Ports       {} to the primary and {} to replicas on every node, {} on the primary",
                ports.read_write,
                ports.read_only,
                ports.gate
            );
        }
    }
    Ok(())
}

pub(super) async fn run_provider(context: &Context, command: ProviderCommand) -> Result {
    let ProviderCommand::List = command;
    let providers = context.client.providers().await?;
    if context.format != Format::Table {
        return print(context.format, &providers);
    }
    let rows = providers.into_iter().map(|provider| {
        let state = if provider.available { "ready".to_owned() } else { provider.reason };
        let limits = provider.limits;
        let most = format!("{} cores, {}", limits.cpus_max, Bytes(limits.memory_max));
        let hosts = if limits.one_host { "one" } else { "several" };
        vec![provider.name, provider.title, state, most, hosts.to_owned()]
    });
    table(&["name", "title", "state", "at most", "hosts"], rows.collect());
    Ok(())
}
