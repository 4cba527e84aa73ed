//! The node's own nftables table: the gate, the read gate, and who is a member.
//!
//! The engine listens on the private port. Clients come to the gate's port, which is redirected
//! there; packets of such connections pass only while the gate's port is an element of the set
//! `open`, and that element has a timeout: the kernel itself closes the gate when nobody renews it,
//! also when every process of the node is frozen. Answers are cut too, so that no commit is
//! acknowledged afterwards.
//!
//! One `nft -i` process is kept and fed line by line: a renewal takes a fraction of a millisecond
//! instead of the start of a process. Rules of others are never touched.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use bellwether_model::engine::EnginePorts;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// `nft` answers within this time, or is started anew.
const ANSWER_MAX: Duration = Duration::from_secs(1);

/// The node's packet filter.
pub struct Firewall {
    shell: Option<Shell>,
    ports: EnginePorts,
    members: Vec<(String, String)>,
    is_built: bool,
}

struct Shell {
    _child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Firewall {
    #[must_use]
    pub fn new(ports: EnginePorts) -> Self {
        Self { shell: None, ports, members: Vec::new(), is_built: false }
    }

    #[must_use]
    pub fn ports(&self) -> EnginePorts {
        self.ports
    }

    /// Makes the table anew, with everything closed.
    ///
    /// # Errors
    /// When the kernel refuses, for want of NET_ADMIN most likely.
    pub async fn build(&mut self) -> anyhow::Result<()> {
        load(&rules(self.ports)).await.context("make the node's packet filter")?;
        // It knows the table as it was before.
        self.shell = None;
        self.is_built = true;
        let members = std::mem::take(&mut self.members);
        self.set_members(members).await
    }

    /// The members' addresses (IPv4, IPv6), this node's included.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub async fn set_members(&mut self, members: Vec<(String, String)>) -> anyhow::Result<()> {
        if members == self.members {
            return Ok(());
        }
        let mut line = String::new();
        for (set, addresses) in [
            ("members4", members.iter().map(|(v4, _)| v4.as_str()).collect::<Vec<_>>()),
            ("members6", members.iter().map(|(_, v6)| v6.as_str()).collect()),
        ] {
            let addresses: Vec<&str> = addresses.into_iter().filter(|a| !a.is_empty()).collect();
            line += &format!("flush set inet bellwether {set}\n");
            if !addresses.is_empty() {
                let list = addresses.join(", ");
                line += &format!("add element inet bellwether {set} {{ {list} }}\n");
            }
        }
        load(&line).await?;
        self.members = members;
        Ok(())
    }

    /// Lets clients in for so long from now; the loopback way of the endpoint with them.
    ///
    /// # Errors
    /// When the kernel refuses; the gate then closes by itself.
    pub async fn open_gate(&mut self, for_ms: u64) -> anyhow::Result<()> {
        let (gate, own) = (self.ports.gate, self.ports.private);
        let with = format!("{gate} timeout {for_ms}ms, {own} timeout {for_ms}ms");
        self.renew(&format!("{gate}, {own}"), &with).await
    }

    /// Shuts clients out now.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub async fn close_gate(&mut self) -> anyhow::Result<()> {
        self.remove(&format!("{}, {}", self.ports.gate, self.ports.private)).await
    }

    /// Lets readers in for so long from now.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub async fn open_read_gate(&mut self, for_ms: u64) -> anyhow::Result<()> {
        let port = self.ports.read_gate;
        self.renew(&port.to_string(), &format!("{port} timeout {for_ms}ms")).await
    }

    /// Shuts readers out now.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub async fn close_read_gate(&mut self) -> anyhow::Result<()> {
        self.remove(&self.ports.read_gate.to_string()).await
    }

    /// An element that exists keeps its timeout, so it is taken out and put in again, in one
    /// transaction: in between, nothing is closed.
    async fn renew(&mut self, elements: &str, with_timeouts: &str) -> anyhow::Result<()> {
        let add = format!("add element inet bellwether open {{ {with_timeouts} }}");
        let delete = format!("delete element inet bellwether open {{ {elements} }}");
        self.run(&format!("{add}; {delete}; {add}")).await
    }

    async fn remove(&mut self, elements: &str) -> anyhow::Result<()> {
        let add = format!("add element inet bellwether open {{ {elements} }}");
        let delete = format!("delete element inet bellwether open {{ {elements} }}");
        self.run(&format!("{add}; {delete}")).await
    }

    /// Runs one line as one transaction and waits until the kernel has it.
    async fn run(&mut self, line: &str) -> anyhow::Result<()> {
        let result = tokio::time::timeout(ANSWER_MAX, self.ask(line)).await;
        match result {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                self.shell = None;
                Err(error)
            }
            Err(_) => {
                self.shell = None;
                bail!("nft did not answer")
            }
        }
    }

    async fn ask(&mut self, line: &str) -> anyhow::Result<()> {
        let shell = match &mut self.shell {
            Some(shell) => shell,
            none => none.insert(Shell::start()?),
        };
        // Success says nothing: the set is listed after it, and its end is the answer.
        let line = format!("{line}; list set inet bellwether open\n");
        shell.input.write_all(line.as_bytes()).await?;
        let mut answer = String::new();
        loop {
            answer.clear();
            if shell.output.read_line(&mut answer).await? == 0 {
                bail!("nft has ended");
            }
            if answer.contains("Error:") {
                bail!("nft: {}", answer.trim());
            }
            if answer == "}\n" {
                return Ok(());
            }
        }
    }
}

impl Shell {
    fn start() -> anyhow::Result<Self> {
        let mut child = Command::new("sh")
            .args(["-c", "exec nft -i 2>&1"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("start nft")?;
        let input = child.stdin.take().context("nft's input")?;
        let output = BufReader::new(child.stdout.take().context("nft's output")?);
        Ok(Self { _child: child, input, output })
    }
}

/// Loads a whole file of rules, as one transaction.
async fn load(rules: &str) -> anyhow::Result<()> {
    let mut child = Command::new("nft")
        .args(["-f", "-"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("start nft")?;
    let mut input = child.stdin.take().context("nft's input")?;
    input.write_all(rules.as_bytes()).await?;
    drop(input);
    let output = child.wait_with_output().await?;
    if !output.status.success() {
        bail!("nft: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}

/// The table. The first two statements make it empty whether it was there or not.
fn rules(ports: EnginePorts) -> String {
    let EnginePorts { gate, private, read_gate, peer, .. } = ports;
    format!(
        "add table inet bellwether
delete table inet bellwether
table inet bellwether {{
 set open {{ type inet_service; flags timeout; }}
 set members4 {{ type ipv4_addr; }}
 set members6 {{ type ipv6_addr; }}
 chain arrivals {{ type nat hook prerouting priority dstnat; policy accept;
  tcp dport {{ {gate}, {read_gate} }} redirect to :{private};
 }}
 chain own {{ type nat hook output priority -100; policy accept;
  oif lo tcp dport {gate} redirect to :{private};
 }}
 chain gate {{ type filter hook input priority filter; policy accept;
  tcp dport {private} ct original proto-dst {gate} ct original proto-dst @open accept;
  tcp dport {private} ct original proto-dst {read_gate} ct original proto-dst @open \
   ip saddr @members4 accept;
  tcp dport {private} ct original proto-dst {read_gate} ct original proto-dst @open \
   ip6 saddr @members6 accept;
  tcp dport {private} iif lo ct original proto-dst {private} ct original proto-dst @open accept;
  tcp dport {private} iif != lo ct original proto-dst {private} ip saddr @members4 accept;
  tcp dport {private} iif != lo ct original proto-dst {private} ip6 saddr @members6 accept;
  tcp dport {private} tcp flags & rst == rst accept;
  tcp dport {private} reject with tcp reset;
  udp dport {peer} ip saddr @members4 accept;
  udp dport {peer} ip6 saddr @members6 accept;
  udp dport {peer} drop;
 }}
 chain answers {{ type filter hook output priority filter; policy accept;
  tcp sport {private} tcp flags & rst == rst accept;
  tcp sport {private} ct original proto-dst {{ {gate}, {read_gate} }} \
   ct original proto-dst != @open reject with tcp reset;
  oif lo tcp sport {private} ct original proto-dst {private} \
   ct original proto-dst != @open reject with tcp reset;
 }}
}}"
    )
}
