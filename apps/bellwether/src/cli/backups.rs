//! `bellwether backup …`

use std::path::PathBuf;

use bellwether_model::operation::NewOperation;
use bellwether_model::{Backup, Bytes, OperationKind};
use clap::{Args, Subcommand};

use super::failure::Result;
use super::output::{Format, or_dash, print, say, table, word};
use super::{Acting, Context, download};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Take a backup now
    Create(Create),
    /// List backups, also those of clusters that were deleted
    List {
        /// Only those of this cluster
        cluster: Option<String>,
    },
    /// Show a backup
    Show { id: String },
    /// Restore a backup in a scratch node and look through it
    Verify {
        id: String,
        #[command(flatten)]
        acting: Acting,
    },
    /// Download a backup as one tar file
    Download {
        id: String,
        /// Where to; `-` for standard output; a file here when left out
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Remove a backup from its repository
    Delete {
        id: String,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
    },
}

#[derive(Args)]
pub(crate) struct Create {
    cluster: String,
    /// The schedule's, or the only one, when left out
    #[arg(long)]
    repository: Option<String>,
    /// Kilobytes a second that are sent at most
    #[arg(long, value_name = "KIB")]
    rate: Option<u64>,
    #[command(flatten)]
    acting: Acting,
}

pub(super) async fn run(context: &Context, command: Command) -> Result {
    match command {
        Command::Create(create) => run_create(context, create).await,
        Command::List { cluster } => list(context, cluster.as_deref()).await,
        Command::Show { id } => show(context, &context.client.backup(&id).await?),
        Command::Verify { id, acting } => {
            let operation = context.client.verify_backup(&id).await?;
            context.follow(operation, &acting).await
        }
        Command::Download { id, output } => download::run(context, &id, output).await,
        Command::Delete { id, yes } => {
            let acting = Acting { yes, ..Acting::default() };
            context.confirm(&acting, &format!("Remove the backup {id} for good?"))?;
            let backup = context.client.delete_backup(&id).await?;
            if context.format != Format::Table {
                return print(context.format, &backup);
            }
            say!("{id} is being removed");
            Ok(())
        }
    }
}

async fn run_create(context: &Context, create: Create) -> Result {
    let request = NewOperation {
        repository: create.repository,
        rate_kib: create.rate,
        ..NewOperation::of(OperationKind::Backup, None)
    };
    if create.acting.plan {
        return context.show_plan(&context.client.plan(&create.cluster, &request).await?);
    }
    let operation = context.client.operate(&create.cluster, &request).await?;
    context.follow(operation, &create.acting).await
}

async fn list(context: &Context, cluster: Option<&str>) -> Result {
    let backups = context.client.backups(cluster).await?;
    if context.format != Format::Table {
        return print(context.format, &backups);
    }
    let heads = ["id", "cluster", "status", "holds", "size", "stored", "repository", "proven"];
    table(&heads, backups.iter().map(row).collect());
    Ok(())
}

fn proven(backup: &Backup) -> &'static str {
    match &backup.proof {
        None => "-",
        Some(proof) if proof.proven => "yes",
        Some(_) => "no",
    }
}

fn row(backup: &Backup) -> Vec<String> {
    let facts = backup.facts.as_ref();
    vec![
        backup.id.to_string(),
        backup.cluster_name.clone(),
        word(&backup.status),
        or_dash(facts.map(|facts| facts.taken_at)),
        or_dash(facts.map(|facts| Bytes(facts.size))),
        or_dash(backup.stored.map(Bytes)),
        backup.repository_name.clone(),
        proven(backup).to_owned(),
    ]
}

fn show(context: &Context, backup: &Backup) -> Result {
    if context.format != Format::Table {
        return print(context.format, backup);
    }
    say!("{}: {} of {}", backup.id, word(&backup.status), backup.cluster_name);
    if let Some(facts) = &backup.facts {
        say!(
            "{} {}, as it was at {}, taken from {}",
            facts.spec.engine,
            facts.engine_version,
            facts.taken_at,
            facts.node_name
        );
        if let Some(until) = backup.recoverable_to {
            say!("any moment from {} to {until} can be restored", facts.taken_at);
        }
        let stored = or_dash(backup.stored.map(Bytes));
        say!("{} of data, {stored} stored in {}", Bytes(facts.size), backup.repository_name);
    }
    if let Some(proof) = &backup.proof {
        let ms = or_dash(proof.restore_ms.map(|ms| format!("{ms} ms")));
        say!("proven: {}; {}; restored within {ms}", proven(backup), proof.message);
    }
    if !backup.message.is_empty() {
        say!("{}", backup.message);
    }
    Ok(())
}
