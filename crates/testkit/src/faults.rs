//! Faults of a node's network, undone when dropped.

use std::io::Write as _;
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

use crate::docker::docker;

/// A table of packet filter rules of its own in the node's network, before the agent's.
const TABLE: &str = "inet bellwether_test";

/// A node that nothing reaches and that reaches nothing; within it, everything goes on.
pub struct Isolation {
    pid: String,
}

impl Isolation {
    /// Cuts the node of this container off.
    ///
    /// # Errors
    /// When its network cannot be entered; `nft` and `nsenter` are needed.
    pub fn of(container: &str) -> anyhow::Result<Self> {
        let pid = docker(&["inspect", "--format", "{{.State.Pid}}", container])?;
        let isolation = Self { pid };
        isolation.nft(&format!(
            "table {TABLE} {{
                 chain in {{ type filter hook input priority -400; policy drop; iif lo accept; }}
                 chain out {{ type filter hook output priority -400; policy drop; oif lo accept; }}
             }}"
        ))?;
        Ok(isolation)
    }

    fn nft(&self, rules: &str) -> anyhow::Result<()> {
        let mut child = Command::new("nsenter")
            .args(["--target", &self.pid, "--net", "/usr/sbin/nft", "--file", "-"])
            .stdin(Stdio::piped())
            .spawn()
            .context("run nsenter")?;
        child.stdin.take().context("its input")?.write_all(rules.as_bytes())?;
        if !child.wait()?.success() {
            bail!("nft refused: {rules}");
        }
        Ok(())
    }
}

impl Drop for Isolation {
    fn drop(&mut self) {
        // A node that was deleted meanwhile has no network to mend.
        let _ = self.nft(&format!("delete table {TABLE}"));
    }
}
