use bellwether_model::cluster::NodeSize;
use bellwether_model::engine::EnginePorts;
use bellwether_model::group::TimerProfile;
use bellwether_model::{Bytes, ClusterId, GroupConfig, JointConfig, ReplicationMode};
use bellwether_protocol::assignment::{EngineAssignment, Group, Secrets};
use bellwether_protocol::local::{EngineFigures, HostFigures};

use super::*;

const LEASE: u64 = 3_000;

fn node(n: u32) -> NodeId {
    NodeId::from(format!("n{n}"))
}

fn assignment(seq: u64, target: Target, voters: &[u32]) -> Assignment {
    let config = GroupConfig {
        version: 1,
        voters: voters.iter().map(|n| node(*n)).collect(),
        acks: 0,
        strict: false,
    };
    Assignment {
        seq,
        cluster: ClusterId::from("c"),
        cluster_name: "demo".into(),
        node: node(1),
        node_name: "demo-1".into(),
        engine: EngineAssignment {
            name: "postgresql".into(),
            version: "17".into(),
            ports: EnginePorts {
                gate: 5432,
                read_write: 5000,
                read_only: 5001,
                private: 5431,
                read_gate: 5433,
                peer: 5440,
            },
            size: NodeSize { cpus: 1.0, memory: Bytes::gib(1), disk: Bytes::gib(1) },
            parameters: Default::default(),
        },
        timers: TimerProfile::Lan.timers(),
        mode: ReplicationMode::Async,
        group: Group {
            term: 1,
            primary: Some(node(1)),
            config: JointConfig { current: config, ..JointConfig::default() },
            members: Vec::new(),
        },
        promise: 1,
        target,
        prepare: false,
        hold: false,
        read_lag_bytes_max: 0,
        secrets: Secrets::default(),
    }
}

fn serving(term: Term) -> WorkerReport {
    WorkerReport {
        actual: Actual::Primary { term },
        doing: String::new(),
        progress: None,
        serving: Some(term),
        position: None,
        applied: None,
        cut_for: 0,
        upstream_age_ms: None,
        followers: Vec::new(),
        config_version: 1,
        prepared: false,
        surrendered: None,
        engine: EngineFigures::default(),
        host: HostFigures::default(),
    }
}

/// A primary of term 1 whose engine serves, with these voters, at the moment 1000.
fn primary(voters: &[u32]) -> Core {
    let mut core = Core::new(node(1), Durable::default(), 0);
    let target = Target::Primary { term: 1, create: false };
    core.on_assignment(assignment(1, target, voters), 1_000).expect("accepted");
    core.on_worker(serving(1), 1_000);
    core
}

#[test]
fn a_primary_without_voters_needs_no_lease() {
    assert_eq!(primary(&[]).gate(1_000), Gate::Solo);
}

#[test]
fn a_lease_counts_from_the_sending_of_the_request() {
    let mut core = primary(&[2, 3]);
    assert_eq!(core.gate(1_000), Gate::Closed);
    let report = core.report(1_000);
    core.on_server_grant(report.number, 1);
    assert_eq!(core.gate(2_000), Gate::Until(1_000 + LEASE));
    assert_eq!(core.gate(1_000 + LEASE), Gate::Closed);
    core.on_server_grant(report.number + 7, 1);
    assert_eq!(core.gate(1_000 + LEASE), Gate::Closed, "a request that was never made");
}

#[test]
fn enough_voters_renew_it_without_a_server() {
    let mut core = primary(&[2, 3, 4]);
    core.ask_voters(7, 1_000).expect("it asks");
    core.on_peer(&node(2), PeerBody::LeaseAck { term: 1, nonce: 7 }, 1_010);
    assert_eq!(core.gate(1_020), Gate::Closed, "one of three is not enough");
    core.on_peer(&node(9), PeerBody::LeaseAck { term: 1, nonce: 7 }, 1_010);
    assert_eq!(core.gate(1_020), Gate::Closed, "a stranger's does not count");
    core.ask_voters(8, 1_500);
    core.on_peer(&node(3), PeerBody::LeaseAck { term: 1, nonce: 8 }, 1_510);
    assert_eq!(core.gate(1_520), Gate::Until(1_000 + LEASE), "as old as the older of the two");
}

#[test]
fn a_promise_ends_the_granting_and_the_serving_of_earlier_terms() {
    let mut core = primary(&[2, 3]);
    let report = core.report(1_000);
    core.on_server_grant(report.number, 1);
    let mut later = assignment(2, Target::Primary { term: 1, create: false }, &[2, 3]);
    later.promise = 2;
    core.on_assignment(later, 1_100).expect("accepted");
    assert_eq!(core.gate(1_100), Gate::Closed);
    assert_eq!(core.fenced(), Some(1));
    let answer = core.on_peer(&node(2), PeerBody::LeaseRequest { term: 1, nonce: 1 }, 1_100);
    assert_eq!(answer, Some(PeerBody::LeaseRefused { promised: 2, nonce: 1 }));
    assert_eq!(core.promised(), 0, "it is told only once it is on the disk");
    core.on_saved(core.unsaved().expect("to save").clone());
    assert_eq!(core.promised(), 2);
    assert_eq!(core.report(1_200).lease_request, None);
}

#[test]
fn a_refusal_closes_the_gate_at_once() {
    let mut core = primary(&[2, 3]);
    let report = core.report(1_000);
    core.on_server_grant(report.number, 1);
    core.ask_voters(7, 1_000);
    core.on_peer(&node(2), PeerBody::LeaseRefused { promised: 2, nonce: 7 }, 1_010);
    assert_eq!((core.gate(1_020), core.fenced()), (Gate::Closed, Some(1)));
}

#[test]
fn a_surrendered_term_is_never_served_again_also_after_a_restart() {
    let mut core = primary(&[2, 3]);
    let given = Surrender { term: 1, position: None, clean: true };
    core.on_worker(WorkerReport { surrendered: Some(given), ..serving(1) }, 1_100);
    let saved = core.unsaved().expect("to save").clone();
    let mut again = Core::new(node(1), saved, 0);
    again.on_worker(serving(1), 10);
    let report = again.report(10);
    assert_eq!((report.lease_request, report.surrendered), (None, Some(given)));
    again.on_server_grant(report.number, 1);
    assert_eq!(again.gate(20), Gate::Closed);
}

#[test]
fn older_assignments_and_those_of_others_are_refused() {
    let mut core = primary(&[]);
    core.on_assignment(assignment(5, Target::Stopped, &[]), 0).expect("accepted");
    assert!(core.on_assignment(assignment(4, Target::Stopped, &[]), 0).is_err());
    let other = Assignment { node: node(2), ..assignment(9, Target::Stopped, &[]) };
    assert!(core.on_assignment(other, 0).is_err());
}

#[test]
fn a_worker_that_fell_silent_is_no_witness() {
    let core = primary(&[]);
    assert_eq!(core.gate(1_000 + WORKER_MS_MAX + 1), Gate::Closed);
}

#[test]
fn a_hold_lapses_by_itself() {
    let mut core = primary(&[]);
    let mut held = assignment(2, Target::Primary { term: 1, create: false }, &[]);
    held.hold = true;
    core.on_assignment(held, 2_000).expect("accepted");
    assert_eq!(core.routes(2_100).expect("routes").primary, None);
    assert!(core.routes(4_100).expect("routes").primary.is_some());
}
