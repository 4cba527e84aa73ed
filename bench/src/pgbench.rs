//! pgbench against a cluster, as its application's user.

use std::process::Command;

use anyhow::{Context as _, bail};
use bellwether_model::connection::Connection;

/// Runs pgbench; what it printed.
pub(crate) fn pgbench(
    connection: &Connection,
    host: &str,
    port: u16,
    arguments: &[&str],
) -> anyhow::Result<String> {
    let output = Command::new("pgbench")
        .args(arguments)
        .args(["-h", host, "-p", &port.to_string(), "-U", &connection.user, &connection.database])
        .env("PGPASSWORD", connection.password.as_deref().unwrap_or_default())
        .env("PGSSLMODE", "require")
        .output()
        .context("run pgbench; scripts/ensure-postgresql-client installs it")?;
    if !output.status.success() {
        bail!("pgbench {host}:{port}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The figure that follows these words.
pub(crate) fn number(said: &str, name: &str) -> anyhow::Result<f64> {
    let rest = said.lines().find_map(|line| line.trim().strip_prefix(name));
    let text = rest.and_then(|rest| rest.split(' ').next()).context("pgbench prints figures")?;
    Ok(text.parse()?)
}
