//! A cluster sketched for tests: healthy unless a test spoils something.

use std::sync::Arc;

use bellwether_model::cluster::{ClusterPhase, ClusterStatus};
use bellwether_model::member::{MemberReport, Standing};
use bellwether_model::node::NodePhase;
use bellwether_model::operation::NewOperation;
use bellwether_model::replication::Position;
use bellwether_model::*;
use bellwether_protocol::Report;
use bellwether_protocol::local::{EngineFigures, Follower, HostFigures, WorkerReport};
use bellwether_protocol::session::{GateReport, Surrender};

use super::*;
use crate::allowed::check_operation;

pub(crate) struct Sketch {
    pub(crate) cluster: Cluster,
    nodes: Vec<(Node, Seen, Report, bool)>,
}

pub(crate) fn node_id(ordinal: u32) -> NodeId {
    NodeId::from(format!("node-{ordinal}"))
}

/// Why that cannot be asked for, of a node where one is named; empty: it can.
pub(crate) fn refusal(view: &View, kind: OperationKind, node: &str) -> String {
    let node = Some(node.to_owned()).filter(|name| !name.is_empty());
    check_operation(view, &NewOperation::of(kind, node)).err().unwrap_or_default()
}

/// A healthy asynchronous cluster of so many nodes, the first its primary under term 1.
pub(crate) fn sketch(count: u32) -> Sketch {
    let voters = (2..=count).map(node_id).collect();
    let spec: ClusterSpec = serde_json::from_value(serde_json::json!({
        "name": "demo", "engine": "postgresql", "version": "17", "nodes": count
    }))
    .expect("a spec");
    let status = ClusterStatus {
        phase: ClusterPhase::Healthy,
        term: 1,
        promised: 1,
        primary: Some(node_id(1)),
        config: JointConfig {
            current: GroupConfig { version: 1, voters, acks: 0, strict: false },
            ..JointConfig::default()
        },
        ..ClusterStatus::default()
    };
    let cluster = Cluster {
        id: ClusterId::from("cluster"),
        generation: 1,
        created_at: Timestamp::from_millis(0),
        spec,
        status,
        network: None,
        next_ordinal: count + 1,
        proof_of: None,
        pending_allowlist: None,
        databases: bellwether_model::database::Databases::default(),
        shard: None,
        size_may_wait: false,
        disks_grow_in_use: true,
    };
    let nodes = (1..=count).map(|ordinal| sketch_node(&cluster, ordinal, count)).collect();
    Sketch { cluster, nodes }
}

fn sketch_node(cluster: &Cluster, ordinal: u32, count: u32) -> (Node, Seen, Report, bool) {
    let is_primary = ordinal == 1;
    let target = if is_primary {
        Target::Primary { term: 1, create: true }
    } else {
        Target::Replica { upstream: node_id(1), term: 1 }
    };
    let node = Node {
        id: node_id(ordinal),
        cluster: cluster.id.clone(),
        ordinal,
        name: format!("demo-{ordinal}"),
        size: cluster.spec.size,
        created_at: Timestamp::from_millis(0),
        phase: NodePhase::Active,
        address: format!("10.87.1.{}", 10 + ordinal),
        address6: format!("fd42::{ordinal}"),
        machine: Some(format!("machine-{ordinal}")),
        fingerprint: None,
        joined_at: None,
        target,
        copy: None,
        settings: Default::default(),
        drill: None,
        backup: None,
        restore: None,
        replace: None,
        check: None,
    };
    let follower = |ordinal| Follower {
        node: node_id(ordinal),
        flushed: Position { timeline: 1, offset: 1000 },
        streaming: true,
    };
    let worker = WorkerReport {
        failed: None,
        actual: if is_primary {
            Actual::Primary { term: 1 }
        } else {
            Actual::Replica { upstream: Some(node_id(1)), streaming: true }
        },
        doing: String::new(),
        progress: None,
        serving: is_primary.then_some(1),
        position: Some(Position { timeline: 1, offset: 1000 }),
        position_age_ms: 0,
        log_end: None,
        applied: None,
        cut_for: 0,
        upstream_age_ms: (!is_primary).then_some(100),
        followers: if is_primary { (2..=count).map(follower).collect() } else { Vec::new() },
        config_version: 1,
        prepared: false,
        transactions: None,
        drained: false,
        surrendered: None,
        copied: None,
        keeps_former: false,
        diverged: Vec::new(),
        settings: None,
        backup: None,
        log: None,
        bring: None,
        replaced: None,
        check: None,
        moving: None,
        member: None,
        disk_hangs: false,
        engine: EngineFigures::default(),
        host: HostFigures::default(),
        clients: None,
        databases: None,
        certificate: None,
    };
    let report = Report {
        number: 1,
        lease_request: is_primary.then_some(1),
        assignment_seq: 1,
        promised: 1,
        last_ack_age_ms: None,
        lease_request_age_ms: (!is_primary).then_some(100),
        gate: GateReport { open: is_primary, term: 1, remaining_ms: Some(2_500) },
        surrendered: None,
        open_sessions: None,
        round_trip_ms: None,
        gaps: Vec::new(),
        admission: None,
        worker_age_ms: Some(50),
        worker: Some(worker),
    };
    let seen = Seen {
        age_ms: 100,
        session_age_ms: 60_000,
        connected: true,
        agent_version: "0.1.0".into(),
        report: None,
        streamed_age_ms: Some(100),
    };
    (node, seen, report, false)
}

impl Sketch {
    pub(crate) fn id(&self, ordinal: u32) -> NodeId {
        node_id(ordinal)
    }

    pub(crate) fn view(&self) -> View {
        let nodes = self.nodes.iter().map(|(node, seen, report, machine_stopped)| NodeFacts {
            node: node.clone(),
            seen: Some(Seen { report: Some(Arc::new(report.clone())), ..seen.clone() }),
            machine_stopped: *machine_stopped,
        });
        View {
            cluster: self.cluster.clone(),
            log: bellwether_model::engine::LogFacts::BYTES,
            can_back_up: true,
            can_replace: true,
            nodes: nodes.collect(),
            operation: None,
            queued: Vec::new(),
            scheduled: Vec::new(),
            now: Timestamp::from_millis(0),
            server_age_ms: 60_000,
            last_failover_age_ms: None,
            failovers_lately: 0,
            planned_pauses: Vec::new(),
            unplanned_pauses: Vec::new(),
            last_failure_age_ms: None,
            shards: Vec::new(),
            shard_of: None,
        }
    }

    /// An operation on the third node.
    pub(crate) fn operation(&self, kind: OperationKind) -> Operation {
        Operation {
            node: Some(node_id(3)),
            reason: String::new(),
            ..Operation::queued(&self.cluster, kind, "test", Timestamp::from_millis(0))
        }
    }

    /// The third node was lost as a primary: it is awaited and does not vote.
    pub(crate) fn rejoining(&mut self) {
        self.node(3).phase = NodePhase::Rejoining;
        self.cluster.status.config.current.voters.remove(&node_id(3));
    }

    /// Every node accepts writes, and clients are led to the first.
    pub(crate) fn equals(mut self) -> Self {
        self.cluster.spec.multi_primary = true;
        self.cluster.status.begun = 1;
        self.cluster.status.config.current.voters.clear();
        let all: Vec<NodeId> = self.nodes.iter().map(|(node, ..)| node.id.clone()).collect();
        for (node, _, report, _) in &mut self.nodes {
            let from = all.iter().find(|id| **id != node.id).cloned();
            node.target = Target::Member { term: 1, begun: 1, from };
            report.gate.open = true;
            let standing = Standing {
                state: "Synced".into(),
                in_quorum: true,
                ready: true,
                peers: all.iter().cloned().collect(),
                history: "h".into(),
                end: None,
            };
            if let Some(worker) = &mut report.worker {
                (worker.actual, worker.serving) = (Actual::Primary { term: 1 }, Some(1));
                worker.member = Some(MemberReport { term: 1, standing, ..MemberReport::default() });
            }
        }
        self
    }

    /// A member whose engine runs without the majority, or is stopped with so many changes.
    pub(crate) fn out(&mut self, ordinal: u32, end: Option<u64>) {
        self.report(ordinal).gate.open = false;
        let worker = self.worker(ordinal);
        worker.serving = None;
        let member = worker.member.as_mut().expect("a member");
        member.is_lost = end.is_none();
        let history = member.standing.history.clone();
        member.standing = Standing { history, end, ..Standing::default() };
        if end.is_some() {
            worker.actual = Actual::Stopped { was_primary: true };
        }
    }

    pub(crate) fn member(&mut self, ordinal: u32) -> &mut MemberReport {
        self.worker(ordinal).member.as_mut().expect("a member")
    }

    pub(crate) fn node(&mut self, ordinal: u32) -> &mut Node {
        &mut self.nodes[ordinal as usize - 1].0
    }

    fn report(&mut self, ordinal: u32) -> &mut Report {
        &mut self.nodes[ordinal as usize - 1].2
    }

    pub(crate) fn worker(&mut self, ordinal: u32) -> &mut WorkerReport {
        self.report(ordinal).worker.as_mut().expect("a worker")
    }

    pub(crate) fn silence(&mut self, ordinal: u32, age_ms: u64) {
        let seen = &mut self.nodes[ordinal as usize - 1].1;
        seen.age_ms = age_ms;
        seen.connected = false;
    }

    pub(crate) fn not_serving(&mut self, ordinal: u32) {
        self.worker(ordinal).serving = None;
    }

    /// Its engine does not answer.
    pub(crate) fn in_doubt(&mut self, ordinal: u32) {
        let worker = self.worker(ordinal);
        (worker.serving, worker.actual) = (None, Actual::Unknown);
    }

    /// A node that is heard and has not streamed for so long; its primary counts it out.
    pub(crate) fn stall(&mut self, ordinal: u32, age_ms: u64) {
        self.nodes[ordinal as usize - 1].1.streamed_age_ms = Some(age_ms);
        self.worker(ordinal).actual = Actual::Replica { upstream: None, streaming: false };
        self.worker(1).followers.retain(|follower| follower.node != node_id(ordinal));
    }

    /// Writes wait for one confirmation.
    pub(crate) fn strict(&mut self) {
        self.cluster.spec.replication = ReplicationMode::Strict;
        let config = &mut self.cluster.status.config.current;
        (config.acks, config.strict) = (1, true);
    }

    /// No replica has streamed for so long, though all are heard.
    pub(crate) fn deafen(&mut self, age_ms: u64) {
        for ordinal in 2..=self.nodes.len() as u32 {
            self.stall(ordinal, age_ms);
        }
    }

    pub(crate) fn machine_stopped(&mut self, ordinal: u32) {
        self.nodes[ordinal as usize - 1].3 = true;
    }

    /// Makes everything that the replicas hear of the primary this old.
    pub(crate) fn age_evidence(&mut self, age_ms: u64) {
        for ordinal in 2..=self.nodes.len() as u32 {
            self.lease_request_age(ordinal, age_ms);
            self.upstream_age(ordinal, age_ms);
        }
    }

    pub(crate) fn lease_request_age(&mut self, ordinal: u32, age_ms: u64) {
        self.report(ordinal).lease_request_age_ms = Some(age_ms);
    }

    pub(crate) fn upstream_age(&mut self, ordinal: u32, age_ms: u64) {
        self.worker(ordinal).upstream_age_ms = Some(age_ms);
    }

    pub(crate) fn surrender(&mut self, ordinal: u32, term: Term) {
        self.report(ordinal).surrendered = Some(Surrender { term, position: None, clean: false });
    }

    pub(crate) fn position(&mut self, ordinal: u32, timeline: u64, offset: u64) {
        self.worker(ordinal).position = Some(Position { timeline, offset });
    }

    pub(crate) fn promise(&mut self, ordinal: u32, promised: Term, cut_for: Term) {
        self.report(ordinal).promised = promised;
        self.worker(ordinal).cut_for = cut_for;
    }

    pub(crate) fn config_version(&mut self, ordinal: u32, version: u64) {
        self.worker(ordinal).config_version = version;
    }
}
