//! Containers of a peer on a network of their own, all removed at the end.

use std::time::Duration;

use anyhow::Context as _;
use bellwether_testkit::docker::docker;
use tokio_postgres::{Client, NoTls};

/// A network, and what runs on it.
pub(super) struct Containers {
    /// Begins the names of all of them, so that two runs do not meet.
    prefix: String,
    names: Vec<String>,
}

impl Containers {
    pub(super) fn new(peer: &str) -> anyhow::Result<Self> {
        let prefix = format!("bw-bench-{peer}-{}", std::process::id());
        docker(&["network", "create", &prefix])?;
        Ok(Self { prefix, names: Vec::new() })
    }

    /// The full name of one.
    pub(super) fn name(&self, short: &str) -> String {
        format!("{}-{short}", self.prefix)
    }

    /// Starts a container, which the others find by its short name.
    pub(super) fn run(&mut self, short: &str, image: &str, script: &str) -> anyhow::Result<String> {
        let name = self.name(short);
        docker(&[
            "run",
            "--detach",
            "--name",
            &name,
            "--hostname",
            short,
            "--network",
            &self.prefix,
            "--network-alias",
            short,
            "--memory",
            "1g",
            image,
            "bash",
            "-c",
            script,
        ])?;
        self.names.push(name.clone());
        Ok(name)
    }
}

impl Drop for Containers {
    fn drop(&mut self) {
        for name in &self.names {
            let _ = docker(&["rm", "--force", "--volumes", name]);
        }
        let _ = docker(&["network", "rm", &self.prefix]);
    }
}

/// Where it is reached from here.
pub(super) fn address(container: &str) -> anyhow::Result<String> {
    let format = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
    let address = docker(&["inspect", "--format", format, container])?;
    anyhow::ensure!(!address.is_empty(), "{container} has no address");
    Ok(address)
}

/// Opens a connection as the superuser; there is neither TLS nor a password.
pub(super) async fn connect(text: &str) -> anyhow::Result<Client> {
    let limit = Duration::from_secs(1);
    let config: tokio_postgres::Config =
        format!("{text} user=postgres dbname=postgres").parse().context("where to connect")?;
    let (client, task) = tokio::time::timeout(limit, config.connect(NoTls)).await??;
    tokio::spawn(task);
    Ok(client)
}
