//! Faults of a node's network, undone when dropped.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::docker::{docker, inside};

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

    /// Nothing passes between the container's node and those addresses.
    ///
    /// # Errors
    /// When the rules cannot be set.
    pub fn between(container: &str, addresses: &[&str]) -> anyhow::Result<Self> {
        let rules = addresses.iter().flat_map(|address| {
            [
                format!("add rule inet loss incoming ip saddr {address} drop"),
                format!("add rule inet loss outgoing ip daddr {address} drop"),
            ]
        });
        Self::by(container, &rules.collect::<Vec<_>>())
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

/// A node's disk that hangs: nothing more is written to it, and nothing refused.
pub struct Frozen {
    mount: String,
}

impl Frozen {
    /// Lets the disk of this container's node hang.
    ///
    /// # Errors
    /// When it is not found, or cannot be frozen.
    pub fn disk_of(container: &str) -> anyhow::Result<Self> {
        let frozen = Self { mount: mount_of(container)? };
        frozen.set("--freeze")?;
        Ok(frozen)
    }

    fn set(&self, action: &str) -> anyhow::Result<()> {
        let status = Command::new("fsfreeze").args([action, &self.mount]).status();
        if !status.context("run fsfreeze; the package util-linux has it")?.success() {
            bail!("fsfreeze {action} {} failed", self.mount);
        }
        Ok(())
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        let _ = self.set("--unfreeze");
    }
}

/// A node's disk that is slow: the kernel lets so many writes a second of the container through.
pub struct Slow {
    limits: String,
    device: String,
}

impl Slow {
    /// Slows the disk of this container's node down.
    ///
    /// # Errors
    /// When it is not found, or the kernel has no limits for disks.
    pub fn disk_of(container: &str, writes_a_second: u32) -> anyhow::Result<Self> {
        let device =
            Command::new("mountpoint").arg("--fs-devno").arg(mount_of(container)?).output();
        let device = String::from_utf8(device.context("run mountpoint")?.stdout)?;
        let id = docker(&["inspect", "--format", "{{.Id}}", container])?;
        let limits = format!("/sys/fs/cgroup/blkio/docker/{id}/blkio.throttle.write_iops_device");
        let slow = Self { limits, device: device.trim().to_owned() };
        slow.set(writes_a_second)?;
        Ok(slow)
    }

    fn set(&self, writes_a_second: u32) -> anyhow::Result<()> {
        let limit = format!("{} {writes_a_second}", self.device);
        std::fs::write(&self.limits, limit).with_context(|| format!("write {}", self.limits))
    }
}

impl Drop for Slow {
    fn drop(&mut self) {
        // None is without limit.
        let _ = self.set(0);
    }
}

/// Where the disk of this container's node is mounted on this machine.
fn mount_of(container: &str) -> anyhow::Result<String> {
    let format = "{{range .Mounts}}{{if eq .Destination \"/data\"}}{{.Source}}{{end}}{{end}}";
    let data = docker(&["inspect", "--format", format, container])?;
    let mount = data.strip_suffix("/data").context("the node's disk is a directory of a mount")?;
    Ok(mount.to_owned())
}
