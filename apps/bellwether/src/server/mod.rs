//! `bellwether server`: wires store, authority, providers, loops, API and dashboard together. No
//! decisions live here.

mod dashboard;
mod first_password;
mod listen;

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use bellwether_contracts::IdentityProvider;
use bellwether_control::{
    Authority, BackupTimers, World, authority, backups, lineage, logs, machines, orphans,
    reconcile, sessions,
};
use bellwether_identity::{Provider, Settings};
use bellwether_providers::DockerOptions;
use bellwether_store::{Options, Store};
use clap::Args;
use tracing::info;

#[derive(Args, Clone, Debug)]
pub(crate) struct ServerArgs {
    /// Directory for everything the server keeps [default: the user's data directory]
    #[arg(long, env = "BELLWETHER_DATA", value_name = "DIR")]
    data: Option<PathBuf>,
    /// Address for agents, the API and the dashboard, over TLS
    #[arg(long, env = "BELLWETHER_LISTEN", default_value = "[::]:7443", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Loopback address for the API and the dashboard, without TLS
    #[arg(
        long,
        env = "BELLWETHER_LOCAL",
        default_value = "127.0.0.1:7480",
        value_name = "ADDRESS"
    )]
    local: SocketAddr,
    /// The agent's program [default: bellwether-agent beside this program]
    #[arg(long, env = "BELLWETHER_AGENT_BIN", value_name = "FILE")]
    agent_binary: Option<PathBuf>,
    /// Seconds that a repository of backups may take to answer
    #[arg(
        long,
        env = "BELLWETHER_REPOSITORY_ANSWER",
        default_value = "60",
        value_name = "SECONDS",
        value_parser = clap::value_parser!(u32).range(1..=3600)
    )]
    repository_answer: u32,
    /// Seconds before a backup that failed is tried a second time
    #[arg(
        long,
        env = "BELLWETHER_BACKUP_RETRY",
        default_value = "30",
        value_name = "SECONDS",
        value_parser = clap::value_parser!(u32).range(1..=3600)
    )]
    backup_retry: u32,
    /// Seconds between two looks for log to store, where any moment can be restored
    #[arg(
        long,
        env = "BELLWETHER_LOG_EVERY",
        default_value = "60",
        value_name = "SECONDS",
        value_parser = clap::value_parser!(u32).range(1..=300)
    )]
    log_every: u32,
    /// Seconds that the certificates of nodes are good for; they are renewed when a third is left
    #[arg(
        long,
        env = "BELLWETHER_CERTIFICATE_LIFE",
        default_value_t = authority::LIFE.as_secs(),
        value_name = "SECONDS",
        value_parser = clap::value_parser!(u64).range(10..=315_360_000)
    )]
    certificate_life: u64,
    /// A file that says which identity provider people may sign in through: see docs/security.md
    #[arg(long, env = "BELLWETHER_IDENTITY_PROVIDER", value_name = "FILE")]
    identity_provider: Option<PathBuf>,
    /// How log lines are written
    #[arg(long, default_value = "text", value_parser = ["text", "json"])]
    log_format: String,
}

/// Runs the server until it is asked to end.
///
/// # Errors
/// When something it needs is missing or taken; the message says what.
pub(crate) fn run(args: ServerArgs) -> anyhow::Result<()> {
    start_log(&args.log_format);
    if !args.local.ip().is_loopback() {
        bail!("--local {} is not a loopback address; use 127.0.0.1 or [::1]", args.local);
    }
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("start the runtime")?
        .block_on(serve(args))
}

fn start_log(format: &str) {
    let builder = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::INFO)
        .with_writer(std::io::stderr)
        .with_target(false);
    if format == "json" { builder.json().init() } else { builder.with_ansi(false).init() }
}

async fn serve(args: ServerArgs) -> anyhow::Result<()> {
    let data = args.data.clone().map_or_else(default_data, Ok)?;
    let agent_binary = find_agent(args.agent_binary.clone())?;
    let identity = identity_provider(args.identity_provider.as_deref())?;
    let store = Store::open(Options { directory: data.clone() })
        .with_context(|| format!("open the store in {}", data.display()))?;
    let authority = Authority::open(&store).await.context("open the authority")?;
    let authority = authority.with_life(Duration::from_secs(args.certificate_life));
    let epoch = lineage::begin(&store).await.context("begin")?;
    // For scripts that clean up after this server: the mark that everything it makes carries.
    std::fs::write(data.join("instance"), &authority.instance).context("write the instance")?;
    // Bound before anything is begun, so that a taken port changes nothing.
    let tls = listen::bind(args.listen).context("listen for agents (--listen)")?;
    let local = listen::bind(args.local).context("listen on loopback (--local)")?;
    let agent_port = tls.local_addr()?.port();
    let providers = bellwether_providers::all(DockerOptions {
        owner: authority.instance.clone(),
        agent_binary,
        ..DockerOptions::default()
    });
    let engines = bellwether_engines::profiles();
    first_password::ensure(&store, &data).await?;
    tokio::spawn(first_password::remove_when_changed(store.clone(), data.clone()));
    if let Some(provider) = &identity {
        bellwether_api::apply_rules(&store, provider.as_ref()).await?;
    }
    let repositories = bellwether_backups::patient_opener(args.repository_answer);
    let world = World::new(
        store.clone(),
        providers.clone(),
        engines.clone(),
        repositories.clone(),
        authority,
        (epoch, agent_port),
        BackupTimers {
            answer_seconds: args.repository_answer,
            log_every_seconds: args.log_every,
            retry: Duration::from_secs(args.backup_retry.into()),
        },
    );
    let api = bellwether_api::router(bellwether_api::Api {
        store,
        engines,
        providers,
        repositories,
        identity,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    });
    let people = api.fallback_service(dashboard::service());
    let everybody = people.clone().merge(sessions::router(world.clone()));
    run_loops(&world);
    let local_address = local.local_addr()?;
    info!("the dashboard is at http://{local_address}; agents dial port {agent_port}");
    tokio::select! {
        result = listen::serve_tls(tls, everybody, world.clone()) => result.context("serve agents"),
        result = listen::serve_local(local, people) => result.context("serve on loopback"),
        signal = stop_signal() => {
            info!("stopping: {signal}; clusters go on without the server");
            Ok(())
        }
    }
}

fn run_loops(world: &Arc<World>) {
    for task in [
        tokio::spawn(reconcile::run(world.clone())),
        tokio::spawn(machines::run(world.clone())),
        tokio::spawn(orphans::run(world.clone())),
        tokio::spawn(backups::run(world.clone())),
        tokio::spawn(logs::run(world.clone())),
        tokio::spawn(authority::rotation::run(world.clone())),
    ] {
        tokio::spawn(watch_task(task));
    }
}

/// A loop that ends has broken: a server that only seems to work is worse than none.
async fn watch_task(task: tokio::task::JoinHandle<()>) {
    let result = task.await;
    tracing::error!("a control loop has ended: {result:?}; the server stops");
    std::process::exit(70);
}

async fn stop_signal() -> &'static str {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    }
}

fn default_data() -> anyhow::Result<PathBuf> {
    let base = std::env::var_os("XDG_DATA_HOME").map(PathBuf::from).or_else(|| {
        std::env::var_os("HOME").map(|home| Path::new(&home).join(".local").join("share"))
    });
    Ok(base.context("--data is needed: neither XDG_DATA_HOME nor HOME is set")?.join("bellwether"))
}

fn find_agent(given: Option<PathBuf>) -> anyhow::Result<PathBuf> {
    let beside = || {
        let own = std::env::current_exe().context("find this program")?;
        Ok::<_, anyhow::Error>(own.with_file_name("bellwether-agent"))
    };
    let path = given.map_or_else(beside, Ok)?;
    if !path.is_file() {
        bail!("the agent's program is not at {}; name it with --agent-binary", path.display());
    }
    Ok(path)
}

fn identity_provider(path: Option<&Path>) -> anyhow::Result<Option<Arc<dyn IdentityProvider>>> {
    let Some(path) = path else { return Ok(None) };
    let settings = Settings::read(path).context("read --identity-provider")?;
    let provider = Provider::new(settings).context("use --identity-provider")?;
    info!("people may sign in through {}", provider.facts().issuer);
    Ok(Some(Arc::new(provider)))
}

/// The address a connection came in on, with IPv4 in its own form.
fn canonical(address: SocketAddr) -> IpAddr {
    address.ip().to_canonical()
}

type SharedWorld = Arc<World>;
