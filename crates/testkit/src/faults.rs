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

fn index_of(link: &str) -> Option<String> {
    let path = Path::new("/sys/class/net").join(link).join("ifindex");
    std::fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}
