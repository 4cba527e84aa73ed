//! Who is connected to this node's client ports and who was not let in, as the kernel says. Looked
//! at by a thread of its own: neither a long list nor a slow `nft` keeps the worker waiting.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bellwether_model::Timestamp;
use bellwether_model::engine::EnginePorts;
use bellwether_protocol::Assignment;
use bellwether_protocol::local::{ClientSource, ClientsReport, RefusedSource};
use serde_json::Value;
use tracing::warn;

use crate::firewall::{self, BLOCKED_MEMORY};

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Addresses that are told one by one.
const SOURCES_MAX: usize = 50;

/// An established connection, in the kernel's table of sockets.
const ESTABLISHED: &str = "01";

/// Whom to look for.
#[derive(Clone, PartialEq, Eq)]
struct Wanted {
    ports: EnginePorts,
    members: BTreeSet<IpAddr>,
}

#[derive(Default)]
struct Shared {
    wanted: Option<Wanted>,
    found: Option<ClientsReport>,
}

pub(super) struct Clients {
    shared: Arc<Mutex<Shared>>,
}

impl Clients {
    /// Begins to look, for as long as somebody asks.
    pub(super) fn watch() -> Self {
        let shared: Arc<Mutex<Shared>> = Arc::default();
        let watched = Arc::downgrade(&shared);
        let look = move || {
            while let Some(shared) = watched.upgrade() {
                let wanted = lock(&shared).wanted.clone();
                if let Some(wanted) = wanted {
                    let found = look(&wanted);
                    lock(&shared).found = Some(found);
                }
                drop(shared);
                std::thread::sleep(LOOK_EVERY);
            }
        };
        if let Err(error) = std::thread::Builder::new().name("clients".to_owned()).spawn(look) {
            warn!("it will not be known who is connected: {error}");
        }
        Self { shared }
    }

    /// What was found last.
    pub(super) fn found(&self, assignment: &Assignment) -> Option<ClientsReport> {
        let members = assignment.group.members.iter();
        let members = members.flat_map(|member| [&member.address, &member.address6]);
        let members = members.filter_map(|text| text.parse().ok()).collect();
        let wanted = Wanted { ports: assignment.engine.ports, members };
        let mut shared = lock(&self.shared);
        shared.wanted = Some(wanted);
        shared.found.clone()
    }
}

fn lock(shared: &Mutex<Shared>) -> std::sync::MutexGuard<'_, Shared> {
    shared.lock().expect("nothing panics while it is held")
}

fn look(wanted: &Wanted) -> ClientsReport {
    let mut counts: BTreeMap<IpAddr, u32> = BTreeMap::new();
    for path in ["/proc/net/tcp", "/proc/net/tcp6"] {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        for address in text.lines().skip(1).filter_map(|line| client(line, wanted.ports)) {
            *counts.entry(address).or_default() += 1;
        }
    }
    counts.retain(|address, _| !address.is_loopback() && !wanted.members.contains(address));
    let mut sources: Vec<ClientSource> = counts
        .into_iter()
        .map(|(address, connections)| ClientSource { address: address.to_string(), connections })
        .collect();
    sources.sort_by_key(|source| std::cmp::Reverse(source.connections));
    sources.truncate(SOURCES_MAX);
    let (blocked, blocked_sources) = blocked(Timestamp::now());
    ClientsReport { sources, blocked, blocked_sources }
}

/// The other side of an established connection to a port of clients. The gate's port is redirected
/// to the private one before the kernel's table of sockets knows of it.
fn client(line: &str, ports: EnginePorts) -> Option<IpAddr> {
    let mut fields = line.split_whitespace().skip(1);
    let (local, remote, state) = (fields.next()?, fields.next()?, fields.next()?);
    let port = u16::from_str_radix(local.rsplit_once(':')?.1, 16).ok()?;
    let is_clients = [ports.read_write, ports.read_only, ports.private].contains(&port);
    (state == ESTABLISHED && is_clients).then(|| address(remote.rsplit_once(':')?.0))?
}

/// An address as `/proc/net/tcp` writes it: words of four bytes, each in the machine's order.
fn address(text: &str) -> Option<IpAddr> {
    let word = |at: usize| {
        let word = u32::from_str_radix(text.get(at..at + 8)?, 16).ok()?;
        Some(word.to_ne_bytes())
    };
    if text.len() == 8 {
        return word(0).map(|bytes| Ipv4Addr::from(bytes).into());
    }
    let mut bytes = [0; 16];
    for index in 0..4 {
        bytes[index * 4..index * 4 + 4].copy_from_slice(&word(index * 8)?);
    }
    Some(IpAddr::from(Ipv6Addr::from(bytes)).to_canonical())
}

/// What the kernel has counted of attempts that were not let in.
fn blocked(now: Timestamp) -> (u64, Vec<RefusedSource>) {
    let listed = Command::new("nft")
        .args(["--json", "list", "table", "inet", firewall::TABLE])
        .stdin(Stdio::null())
        .output();
    let Some(listed) = listed.ok().filter(|listed| listed.status.success()) else {
        return (0, Vec::new());
    };
    serde_json::from_slice(&listed.stdout)
        .map(|table| read_blocked(&table, now))
        .unwrap_or_default()
}

fn read_blocked(table: &Value, now: Timestamp) -> (u64, Vec<RefusedSource>) {
    let (mut total, mut sources) = (0, Vec::new());
    for object in table["nftables"].as_array().into_iter().flatten() {
        if object["counter"]["name"] == "blocked" {
            total = object["counter"]["packets"].as_u64().unwrap_or(0);
        }
        if ["blocked4", "blocked6"].iter().any(|name| object["set"]["name"] == *name) {
            let elements = object["set"]["elem"].as_array().into_iter().flatten();
            sources.extend(elements.filter_map(|element| refused(&element["elem"], now)));
        }
    }
    sources.sort_by_key(|source: &RefusedSource| std::cmp::Reverse(source.last_at));
    sources.truncate(SOURCES_MAX);
    (total, sources)
}

fn refused(element: &Value, now: Timestamp) -> Option<RefusedSource> {
    let left = element["expires"].as_u64().unwrap_or(0);
    let age = BLOCKED_MEMORY.as_secs().saturating_sub(left);
    let age_ms = i64::try_from(age.saturating_mul(1_000)).unwrap_or(0);
    Some(RefusedSource {
        address: element["val"].as_str()?.to_owned(),
        attempts: element["counter"]["packets"].as_u64().unwrap_or(0),
        last_at: Timestamp::from_millis(now.as_millis() - age_ms),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PORTS: EnginePorts = EnginePorts {
        gate: 5432,
        read_write: 5000,
        read_only: 5001,
        private: 5431,
        read_gate: 5433,
        peer: 5440,
        bus: 0,
    };

    #[test]
    fn clients_are_found_in_the_kernels_tables() {
        let v4 = "  0: 0B03570A:1388 0103570A:D431 01 00000000:00000000 00:00000000 00000000 0";
        assert_eq!(client(v4, PORTS), Some("10.87.3.1".parse().expect("an address")));
        let listens = v4.replace(" 01 ", " 0A ");
        assert_eq!(client(&listens, PORTS), None);
        assert_eq!(client(&v4.replace(":1388", ":0016"), PORTS), None, "another port");
        let mapped = "  1: 0000000000000000FFFF00000B03570A:1537 \
                      0000000000000000FFFF00000103570A:D431 01 0 0";
        assert_eq!(client(mapped, PORTS), Some("10.87.3.1".parse().expect("an address")));
        let v6 = "  2: 0000:1388 11BE42FD030000000000000001000000:D431 01 0 0";
        assert_eq!(client(v6, PORTS), Some("fd42:be11:0:3::1".parse().expect("an address")));
    }

    #[test]
    fn what_was_blocked_is_read_with_its_time() {
        let table = serde_json::json!({"nftables": [
            {"counter": {"name": "blocked", "packets": 7, "bytes": 420}},
            {"set": {"name": "members4", "elem": ["10.0.0.1"]}},
            {"set": {"name": "blocked4", "elem": [{"elem": {
                "val": "10.0.0.9", "expires": BLOCKED_MEMORY.as_secs() - 3,
                "counter": {"packets": 7, "bytes": 420}}}]}},
            {"set": {"name": "blocked6"}},
        ]});
        let (total, sources) = read_blocked(&table, Timestamp::from_millis(10_000));
        let expected = RefusedSource {
            address: "10.0.0.9".to_owned(),
            attempts: 7,
            last_at: Timestamp::from_millis(7_000),
        };
        assert_eq!((total, sources), (7, vec![expected]));
    }
}
