//! The node's own nftables table: the gate, the read gate, who is a member and who may come.
//!
//! The engine listens on the private port. Clients come to the gate's port, which is redirected
//! there; packets of such connections pass only while the gate's port is an element of the set
//! `open`, and that element has a timeout: the kernel itself closes the gate when nobody renews it,
//! also when every process of the node is frozen. Answers are cut too, so that no commit is
//! acknowledged afterwards.
//!
//! The ports of clients are open to members, to the node itself and to the ranges of the cluster's
//! allowlist; who else comes is counted and refused, also when a connection stands already. All of
//! that is in the table from its first moment on, which is before anything listens.
//!
//! The table is made by `nft`; what changes later are elements of its sets, by netlink: a renewal
//! takes microseconds and cannot be overtaken by the end of the lease. Rules of others are never
//! touched.

mod netlink;
mod ranges;

use std::net::IpAddr;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use bellwether_model::Timestamp;
use bellwether_model::engine::EnginePorts;
use bellwether_protocol::assignment::Admission;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use self::netlink::{Element, Kernel, Transaction};
use self::ranges::Ranges;
use crate::sentry::hands::{Filter, Wanted};

pub(crate) const TABLE: &str = "bellwether";

/// The port that a connection was begun to.
const CAME_TO: &str = "meta l4proto tcp ct original proto-dst";

/// An address that was not let in is remembered for so long after its last attempt.
pub(crate) const BLOCKED_MEMORY: Duration = Duration::from_secs(24 * 3_600);

/// Making the table takes milliseconds.
const BUILD_MAX: Duration = Duration::from_secs(5);

/// The node's packet filter.
pub struct Firewall {
    kernel: Kernel,
    ports: EnginePorts,
    /// What the kernel was told last.
    ranges: Ranges,
}

impl Firewall {
    /// Makes the table anew, with every gate closed, these members and these clients.
    ///
    /// # Errors
    /// When the kernel refuses, for want of NET_ADMIN most likely.
    pub async fn build(wanted: &Wanted) -> anyhow::Result<Self> {
        let ports = wanted.ports;
        let ranges = Ranges::of(wanted.admission.at(Timestamp::now()).as_deref());
        let rules = rules(ports, &wanted.members, &ranges);
        let building = tokio::time::timeout(BUILD_MAX, run_nft(&rules));
        building.await.context("`nft` did not end in time")?.context("make the packet filter")?;
        let kernel = Kernel::open().context("reach the kernel's packet filter")?;
        Ok(Self { kernel, ports, ranges })
    }

    /// An element that exists keeps its timeout, so it is put in, taken out and put in again, in
    /// one transaction: in between, nothing is closed.
    fn set(&mut self, set: &str, ports: &[u16], for_ms: u64) -> anyhow::Result<()> {
        let elements = |timeout_ms| -> Vec<Element> {
            let key = |port: &u16| port.to_be_bytes().to_vec();
            let element = |port| Element { key: key(port), timeout_ms, ..Element::default() };
            ports.iter().map(element).collect()
        };
        let with_timeout = elements(Some(for_ms.max(1)));
        let mut transaction = Transaction::new(TABLE);
        transaction.add(set, &with_timeout);
        transaction.delete(set, &elements(None));
        if for_ms > 0 {
            transaction.add(set, &with_timeout);
        }
        Ok(self.kernel.commit(transaction)?)
    }
}

impl Filter for Firewall {
    fn set_gate(&mut self, for_ms: u64) -> anyhow::Result<()> {
        self.set("open", &[self.ports.gate, self.ports.private], for_ms).context("set the gate")
    }

    fn set_read_gate(&mut self, for_ms: u64) -> anyhow::Result<()> {
        self.set("open", &[self.ports.read_gate], for_ms).context("set the read gate")
    }

    fn set_hold(&mut self, for_ms: u64) -> anyhow::Result<()> {
        self.set("held", &[self.ports.gate], for_ms).context("hold new connections")
    }

    fn set_members(&mut self, members: &[IpAddr]) -> anyhow::Result<()> {
        let mut transaction = Transaction::new(TABLE);
        for (set, is_v6) in [("members4", false), ("members6", true)] {
            let of_family = members.iter().filter(|address| address.is_ipv6() == is_v6);
            let elements: Vec<Element> = of_family.map(member).collect();
            transaction.flush(set);
            if !elements.is_empty() {
                transaction.add(set, &elements);
            }
        }
        self.kernel.commit(transaction).context("set the members' addresses")
    }

    fn set_admission(&mut self, admission: &Admission) -> anyhow::Result<()> {
        let ranges = Ranges::of(admission.at(Timestamp::now()).as_deref());
        if ranges == self.ranges {
            return Ok(());
        }
        let mut transaction = Transaction::new(TABLE);
        for (set, elements) in [("allowed4", ranges.elements4()), ("allowed6", ranges.elements6())]
        {
            transaction.flush(set);
            if !elements.is_empty() {
                transaction.add(set, &elements);
            }
        }
        self.kernel.commit(transaction).context("set who may come")?;
        self.ranges = ranges;
        Ok(())
    }
}

fn member(address: &IpAddr) -> Element {
    let key = match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    };
    Element { key, ..Element::default() }
}

async fn run_nft(rules: &str) -> anyhow::Result<()> {
    let mut child = Command::new("nft")
        .args(["-f", "-"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("start `nft`")?;
    let mut input = child.stdin.take().context("the input of `nft`")?;
    input.write_all(rules.as_bytes()).await?;
    drop(input);
    let output = child.wait_with_output().await?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        bail!("nft: {}", words.lines().next().unwrap_or("it gives no reason"));
    }
    Ok(())
}

/// The table, with every gate closed. Naming the table before it is deleted makes sure that it is
/// there to be deleted; all of it is one transaction.
fn rules(ports: EnginePorts, members: &[IpAddr], allowed: &Ranges) -> String {
    let (sets, clients) = (sets(members, allowed), clients(ports));
    let EnginePorts { gate, read_write, read_only, private, read_gate, peer, bus: _ } = ports;
    let (bus_in, bus_out) = bus(ports);
    // A packet is judged by the port its connection was begun to, which the redirection changed.
    let came_to = CAME_TO;
    let is_closed = "ct original proto-dst != @open";
    format!(
        "table inet {TABLE}
delete table inet {TABLE}
table inet {TABLE} {{
{sets}
 chain arrivals {{ type nat hook prerouting priority dstnat; policy accept;
  tcp dport {{ {gate}, {read_gate} }} redirect to :{private}
 }}
 chain own {{ type nat hook output priority -100; policy accept;
  oif lo tcp dport {{ {gate}, {read_gate} }} redirect to :{private}{bus_out}
 }}
{clients}
 chain sentries {{
  ip saddr @members4 accept
  ip6 saddr @members6 accept
  drop
 }}
 chain gate {{ type filter hook input priority filter; policy accept;
  tcp dport {{ {read_write}, {read_only} }} jump outsiders
  tcp dport {private} jump clients
  udp dport {peer} jump sentries{bus_in}
 }}
 chain answers {{
  tcp flags & rst == rst accept
  {came_to} {{ {gate}, {read_gate} }} {is_closed} reject with tcp reset
  {came_to} {private} oif lo {is_closed} reject with tcp reset
 }}
 chain leaving {{ type filter hook output priority filter; policy accept;
  tcp sport {private} jump answers
 }}
}}
"
    )
}

/// What engines say to each other in a sharded cluster or a group of equals. In the former they
/// also tell each other one port for everybody, which is that of the endpoint; from one engine to
/// another it is the engine's own. Engines run as users of their own, everything of ours does not.
fn bus(ports: EnginePorts) -> (String, String) {
    let EnginePorts { bus, read_write, private, .. } = ports;
    if bus == 0 {
        return Default::default();
    }
    let arrivals = format!("\n  tcp dport {bus}-{} jump sentries", bus + 2);
    let to = |members: &str| {
        format!("\n  meta skuid != 0 {members} tcp dport {read_write} dnat to :{private}")
    };
    (arrivals, to("ip daddr @members4") + &to("ip6 daddr @members6"))
}

/// Who may come, and what is counted of those who may not.
fn sets(members: &[IpAddr], allowed: &Ranges) -> String {
    let (v4, v6): (Vec<&IpAddr>, Vec<&IpAddr>) = members.iter().partition(|one| one.is_ipv4());
    let words = |all: Vec<&IpAddr>| all.iter().map(ToString::to_string).collect();
    let (members4, members6) = (elements(words(v4)), elements(words(v6)));
    let (allowed4, allowed6) = (elements(allowed.words4()), elements(allowed.words6()));
    let memory = BLOCKED_MEMORY.as_secs();
    format!(
        " set open {{ type inet_service; flags timeout; }}
 set held {{ type inet_service; flags timeout; }}
 set members4 {{ type ipv4_addr; {members4} }}
 set members6 {{ type ipv6_addr; {members6} }}
 set allowed4 {{ type ipv4_addr; flags interval; {allowed4} }}
 set allowed6 {{ type ipv6_addr; flags interval; {allowed6} }}
 counter blocked {{ }}
 set blocked4 {{ type ipv4_addr; size 1024; flags dynamic,timeout; timeout {memory}s; }}
 set blocked6 {{ type ipv6_addr; size 1024; flags dynamic,timeout; timeout {memory}s; }}"
    )
}

/// What becomes of those who come.
fn clients(ports: EnginePorts) -> String {
    let EnginePorts { gate, private, read_gate, .. } = ports;
    let came_to = CAME_TO;
    let is_open = "ct original proto-dst @open";
    format!(
        " chain blocked {{
  counter name \"blocked\"
  update @blocked4 {{ ip saddr counter }}
  update @blocked6 {{ ip6 saddr counter }}
 }}
 chain outsiders {{
  iif lo return
  ip saddr @members4 return
  ip6 saddr @members6 return
  ip saddr @allowed4 return
  ip6 saddr @allowed6 return
  tcp flags & rst == rst accept
  ct state new jump blocked
  reject with tcp reset
 }}
 chain clients {{
  {came_to} {gate} jump outsiders
  {came_to} {gate} ct state new ct original proto-dst @held reject with tcp reset
  {came_to} {gate} {is_open} accept
  {came_to} {read_gate} {is_open} ip saddr @members4 accept
  {came_to} {read_gate} {is_open} ip6 saddr @members6 accept
  {came_to} {private} iif lo {is_open} accept
  {came_to} {private} iif != lo ip saddr @members4 accept
  {came_to} {private} iif != lo ip6 saddr @members6 accept
  tcp flags & rst == rst accept
  reject with tcp reset
 }}"
    )
}

/// The part of a set's declaration that says what is in it.
fn elements(words: Vec<String>) -> String {
    if words.is_empty() { String::new() } else { format!("elements = {{ {} }};", words.join(", ")) }
}

#[cfg(test)]
mod tests;
