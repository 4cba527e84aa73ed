//! What a fault does to a machine, by the `docker` program.

use std::process::Command;

use anyhow::{Context as _, bail};

/// Runs `docker` with these arguments; its output.
///
/// # Errors
/// When it fails; with what it said.
pub fn docker(arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new("docker").args(arguments).output().context("run docker")?;
    if !output.status.success() {
        bail!("docker {arguments:?}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The container of a node.
///
/// # Errors
/// When there is not exactly one.
pub fn container_of(node: &str) -> anyhow::Result<String> {
    let filter = format!("label=org.bellwether.node={node}");
    let found = docker(&["ps", "-aq", "--no-trunc", "--filter", &filter])?;
    let ids: Vec<&str> = found.lines().collect();
    match ids.as_slice() {
        [id] => Ok((*id).to_owned()),
        other => bail!("node {node} has {} containers", other.len()),
    }
}

/// Runs a shell line inside a node's container as root.
///
/// # Errors
/// When it fails; with what it said.
pub fn inside(container: &str, line: &str) -> anyhow::Result<String> {
    docker(&["exec", container, "sh", "-c", line])
}

/// Everything that carries the label of this cluster: containers, volumes, networks.
///
/// # Errors
/// When docker cannot be asked.
pub fn left_of(cluster: &str) -> anyhow::Result<Vec<String>> {
    let filter = format!("label=org.bellwether.cluster={cluster}");
    let mut left = Vec::new();
    for list in [
        &["ps", "-aq", "--filter"][..],
        &["volume", "ls", "-q", "--filter"],
        &["network", "ls", "-q", "--filter"],
    ] {
        let found = docker(&[list, &[filter.as_str()]].concat())?;
        left.extend(found.lines().map(|id| format!("{} {id}", list[0])));
    }
    Ok(left)
}
