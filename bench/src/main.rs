//! Figures of this machine: `bench create`, `bench failover`, `bench endpoint`. The last
//! line of each is one line of JSON.

mod create;
mod endpoint;
mod failover;
mod figures;
mod floor;

fn main() -> anyhow::Result<()> {
    let runs = std::env::var("RUNS").ok().and_then(|runs| runs.parse().ok()).unwrap_or(5);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match std::env::args().nth(1).as_deref() {
        Some("create") => runtime.block_on(create::run(runs)),
        Some("failover") => runtime.block_on(failover::run(runs)),
        Some("endpoint") => runtime.block_on(endpoint::run(runs)),
        _ => anyhow::bail!("use one of: create, failover, endpoint"),
    }
}
