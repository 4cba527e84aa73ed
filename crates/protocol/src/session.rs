//! The session between an agent's sentry and the server.

use bellwether_model::replication::Position;
use bellwether_model::report::WriteGap;
use bellwether_model::shard::SlotRange;
use bellwether_model::{ClusterId, NodeId, Target, Term};
use serde::{Deserialize, Serialize};

use crate::assignment::{Assignment, Group};
use crate::local::WorkerReport;

/// The path of the WebSocket, over mutual TLS.
pub const PATH: &str = "/v1/agents/session";

/// The longest message either side accepts, in bytes.
pub const MESSAGE_BYTES_MAX: usize = 256 * 1024;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum FromAgent {
    /// First message of a session.
    Hello(Box<Hello>),
    /// Every heartbeat, and at once when something changed.
    Report(Box<Report>),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum FromServer {
    /// The whole assignment; sent after `Hello` and whenever it changes.
    Assignment(Box<Assignment>),
    /// Acknowledges the lease request in the report with this number.
    LeaseAck { report: u64, term: Term },
    /// Send a report now.
    Probe,
    /// The server will not speak with this agent; the reason is for the log.
    Refused { reason: String },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    pub protocol: u32,
    pub agent_version: String,
    pub cluster: ClusterId,
    pub node: NodeId,
    /// Differs after every start of the sentry.
    pub incarnation: String,
    /// The `seq` of the last assignment seen; 0 for none.
    pub assignment_seq: u64,
    /// What that said: a server whose store is an older copy learns from it.
    #[serde(default)]
    pub known: Option<Known>,
}

/// What an agent knows of its cluster and its own place in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// The `epoch` of the last assignment.
    pub epoch: String,
    pub group: Group,
    pub target: Target,
    /// The keys of its shard, where it is of one.
    #[serde(default)]
    pub slots: Option<Vec<SlotRange>>,
    /// Durable on this node.
    pub promised: Term,
}

/// What a node is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Counts reports of this incarnation; names the lease request.
    pub number: u64,
    /// Asks the server to renew the lease of that term; only a primary asks.
    pub lease_request: Option<Term>,
    /// The `seq` of the assignment in force here.
    pub assignment_seq: u64,
    /// Durable on this node.
    pub promised: Term,
    /// Milliseconds since this voter last acknowledged a lease request of a term below `promised`;
    /// none when it never did since it started. A sentry that just started counts from its start.
    pub last_ack_age_ms: Option<u64>,
    /// Milliseconds since the primary of the group's term last asked this voter for the lease.
    pub lease_request_age_ms: Option<u64>,
    pub gate: GateReport,
    /// The role of that term was given up for ever.
    pub surrendered: Option<Surrender>,
    /// While clients are held back: sessions led by this node's endpoint that may still say
    /// something to the primary. None: it is not known that any are held back.
    #[serde(default)]
    pub open_sessions: Option<u32>,
    /// Milliseconds that answers to requests for the lease took, of the server and of voters: the
    /// longest of the latest, but for one in twenty. None: too few were answered.
    #[serde(default)]
    pub round_trip_ms: Option<u64>,
    /// How long writes waited at this node's endpoint at the last changes of primary.
    #[serde(default)]
    pub gaps: Vec<WriteGap>,
    /// Milliseconds since the worker was last heard from; none: not yet.
    pub worker_age_ms: Option<u64>,
    /// The generation of the allowlist that the kernel keeps to (`Admission::generation`).
    #[serde(default)]
    pub admission: Option<u64>,
    /// The worker's last report.
    pub worker: Option<WorkerReport>,
}

/// The state of the gate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateReport {
    /// Whether clients can reach a primary here.
    pub open: bool,
    /// The term it is open for.
    pub term: Term,
    /// Milliseconds until it closes by itself; none when the group needs no lease.
    pub remaining_ms: Option<u64>,
}

/// A primary's word that it has given up its term: gate closed, no more writes, for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Surrender {
    pub term: Term,
    /// Where its log ends, when it could be read: complete when `clean`.
    pub position: Option<Position>,
    /// The role was handed over in an orderly way: replicas that stream hold everything.
    pub clean: bool,
}
