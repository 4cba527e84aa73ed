//! `bellwether cluster …`

use bellwether_model::cluster::ClusterChange;
use bellwether_model::group::TimerProfile;
use bellwether_model::operation::NewOperation;
use bellwether_model::shard::ShardView;
use bellwether_model::{
    Bytes, ClusterSpec, ClusterView, NodeSize, OperationId, OperationKind, ReplicationMode,
};
use clap::{Args, Subcommand};

use super::failure::{Failure, Result};
use super::output::{Format, or_dash, print, say, table, word};
use super::{Acting, Context, allowlist, connection, parameters, replace, shards, sizes};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Create a cluster
    Create(Create),
    /// List the clusters
    List,
    /// Show a cluster and its nodes
    Show { cluster: String },
    /// Show how to connect to a cluster
    Connection(connection::Show),
    /// Align the replicas with the primary, or copy all of its data to them anew
    Resync(Resync),
    /// Give the nodes another size, one after the other
    Resize(sizes::Resize),
    /// Divide the keys over more or fewer shards, while clients go on
    Reshard(shards::Reshard),
    /// Put a backup in the place of a cluster's data; addresses and passwords stay
    Restore(replace::Restore),
    /// Bring the data back that a restore has replaced
    UndoRestore(replace::Undo),
    /// Let go of the data that a restore has replaced
    KeepRestored {
        cluster: String,
        #[command(flatten)]
        acting: Acting,
    },
    /// Delete a cluster with all of its data
    Delete {
        cluster: String,
        /// Store a last backup in this repository first; nothing is deleted when that fails
        #[arg(long, value_name = "REPOSITORY")]
        final_backup: Option<String>,
        #[command(flatten)]
        acting: Acting,
    },
    /// Protect a cluster from being deleted
    Protect {
        cluster: String,
        /// Take the protection off
        #[arg(long)]
        off: bool,
    },
}

#[derive(Args)]
pub(crate) struct Create {
    /// 1 to 40 lower-case letters, digits and hyphens
    name: String,
    /// See `bellwether engine list`
    #[arg(long, default_value = "postgresql")]
    engine: String,
    /// The newest when left out
    #[arg(long, default_value = "")]
    version: String,
    /// See `bellwether provider list`
    #[arg(long, default_value = "docker")]
    provider: String,
    /// 1 is a primary alone; more add replicas. Of each shard, where there are shards
    #[arg(long, default_value = "3")]
    nodes: u32,
    /// Divide the keys over so many shards, each a primary with replicas; 0: they are not divided
    #[arg(long, default_value = "0")]
    shards: u32,
    /// Every node accepts writes, and the engines' own majority decides who may: three nodes at
    /// least, and an engine that can. See `bellwether engine show`
    #[arg(long)]
    multi_primary: bool,
    /// Processor cores of each node
    #[arg(long, default_value = "1")]
    cpus: f64,
    /// Memory of each node
    #[arg(long, default_value = "1GiB")]
    memory: Bytes,
    /// Disk of each node
    #[arg(long, default_value = "5GiB")]
    disk: Bytes,
    /// async, prefer, strict or quorum(N)
    #[arg(long, default_value = "async")]
    replication: ReplicationMode,
    /// How quickly a lost primary is replaced: fast, lan or wan
    #[arg(long, default_value = "lan", value_parser = timers)]
    timers: TimerProfile,
    /// A setting of the engine; may be given more than once. See `bellwether engine show`
    #[arg(long = "parameter", value_name = "NAME=VALUE", value_parser = parameters::assignment)]
    parameters: Vec<(String, String)>,
    /// The project it belongs to
    #[arg(long, default_value = bellwether_model::access::DEFAULT_PROJECT)]
    project: String,
    /// Who may reach the ports of clients: an address, a range, `me`, `server` or `none`; may be
    /// given more than once
    #[arg(long, value_name = "ADDRESS", default_value = "me")]
    allow: Vec<String>,
    /// It cannot be deleted before the protection is taken off
    #[arg(long)]
    protect: bool,
    /// No two nodes on the same host; refused where the provider has only one
    #[arg(long)]
    apart: bool,
    #[command(flatten)]
    acting: Acting,
}

#[derive(Args)]
pub(crate) struct Resync {
    cluster: String,
    /// Only this replica; may be given more than once
    #[arg(long = "node", value_name = "NODE")]
    nodes: Vec<String>,
    /// Copy all data anew, also to replicas that follow: erases what they hold
    #[arg(long)]
    copy: bool,
    /// Go on also where writes wait meanwhile, because too few other replicas confirm them
    #[arg(long)]
    allow_waiting: bool,
    #[command(flatten)]
    acting: Acting,
}

fn timers(text: &str) -> std::result::Result<TimerProfile, String> {
    let value = serde_json::Value::String(text.to_owned());
    serde_json::from_value(value).map_err(|_| "use fast, lan or wan".to_owned())
}

pub(super) async fn run(context: &Context, command: Command) -> Result {
    match command {
        Command::Create(create) => run_create(context, create).await,
        Command::List => list(context).await,
        Command::Show { cluster } => show(context, &cluster).await,
        Command::Connection(connection) => connection::show(context, &connection).await,
        Command::Resync(resync) => run_resync(context, resync).await,
        Command::Resize(resize) => sizes::run(context, resize).await,
        Command::Reshard(reshard) => shards::run(context, reshard).await,
        Command::Restore(restore) => replace::restore(context, restore).await,
        Command::UndoRestore(undo) => replace::undo(context, undo).await,
        Command::KeepRestored { cluster, acting } => {
            replace::keep(context, &cluster, &acting).await
        }
        Command::Delete { cluster, final_backup, acting } => {
            delete(context, &cluster, final_backup, &acting).await
        }
        Command::Protect { cluster, off } => protect(context, &cluster, !off).await,
    }
}

async fn run_create(context: &Context, create: Create) -> Result {
    let spec = ClusterSpec {
        name: create.name,
        engine: create.engine,
        version: create.version,
        provider: create.provider,
        nodes: create.nodes,
        shards: create.shards,
        multi_primary: create.multi_primary,
        size: NodeSize { cpus: create.cpus, memory: create.memory, disk: create.disk },
        replication: create.replication,
        timers: create.timers,
        parameters: parameters::chosen(create.parameters),
        drill: None,
        backup: None,
        source: None,
        project: create.project,
        allowlist: Some(allowlist::asked_for(context, &create.allow).await?),
        protected: create.protect,
        apart: create.apart,
    };
    if create.acting.plan {
        return context.show_plan(&context.client.plan_creation(&spec).await?);
    }
    let cluster = create_from(context, &spec, &create.acting).await?;
    if context.format == Format::Table {
        say!("{}: {}", cluster.name, cluster.sentence);
        return Ok(());
    }
    print(context.format, &cluster)
}

/// Creates a cluster; also what `apply` does with one that is not there.
pub(super) async fn create_from(
    context: &Context,
    spec: &ClusterSpec,
    acting: &Acting,
) -> Result<ClusterView> {
    // The same attempt sent twice, by a network that stutters, makes one cluster.
    let key = OperationId::generate();
    let cluster = context.client.create_cluster(spec, key.as_str()).await?;
    let operation = cluster.operation.clone();
    if let Some(operation) = operation.filter(|_| acting.wait) {
        context.wait_for(operation.as_str(), acting.timeout).await?;
    }
    Ok(context.client.cluster(&spec.name).await?)
}

fn row(cluster: &ClusterView) -> Vec<String> {
    vec![
        cluster.name.clone(),
        format!("{} {}", cluster.spec.engine, cluster.spec.version),
        word(&cluster.phase),
        format!("{}/{}", cluster.nodes_healthy, cluster.nodes_total),
        or_dash(cluster.primary_name.clone()),
        cluster.sentence.clone(),
    ]
}

async fn list(context: &Context) -> Result {
    let clusters = context.client.clusters().await?;
    if context.format != Format::Table {
        return print(context.format, &clusters);
    }
    let rows = clusters.iter().map(row).collect();
    table(&["name", "engine", "phase", "nodes", "primary", "state"], rows);
    Ok(())
}

async fn show(context: &Context, name: &str) -> Result {
    let cluster = context.client.cluster(name).await?;
    if context.format != Format::Table {
        return print(context.format, &cluster);
    }
    say!("{}: {}", cluster.name, cluster.sentence);
    say!(
        "{} {} on {}, {} of {}, {} memory, {} disk; {}; term {}",
        cluster.spec.engine,
        cluster.spec.version,
        cluster.spec.provider,
        nodes_in_words(&cluster.spec),
        cluster.spec.size.cores(),
        cluster.spec.size.memory,
        cluster.spec.size.disk,
        replication_in_words(&cluster.spec),
        cluster.term,
    );
    if !cluster.capacity.sentence.is_empty() {
        say!("disks: {}", cluster.capacity.sentence);
    }
    if let Some(before) = &cluster.replaced {
        say!(
            "its data was replaced at {}; what it was is set aside on {}: `cluster keep-restored` \
             removes it, `cluster undo-restore` brings it back",
            before.at,
            before.node_name,
        );
    }
    if !cluster.shards.is_empty() {
        say!();
        let rows = cluster.shards.iter().map(shard_row).collect();
        table(&["shard", "phase", "slots", "primary", "state"], rows);
    }
    say!();
    super::nodes::list(context, name).await
}

fn nodes_in_words(spec: &ClusterSpec) -> String {
    let nodes = if spec.nodes == 1 { "1 node".to_owned() } else { format!("{} nodes", spec.nodes) };
    match spec.shards {
        0 => nodes,
        shards => format!("{shards} shards of {nodes}"),
    }
}

/// Where every node accepts writes that is not a choice of modes.
pub(super) fn replication_in_words(spec: &ClusterSpec) -> String {
    match spec.multi_primary {
        true => "every node accepts writes, agreed on by all members".to_owned(),
        false => format!("replication {}", spec.replication),
    }
}

fn shard_row(shard: &ShardView) -> Vec<String> {
    let slots = shard.slots.iter().map(|range| format!("{}-{}", range.first, range.last));
    vec![
        shard.name.clone(),
        word(&shard.phase),
        slots.collect::<Vec<_>>().join(" "),
        or_dash(shard.primary_name.clone()),
        shard.sentence.clone(),
    ]
}

async fn run_resync(context: &Context, resync: Resync) -> Result {
    let request = NewOperation {
        nodes: resync.nodes,
        copy: resync.copy,
        allow_waiting: resync.allow_waiting,
        ..NewOperation::of(OperationKind::Resync, None)
    };
    let plan = context.client.plan(&resync.cluster, &request).await?;
    if resync.acting.plan {
        return context.show_plan(&plan);
    }
    super::refuse_refused(&plan)?;
    if !resync.acting.yes {
        context.explain(&plan);
        context.confirm(&resync.acting, "Go on?")?;
    }
    let operation = context.client.operate(&resync.cluster, &request).await?;
    context.follow(operation, &resync.acting).await
}

async fn protect(context: &Context, name: &str, protected: bool) -> Result {
    let cluster = context.client.cluster(name).await?;
    let change = ClusterChange { protected: Some(protected), ..ClusterChange::default() };
    let cluster = context.client.change_cluster(&cluster.name, cluster.generation, &change).await?;
    if context.format != Format::Table {
        return print(context.format, &cluster);
    }
    match protected {
        true => say!("{} is protected from deletion.", cluster.name),
        false => say!("{} can be deleted.", cluster.name),
    }
    Ok(())
}

async fn delete(
    context: &Context,
    name: &str,
    final_backup: Option<String>,
    acting: &Acting,
) -> Result {
    let cluster = context.client.cluster(name).await?;
    let request = NewOperation {
        repository: final_backup.clone(),
        ..NewOperation::of(OperationKind::DeleteCluster, None)
    };
    let plan = context.client.plan(&cluster.name, &request).await?;
    if acting.plan {
        return context.show_plan(&plan);
    }
    super::refuse_refused(&plan)?;
    if !acting.yes {
        context.explain(&plan);
        let answer = context.ask(&format!("Type {} to delete it: ", cluster.name))?;
        if answer.trim() != cluster.name {
            return Err(Failure::usage("nothing was deleted"));
        }
    }
    let operation = context.client.delete_cluster(&cluster.name, final_backup.as_deref()).await?;
    context.follow(operation, acting).await
}

impl Context {
    /// Waits for an operation where that was asked, and prints it.
    pub(super) async fn follow(
        &self,
        operation: bellwether_model::Operation,
        acting: &Acting,
    ) -> Result {
        let operation = if acting.wait {
            self.wait_for(operation.id.as_str(), acting.timeout).await?
        } else {
            operation
        };
        if self.format != Format::Table {
            return print(self.format, &operation);
        }
        let title = operation.kind.title();
        match (acting.wait, operation.message.as_str()) {
            (true, "") => say!("{title}: done"),
            (true, message) => say!("{title}: {message}"),
            (false, _) => {
                say!("{title} has begun: bellwether operation watch {}", operation.id);
            }
        }
        Ok(())
    }
}
