//! The sentry: lease, gate, promise, fence; the session with the server. What it decides is in
//! `core`, what it does about it in `duty`; the machine it does it with is behind `hands`.

pub mod core;
mod disk;
pub mod duty;
mod gates;
pub mod hands;
mod host;
mod local;
mod peers;
mod round_trips;
mod session;

use anyhow::Context as _;

use self::core::{Core, Durable};
use self::duty::Sentry;
use self::host::Host;
use crate::clock::now_ms;
use crate::files;
use crate::join;
use crate::paths::Paths;

pub use self::local::print_status;

/// Runs for ever.
///
/// # Errors
/// When the node has not joined, or its files are damaged.
pub async fn run(paths: &Paths) -> anyhow::Result<()> {
    raise_own_priority();
    let identity = join::identity(paths)?.context("this node has not joined yet")?;
    let config = join::config(paths)?;
    let durable: Option<Durable> =
        files::read_json(&paths.sentry_state).context("read the sentry's state")?;
    let (cluster, node) = (identity.cluster.clone(), identity.node.clone());
    let core = Core::new(cluster.clone(), node.clone(), durable.unwrap_or_default(), now_ms());
    let host = Host::start(paths, &identity, config)?;
    let incarnation = format!("{:016x}", rand::random::<u64>());
    Sentry::new(cluster, node, incarnation, core, host).run().await
}

/// What is done for the lease comes before what clients ask for, and lives longer. As far as the
/// machine allows.
fn raise_own_priority() {
    let _ = std::fs::write("/proc/self/oom_score_adj", "-900");
    let _ = rustix::process::setpriority_process(None, -10);
}
