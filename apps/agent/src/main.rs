//! The agent on a node. `init` is what a machine starts; it starts the rest.

use anyhow::Context as _;
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(version, about = "The agent of a Bellwether node")]
struct Cli {
    #[command(subcommand)]
    part: Part,
}

#[derive(Clone, Copy, Subcommand)]
enum Part {
    /// Join, then keep the other parts alive
    Init,
    /// Lease, gate, promise, fence; the session with the server
    Sentry,
    /// The engine's supervision, seeding, probes
    Worker,
    /// Lead clients to the primary or to replicas
    Endpoint,
    /// Print what the sentry reported last, as JSON
    Status,
}

/// Passing bytes on is the kernel's work for the most part.
const ENDPOINT_THREADS_MAX: usize = 4;

fn main() -> anyhow::Result<()> {
    let part = Cli::parse().part;
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::INFO)
        .with_writer(std::io::stderr)
        .with_target(false)
        .with_ansi(false)
        .init();
    rustls::crypto::ring::default_provider()
        .install_default()
        .map_err(|_| anyhow::anyhow!("TLS was set up twice"))?;
    let mut builder = match part {
        // The only part with much to do at once. A second thread on one core only gets in the way.
        Part::Endpoint if cores() > 1 => {
            let mut builder = tokio::runtime::Builder::new_multi_thread();
            builder.worker_threads(cores().min(ENDPOINT_THREADS_MAX)).max_blocking_threads(2);
            builder
        }
        _ => tokio::runtime::Builder::new_current_thread(),
    };
    let runtime = builder.enable_all().build().context("start the runtime")?;
    runtime.block_on(run(part))
}

/// The cores this machine may use, by its limits.
fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

async fn run(part: Part) -> anyhow::Result<()> {
    use bellwether_agent_core::{endpoint, init, sentry, worker};
    let paths = bellwether_agent_core::paths::Paths::default();
    match part {
        Part::Init => init::run(&paths).await,
        Part::Sentry => sentry::run(&paths).await,
        Part::Worker => {
            let repositories = bellwether_backups::opener();
            worker::run(Box::new(bellwether_engines::driver), repositories, &paths.socket).await
        }
        Part::Endpoint => {
            let (sessions, probers) = (bellwether_engines::sessions, bellwether_engines::prober);
            endpoint::run(&paths, Box::new(sessions), Box::new(probers)).await
        }
        Part::Status => sentry::print_status(&paths).await,
    }
}
