//! Everything a decision may look at, gathered at one moment.

use std::sync::Arc;

use bellwether_model::engine::LogFacts;
use bellwether_model::mutation::{Mutation, mutated};
use bellwether_model::node::NodePhase;
use bellwether_model::replication::Position;
use bellwether_model::{
    Actual, Cluster, Node, NodeId, Operation, OperationKind, Target, Term, Timers, Timestamp,
};
use bellwether_protocol::Report;
use bellwether_protocol::local::WorkerReport;

/// One cluster at one moment.
#[derive(Clone, Debug)]
pub struct View {
    pub cluster: Cluster,
    /// Of its engine.
    pub log: LogFacts,
    /// Its engine can be backed up.
    pub can_back_up: bool,
    /// A backup can take the place of its data.
    pub can_replace: bool,
    /// By ordinal.
    pub nodes: Vec<NodeFacts>,
    /// The operation that runs.
    pub operation: Option<Operation>,
    /// Operations that wait, the oldest first.
    pub queued: Vec<Operation>,
    /// Operations for a time that has not come.
    pub scheduled: Vec<Operation>,
    /// The wall clock, for schedules alone.
    pub now: Timestamp,
    /// Milliseconds since this server started to listen to agents.
    pub server_age_ms: u64,
    /// Milliseconds since the last automatic failover of this cluster ended.
    pub last_failover_age_ms: Option<u64>,
    /// Automatic failovers of the last hour.
    pub failovers_lately: usize,
    /// Milliseconds since an operation that automation had started failed; it waits before the
    /// next.
    pub last_failure_age_ms: Option<u64>,
    /// Milliseconds that writes waited in its last planned changes of primary, the newest last.
    pub planned_pauses: Vec<u64>,
    /// The same of changes that were not planned.
    pub unplanned_pauses: Vec<u64>,
    /// The groups that it is of, where its keys are divided; it has no nodes of its own then.
    pub shards: Vec<View>,
    /// The name of the cluster that it is a shard of.
    pub shard_of: Option<String>,
}

#[derive(Clone, Debug)]
pub struct NodeFacts {
    pub node: Node,
    pub seen: Option<Seen>,
    /// The provider says that the machine certainly does not run.
    pub machine_stopped: bool,
}

/// What an agent said last.
#[derive(Clone, Debug)]
pub struct Seen {
    pub age_ms: u64,
    /// Milliseconds since the session it was said over began.
    pub session_age_ms: u64,
    pub connected: bool,
    pub agent_version: String,
    pub report: Option<Arc<Report>>,
    /// Milliseconds since it last said that it streams from its upstream.
    pub streamed_age_ms: Option<u64>,
}

impl View {
    #[must_use]
    pub fn timers(&self) -> Timers {
        self.cluster.spec.timers.timers()
    }

    /// Whether it is several groups; it is not one itself then.
    #[must_use]
    pub fn is_sharded(&self) -> bool {
        self.cluster.spec.shards > 0 && self.cluster.shard.is_none()
    }

    /// Whether every node accepts writes, and the engines' own majority decides who may.
    #[must_use]
    pub fn is_multi_primary(&self) -> bool {
        self.cluster.spec.multi_primary
    }

    /// The groups that have nodes: its shards, or itself.
    #[must_use]
    pub fn groups(&self) -> &[View] {
        if self.is_sharded() { &self.shards } else { std::slice::from_ref(self) }
    }

    /// Its nodes, those of its shards included.
    pub fn every_node(&self) -> impl Iterator<Item = &NodeFacts> {
        self.groups().iter().flat_map(|group| &group.nodes)
    }

    /// The group that has a node of this id or name; itself where there is none.
    #[must_use]
    pub fn group_of(&self, text: &str) -> &View {
        self.groups().iter().find(|group| group.node_named(text).is_some()).unwrap_or(self)
    }

    #[must_use]
    pub fn node(&self, id: &NodeId) -> Option<&NodeFacts> {
        self.nodes.iter().find(|facts| facts.node.id == *id)
    }

    /// The node with this id or name.
    #[must_use]
    pub fn node_named(&self, text: &str) -> Option<&NodeFacts> {
        self.nodes.iter().find(|facts| facts.node.id.as_str() == text || facts.node.name == text)
    }

    #[must_use]
    pub fn primary(&self) -> Option<&NodeFacts> {
        self.cluster.status.primary.as_ref().and_then(|id| self.node(id))
    }

    /// The confirmed primary, or the node that is being made one.
    #[must_use]
    pub fn primary_or_candidate(&self) -> Option<&NodeFacts> {
        let status = &self.cluster.status;
        status.primary.as_ref().or(status.candidate.as_ref()).and_then(|id| self.node(id))
    }

    /// Nodes that are members in full.
    pub fn active(&self) -> impl Iterator<Item = &NodeFacts> {
        self.nodes.iter().filter(|facts| facts.node.phase == NodePhase::Active)
    }

    /// Active nodes other than the primary.
    pub fn replicas(&self) -> impl Iterator<Item = &NodeFacts> {
        let primary = self.cluster.status.primary.clone();
        self.active().filter(move |facts| Some(&facts.node.id) != primary.as_ref())
    }

    /// Whether the cluster is on its way out, or is asked to go.
    #[must_use]
    pub fn is_being_deleted(&self) -> bool {
        let mut operations = self.operation.iter().chain(&self.queued);
        operations.any(|operation| operation.kind == OperationKind::DeleteCluster)
    }

    /// Whether the server has listened long enough to know who is alive: since its start, and to a
    /// voter without interruption. A server that was cut off hears some before the others.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        if mutated(Mutation::RestartForgetsLease) {
            return true;
        }
        let (settle, suspect) = (self.timers().settle_ms, self.timers().suspect_ms);
        let voters = self.cluster.status.config.voters();
        let heard = self
            .nodes
            .iter()
            .filter(|facts| voters.contains(&facts.node.id) && facts.is_fresh(suspect))
            .filter_map(|facts| facts.seen.as_ref().map(|seen| seen.session_age_ms));
        self.server_age_ms >= settle && heard.max().is_none_or(|listened| listened >= settle)
    }
}

impl NodeFacts {
    #[must_use]
    pub fn report(&self) -> Option<&Report> {
        self.seen.as_ref().and_then(|seen| seen.report.as_deref())
    }

    #[must_use]
    pub fn worker(&self) -> Option<&WorkerReport> {
        self.report().and_then(|report| report.worker.as_ref())
    }

    /// Milliseconds since the last report; the largest number when there was none.
    #[must_use]
    pub fn age_ms(&self) -> u64 {
        self.seen.as_ref().filter(|seen| seen.report.is_some()).map_or(u64::MAX, |seen| seen.age_ms)
    }

    /// Whether a report came within this many milliseconds over a session that still stands.
    #[must_use]
    pub fn is_fresh(&self, within_ms: u64) -> bool {
        self.age_ms() <= within_ms && self.seen.as_ref().is_some_and(|seen| seen.connected)
    }

    #[must_use]
    pub fn actual(&self) -> &Actual {
        self.worker().map_or(&Actual::Unknown, |worker| &worker.actual)
    }

    #[must_use]
    pub fn position(&self) -> Option<Position> {
        self.worker().and_then(|worker| worker.position)
    }

    #[must_use]
    pub fn promised(&self) -> Term {
        self.report().map_or(0, |report| report.promised)
    }

    /// Whether the engine follows that node and data flows.
    #[must_use]
    pub fn streams_from(&self, upstream: &NodeId) -> bool {
        matches!(self.actual(), Actual::Replica { upstream: Some(from), streaming: true }
            if from == upstream)
    }

    /// Why the data of that primary cannot be served here: the libraries it depends on differ.
    #[must_use]
    pub fn other_library(&self, primary: &NodeFacts) -> Option<String> {
        let library = |facts: &NodeFacts| facts.worker().and_then(|w| w.engine.library.clone());
        let (own, its) = (library(self)?, library(primary)?);
        (own != its).then(|| {
            let (name, other) = (&self.node.name, &primary.node.name);
            format!("{name} has {own} and {other} has {its}: it cannot take over from it")
        })
    }

    /// Whether the engine serves as primary of this term.
    #[must_use]
    pub fn serves(&self, term: Term) -> bool {
        self.worker().is_some_and(|worker| worker.serving == Some(term))
    }

    /// The word this node has given that it will never again be primary of this term.
    #[must_use]
    pub fn surrender(&self, term: Term) -> Option<bellwether_protocol::session::Surrender> {
        self.report().and_then(|report| report.surrendered).filter(|given| given.term >= term)
    }

    /// Whether the node is assigned to follow that node under this term.
    #[must_use]
    pub fn is_assigned_to_follow(&self, node: &NodeId, of: Term) -> bool {
        matches!(&self.node.target, Target::Replica { upstream, term }
            if upstream == node && *term == of)
    }
}

#[cfg(test)]
pub(crate) mod tests;
