//! Figures of this machine: `bench create`, `bench failover`, `bench endpoint`,
//! `bench anchors`, `bench backup`, `bench soak`. The last line of each is one line of JSON.

mod anchors;
mod backup;
mod create;
mod endpoint;
mod failover;
mod figures;
mod floor;
mod pgbench;
mod soak;

fn main() -> anyhow::Result<()> {
    let number = |name: &str, default: usize| match std::env::var(name) {
        Ok(text) => text.parse().map_err(|_| anyhow::anyhow!("{name}={text} is no number")),
        Err(_) => Ok(default),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match std::env::args().nth(1).as_deref() {
        Some("create") => runtime.block_on(create::run(number("RUNS", 5)?)),
        Some("failover") => runtime.block_on(failover::run(number("RUNS", 20)?)),
        Some("endpoint") => runtime.block_on(endpoint::run(number("RUNS", 5)?)),
        Some("anchors") => runtime.block_on(anchors::run(number("RUNS", 3)?)),
        Some("backup") => runtime.block_on(backup::run(number("RUNS", 1)?)),
        Some("soak") => runtime.block_on(soak::run(number("MINUTES", 30)? as u64)),
        _ => anyhow::bail!("use one of: create, failover, endpoint, anchors, backup, soak"),
    }
}
