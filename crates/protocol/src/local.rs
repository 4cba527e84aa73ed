//! What the processes of one agent say among themselves: the sentry listens on a Unix socket,
//! worker and endpoint connect. One JSON document per line.

use std::net::Ipv4Addr;

use bellwether_model::backup::BackupReport;
use bellwether_model::divergence::Divergence;
use bellwether_model::failure::Class;
use bellwether_model::log::LogReport;
use bellwether_model::member::MemberReport;
use bellwether_model::node::DiskGrowth;
use bellwether_model::replication::{Actual, Position};
use bellwether_model::report::WriteGap;
use bellwether_model::restore::{BringReport, CheckReport};
use bellwether_model::settings::SettingsReport;
use bellwether_model::shard::MoveReport;
use bellwether_model::transaction::Transaction;
use bellwether_model::{NodeId, Term, Timestamp};
use serde::{Deserialize, Serialize};

use crate::assignment::Assignment;
use crate::databases::DatabasesReport;
use crate::session::Surrender;

/// The sentry's socket.
pub const SOCKET: &str = "/run/bellwether/sentry.sock";

/// From this address an endpoint leads sessions whose TLS it ends to its own node's engine, which
/// takes them unencrypted from there alone. What is passed on unread comes from another.
pub const ENDPOINT_SOURCE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// To the sentry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ToSentry {
    /// First line of a worker; from then on it gets `Orders` whenever they change.
    IamWorker,
    /// First line of the endpoint; from then on it gets `Routes` whenever they change.
    IamEndpoint,
    /// While clients are held back, whenever it changes.
    Endpoint(EndpointReport),
    /// How long writes waited at the last changes of primary, whenever there was another.
    Gaps { gaps: Vec<WriteGap> },
    /// Every quarter second, and at once when something changed.
    Worker(Box<WorkerReport>),
    /// Answered with one `Status` line, for `bellwether-agent status`.
    Status,
}

/// From the sentry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum FromSentry {
    Orders(Box<Orders>),
    Routes(Routes),
    /// The last report, as it went to the server.
    Status {
        report: Box<crate::session::Report>,
        connected: bool,
    },
}

/// How far clients are held back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointReport {
    /// The routes it speaks of (`Routes::version`), which are in force.
    pub version: u64,
    /// Sessions led by it that may still say something to the primary.
    pub open: u32,
}

/// What the worker shall do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Orders {
    pub assignment: Assignment,
    /// Durable promise: the worker cuts replication from primaries of earlier terms and reports a
    /// stable position with `cut_for` at this term.
    pub promised: Term,
    /// Whether the lease lapsed while this node was primary of this term: stop the engine at once.
    pub fenced: Option<Term>,
}

/// What the worker found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkerReport {
    pub actual: Actual,
    /// What can be done about it, where the last attempt failed.
    #[serde(default)]
    pub failed: Option<Class>,
    /// What it does or waits for just now, in words; empty when converged.
    pub doing: String,
    /// Bytes done and bytes in all of a copy under way.
    pub progress: Option<(u64, u64)>,
    /// The engine serves as primary of this term and everything that must be so before clients are
    /// let in is so (after a restart under synchronous replication: enough voters have caught up).
    pub serving: Option<Term>,
    /// Durable here: written on a primary, received and flushed on a replica.
    pub position: Option<Position>,
    /// Milliseconds from when the engine said so to now, or to when its process was found dead: so
    /// long it may have written more.
    #[serde(default)]
    pub position_age_ms: u64,
    /// Where the log of a primary whose engine died ends, as found in its files.
    #[serde(default)]
    pub log_end: Option<Position>,
    /// Applied here (replicas).
    pub applied: Option<Position>,
    /// Replication from primaries of terms below this is cut, and `position` no longer moves.
    pub cut_for: Term,
    /// Milliseconds since the last message from the engine of the upstream (replicas).
    pub upstream_age_ms: Option<u64>,
    /// Replicas that stream from this node (primary).
    pub followers: Vec<Follower>,
    /// The configuration whose engine settings are active, and whose every required voter has
    /// passed the position the primary had when they became active (primary).
    pub config_version: u64,
    /// What `Assignment::prepare` asked for has been done since it was asked.
    #[serde(default)]
    pub prepared: bool,
    /// Open transactions of clients while a planned change is near; none: not looked at.
    #[serde(default)]
    pub transactions: Option<Vec<Transaction>>,
    /// There were none when it was looked at while clients were held back.
    #[serde(default)]
    pub drained: bool,
    /// The role of that term was given up by an orderly stop or a death of the engine.
    pub surrendered: Option<Surrender>,
    /// The token of the order that the data here was copied under (`Assignment::copy`).
    #[serde(default)]
    pub copied: Option<String>,
    /// Former data is kept aside.
    #[serde(default)]
    pub keeps_former: bool,
    /// What only this node held and is kept aside, the newest first.
    #[serde(default)]
    pub diverged: Vec<Divergence>,
    /// What of the chosen settings is not in force; none: not looked at.
    #[serde(default)]
    pub settings: Option<SettingsReport>,
    /// How far the backup that was ordered here has come.
    #[serde(default)]
    pub backup: Option<BackupReport>,
    /// The log that is stored here; none: none is.
    #[serde(default)]
    pub log: Option<LogReport>,
    /// How far the data has come that is to take the place of what is here.
    #[serde(default)]
    pub bring: Option<BringReport>,
    /// The token of the order under which the data here took its place (`Assignment::replace`).
    #[serde(default)]
    pub replaced: Option<String>,
    /// What was found in the data, where that was ordered.
    #[serde(default)]
    pub check: Option<CheckReport>,
    /// How far slots have come that leave this shard (primary).
    #[serde(default)]
    pub moving: Option<MoveReport>,
    /// Of the group of equals that its engine is a member of.
    #[serde(default)]
    pub member: Option<MemberReport>,
    /// The disk under the data takes no writes, and has not for so long that nobody waits for it.
    #[serde(default)]
    pub disk_hangs: bool,
    pub engine: EngineFigures,
    pub host: HostFigures,
    /// Who is connected and who was not let in; none: not looked at.
    #[serde(default)]
    pub clients: Option<ClientsReport>,
    /// Of databases and users, where any were asked for.
    #[serde(default)]
    pub databases: Option<DatabasesReport>,
    /// The certificate that the engine shows; none: not known.
    #[serde(default)]
    pub certificate: Option<CertificateReport>,
}

/// A node's certificate as it is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateReport {
    pub ends_at: Timestamp,
    /// It should have been renewed long ago.
    pub is_late: bool,
    /// Of which issue it is (`Certificates::issue`).
    #[serde(default)]
    pub issue: u64,
}

/// The clients of a node as its kernel sees them; members of the cluster are none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientsReport {
    /// The addresses with the most connections.
    pub sources: Vec<ClientSource>,
    /// Attempts that were not let in since the agent was started.
    pub blocked: u64,
    /// Where the latest came from.
    pub blocked_sources: Vec<RefusedSource>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientSource {
    pub address: String,
    pub connections: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedSource {
    pub address: String,
    pub attempts: u64,
    pub last_at: Timestamp,
}

/// A replica as its primary sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Follower {
    pub node: NodeId,
    pub flushed: Position,
    /// Streams, as opposed to catching up from files.
    pub streaming: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EngineFigures {
    /// The engine's own word, for example `17.11`.
    pub version: Option<String>,
    /// Names the data directory's lineage.
    pub system_id: Option<String>,
    /// Seconds since the engine process was started.
    pub uptime_seconds: Option<u64>,
    pub connections: Option<u32>,
    /// Bytes of data on this node.
    pub data_bytes: Option<u64>,
    /// A library that the data depends on, with its version: the same on every node that may lead.
    #[serde(default)]
    pub library: Option<String>,
    /// It takes no new data: the node's disk is full.
    #[serde(default)]
    pub refuses_data: bool,
    /// Why the engine itself takes no writes although it is primary.
    #[serde(default)]
    pub refuses_writes: Option<String>,
    /// What is wrong with its data that only a person or a new copy mends, in words without any of
    /// the data: damage that was read, replication that stopped at a change.
    #[serde(default)]
    pub fault: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HostFigures {
    /// Percent of the cores the node may use.
    pub cpu_percent: Option<f64>,
    pub memory_used: Option<u64>,
    pub memory_limit: Option<u64>,
    pub disk_used: Option<u64>,
    pub disk_size: Option<u64>,
    /// None: not known yet.
    #[serde(default)]
    pub disk_growth: Option<DiskGrowth>,
}

/// What lets the prober in. `Debug` does not show it.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbePassword(pub String);

impl std::fmt::Debug for ProbePassword {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ProbePassword(..)")
    }
}

/// Where the endpoint leads connections.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Routes {
    pub read_write_port: u16,
    pub read_only_port: u16,
    /// Rises with what is told here.
    #[serde(default)]
    pub version: u64,
    /// The engine's stored name, and the port of this node's own.
    #[serde(default)]
    pub engine: String,
    #[serde(default)]
    pub private_port: u16,
    #[serde(default)]
    pub probe_password: ProbePassword,
    /// A planned change of primary is under way: what clients begin anew waits.
    #[serde(default)]
    pub is_held: bool,
    /// In maintenance: new clients are turned away, and find another node.
    #[serde(default)]
    pub is_drained: bool,
    /// The primary's gate, address and port; none: hold new connections. On the primary itself it
    /// is a loopback address and the private port.
    pub primary: Option<(String, u16)>,
    /// Other nodes that accept writes, where all do: they are tried when the primary is not
    /// reached.
    #[serde(default)]
    pub writers: Vec<(String, u16)>,
    /// The name that the primary's certificate bears.
    #[serde(default)]
    pub primary_name: String,
    /// Counts primaries: connections to an earlier one are closed.
    pub term: Term,
    /// Read gates of the admitted replicas.
    pub replicas: Vec<(String, u16)>,
    /// A new connection waits at most so long for somewhere to go.
    pub connect_wait_ms: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_said_can_be_written_and_read() {
        let gap = WriteGap { term: 2, ms: 240, slack_ms: 0 };
        let said = [
            ToSentry::IamWorker,
            ToSentry::IamEndpoint,
            ToSentry::Endpoint(EndpointReport { version: 1, open: 2 }),
            ToSentry::Gaps { gaps: vec![gap] },
            ToSentry::Status,
        ];
        for message in said {
            let text = serde_json::to_string(&message).expect("written");
            assert_eq!(serde_json::from_str::<ToSentry>(&text).expect("read"), message);
        }
    }
}
