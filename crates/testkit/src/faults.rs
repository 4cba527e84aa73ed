//! Faults of a node's network, undone when dropped.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::docker::inside;

/// A node whose cable is pulled: nothing reaches it and it reaches nothing; within it, everything
/// goes on.
pub struct Isolation {
    /// The other end of its cable, on this machine.
    link: String,
}

impl Isolation {
    /// Cuts the node of this container off.
    ///
    /// # Errors
    /// When its cable is not found, or `ip` cannot be run.
    pub fn of(container: &str) -> anyhow::Result<Self> {
        let index = inside(container, "cat /sys/class/net/eth0/iflink")?;
        let links = std::fs::read_dir("/sys/class/net").context("list the network's links")?;
        let mut names = links.filter_map(|link| link.ok()?.file_name().into_string().ok());
        let link = names.find(|name| index_of(name).as_deref() == Some(index.as_str()));
        let isolation = Self { link: link.context("the other end of the node's cable")? };
        isolation.set("down")?;
        Ok(isolation)
    }

    fn set(&self, state: &str) -> anyhow::Result<()> {
        let status = Command::new("ip").args(["link", "set", &self.link, state]).status();
        if !status.context("run ip")?.success() {
            bail!("the link {} could not be set {state}", self.link);
        }
        Ok(())
    }
}

impl Drop for Isolation {
    fn drop(&mut self) {
        // That of a node which was deleted meanwhile is gone.
        let _ = self.set("up");
    }
}

/// Packets that get lost at a node, by rules of the kernel's in a table of its own.
pub struct Loss {
    container: String,
}

impl Loss {
    /// What the container's node is sent from that address is lost; what it sends there arrives.
    ///
    /// # Errors
    /// When the rules cannot be set.
    pub fn from(container: &str, address: &str) -> anyhow::Result<Self> {
        Self::by(container, &[format!("add rule inet loss incoming ip saddr {address} drop")])
    }

    /// Whatever goes to that port elsewhere is lost, and what comes from it.
    ///
    /// # Errors
    /// When the rules cannot be set.
    pub fn of_port(container: &str, port: u16) -> anyhow::Result<Self> {
        let rules = [
            format!("add rule inet loss incoming tcp sport {port} drop"),
            format!("add rule inet loss outgoing tcp dport {port} drop"),
        ];
        Self::by(container, &rules)
    }

    /// What goes to that port elsewhere is lost; what comes from it arrives.
    ///
    /// # Errors
    /// When the rules cannot be set.
    pub fn to_port(container: &str, port: u16) -> anyhow::Result<Self> {
        Self::by(container, &[format!("add rule inet loss outgoing tcp dport {port} drop")])
    }

    fn by(container: &str, rules: &[String]) -> anyhow::Result<Self> {
        let loss = Self { container: container.to_owned() };
        let table = "add table inet loss\n\
            add chain inet loss incoming { type filter hook input priority -300 ; }\n\
            add chain inet loss outgoing { type filter hook output priority -300 ; }";
        let rules = rules.join("\n");
        inside(container, &format!("nft -f - <<'END'\n{table}\n{rules}\nEND"))?;
        Ok(loss)
    }
}

impl Drop for Loss {
    fn drop(&mut self) {
        // That of a node which is off or was deleted meanwhile is gone.
        let _ = inside(&self.container, "nft delete table inet loss");
    }
}

fn index_of(link: &str) -> Option<String> {
    let path = Path::new("/sys/class/net").join(link).join("ifindex");
    std::fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}
