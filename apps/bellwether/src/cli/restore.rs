//! `bellwether restore`: a backup becomes a new cluster.

use bellwether_model::restore::Source;
use bellwether_model::{Bytes, ClusterSpec, ReplicationMode, Timestamp};
use clap::Args;

use super::failure::{Failure, Result};
use super::output::{Format, print, say};
use super::{Acting, Context, allowlist, clusters};

#[derive(Args)]
pub(crate) struct Restore {
    /// The backup, by its id
    backup: String,
    /// The name of the new cluster
    name: String,
    /// A moment after the backup, like 2026-03-01T12:00:00Z: what was committed until then
    #[arg(long, value_name = "MOMENT", value_parser = moment)]
    at: Option<Timestamp>,
    /// As many as the cluster that was backed up had, when left out
    #[arg(long)]
    nodes: Option<u32>,
    /// Memory of each node, likewise
    #[arg(long)]
    memory: Option<Bytes>,
    /// Disk of each node, likewise
    #[arg(long)]
    disk: Option<Bytes>,
    /// Replication, likewise
    #[arg(long)]
    replication: Option<ReplicationMode>,
    /// The project it belongs to, likewise
    #[arg(long)]
    project: Option<String>,
    /// Who may reach the ports of clients, likewise: an address, a range, `me`, `server` or `none`;
    /// may be given more than once
    #[arg(long, value_name = "ADDRESS")]
    allow: Vec<String>,
    #[command(flatten)]
    acting: Acting,
}

pub(super) fn moment(text: &str) -> std::result::Result<Timestamp, String> {
    serde_json::from_value(serde_json::Value::String(text.to_owned()))
        .map_err(|_| "write it like 2026-03-01T12:00:00Z".to_owned())
}

pub(super) async fn run(context: &Context, restore: Restore) -> Result {
    let backup = context.client.backup(&restore.backup).await?;
    let facts = backup.facts.as_ref();
    let facts = facts.ok_or_else(|| Failure::refused("the backup is not complete".to_owned()))?;
    let mut spec = ClusterSpec {
        name: restore.name,
        source: Some(Source { backup: backup.id.clone(), at: restore.at }),
        // Whoever wants drills, backups and protection of the new cluster says so.
        drill: None,
        backup: None,
        protected: false,
        ..facts.spec.clone()
    };
    spec.nodes = restore.nodes.unwrap_or(spec.nodes);
    spec.size.memory = restore.memory.unwrap_or(spec.size.memory);
    spec.size.disk = restore.disk.unwrap_or(spec.size.disk);
    spec.replication = restore.replication.unwrap_or(spec.replication);
    spec.project = restore.project.unwrap_or(spec.project);
    if restore.allow.is_empty() {
        let now = Timestamp::now();
        let entries = spec.allowlist.get_or_insert_default();
        entries.retain(|entry| entry.expires_at.is_none_or(|end| end > now));
    } else {
        spec.allowlist = Some(allowlist::asked_for(context, &restore.allow).await?);
    }
    if restore.acting.plan {
        return context.show_plan(&context.client.plan_creation(&spec).await?);
    }
    let cluster = clusters::create_from(context, &spec, &restore.acting).await?;
    if context.format != Format::Table {
        return print(context.format, &cluster);
    }
    say!("{}: {}", cluster.name, cluster.sentence);
    Ok(())
}
