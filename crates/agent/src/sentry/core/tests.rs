use bellwether_model::cluster::NodeSize;
use bellwether_model::engine::EnginePorts;
use bellwether_model::group::TimerProfile;
use bellwether_model::{Bytes, ClusterId, GroupConfig, JointConfig, ReplicationMode};
use bellwether_protocol::assignment::{EngineAssignment, Group, Member, Secrets};
use bellwether_protocol::local::{EngineFigures, HostFigures};

use super::*;

const LEASE: u64 = 3_000;

fn node(n: u32) -> NodeId {
    NodeId::from(format!("n{n}"))
}

fn member(n: u32) -> Member {
    Member {
        node: node(n),
        name: format!("demo-{n}"),
        ordinal: n,
        address: format!("10.0.0.{n}"),
        address6: String::new(),
        admitted: true,
    }
}

fn assignment(seq: u64, target: Target, voters: &[u32]) -> Assignment {
    let config = GroupConfig {
        version: 1,
        voters: voters.iter().map(|n| node(*n)).collect(),
        acks: 0,
        strict: false,
    };
    Assignment {
        epoch: String::new(),
        certificates: 0,
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
                bus: 0,
            },
            size: NodeSize { cpus: 1.0, memory: Bytes::gib(1), disk: Bytes::gib(1) },
            parameters: Default::default(),
            parameters_version: 0,
            restart: false,
        },
        timers: TimerProfile::Lan.timers(),
        mode: ReplicationMode::Async,
        multi_primary: false,
        group: Group {
            term: 1,
            primary: Some(node(1)),
            config: JointConfig { current: config, ..JointConfig::default() },
            members: (1..=5).map(member).collect(),
        },
        promise: 1,
        target,
        copy: None,
        drill: None,
        backup: None,
        log: None,
        restore: None,
        replace: None,
        check: None,
        prepare: false,
        hold: false,
        drained: false,
        read_lag_max: 0,
        admission: Default::default(),
        sharding: None,
        databases: Default::default(),
        secrets: Secrets::default(),
    }
}

fn open_until(end: u64) -> Kernel {
    Kernel { open_until: Some(end), admission: None }
}

fn serving(term: Term) -> WorkerReport {
    WorkerReport {
        failed: None,
        actual: Actual::Primary { term },
        doing: String::new(),
        progress: None,
        serving: Some(term),
        position: None,
        position_age_ms: 0,
        log_end: None,
        applied: None,
        cut_for: 0,
        upstream_age_ms: None,
        followers: Vec::new(),
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
    }
}

/// A primary of term 1 whose engine serves, with these voters, at the moment 1000.
fn primary(voters: &[u32]) -> Core {
    let mut core = Core::new("c".into(), node(1), Durable::default(), 0);
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
    let report = core.report(&Kernel::default(), 1_000);
    core.on_server_grant(report.number, 1, 0);
    assert_eq!(core.gate(2_000), Gate::Until(1_000 + LEASE));
    assert_eq!(core.gate(1_000 + LEASE), Gate::Closed);
    core.on_server_grant(report.number + 7, 1, 0);
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
    let report = core.report(&Kernel::default(), 1_000);
    core.on_server_grant(report.number, 1, 0);
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
    assert_eq!(core.report(&Kernel::default(), 1_200).lease_request, None);
}

#[test]
fn a_refusal_closes_the_gate_at_once() {
    let mut core = primary(&[2, 3]);
    let report = core.report(&Kernel::default(), 1_000);
    core.on_server_grant(report.number, 1, 0);
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
    let mut again = Core::new("c".into(), node(1), saved, 0);
    again.on_worker(serving(1), 10);
    let report = again.report(&Kernel::default(), 10);
    assert_eq!((report.lease_request, report.surrendered), (None, Some(given)));
    again.on_server_grant(report.number, 1, 0);
    assert_eq!(again.gate(20), Gate::Closed);
}

#[test]
fn older_assignments_and_those_of_others_are_refused() {
    let mut core = primary(&[]);
    core.on_assignment(assignment(5, Target::Stopped, &[]), 0).expect("accepted");
    assert!(core.on_assignment(assignment(4, Target::Stopped, &[]), 0).is_err());
    let other = Assignment { node: node(2), ..assignment(9, Target::Stopped, &[]) };
    assert!(core.on_assignment(other, 0).is_err());
    let other = Assignment { cluster: "other".into(), ..assignment(9, Target::Stopped, &[]) };
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

/// A replica of node 2, which is primary of term 1.
fn voter() -> Core {
    let mut core = Core::new("c".into(), node(1), Durable::default(), 500);
    let target = Target::Replica { upstream: node(2), term: 1 };
    core.on_assignment(assignment(1, target, &[1, 3]), 600).expect("accepted");
    core
}

#[test]
fn a_request_heard_before_says_nothing_and_is_not_answered() {
    let mut core = voter();
    let request = |nonce| PeerBody::LeaseRequest { term: 1, nonce };
    assert!(core.on_peer(&node(2), request(50), 1_000).is_some());
    for nonce in [50, 49] {
        assert_eq!(core.on_peer(&node(2), request(nonce), 2_000), None);
    }
    assert_eq!(core.report(&Kernel::default(), 3_000).lease_request_age_ms, Some(2_000));
    assert!(core.on_peer(&node(2), request(51), 3_000).is_some());
    assert_eq!(core.on_peer(&node(9), request(60), 3_000), None, "no member");
    // A sentry whose clock was set back is heard again after a while.
    assert_eq!(core.on_peer(&node(2), request(1), 3_000 + 10 * LEASE), None);
    assert!(core.on_peer(&node(2), request(2), 3_001 + 10 * LEASE).is_some());
}

#[test]
fn what_was_granted_last_below_the_promise_is_told() {
    let mut core = voter();
    assert_eq!(
        core.report(&Kernel::default(), 700).last_ack_age_ms,
        Some(200),
        "perhaps just before it started"
    );
    core.on_peer(&node(2), PeerBody::LeaseRequest { term: 1, nonce: 1 }, 1_000);
    let mut later = assignment(2, Target::Replica { upstream: node(2), term: 1 }, &[1, 3]);
    later.promise = 2;
    core.on_assignment(later, 1_500).expect("accepted");
    assert_eq!(core.report(&Kernel::default(), 2_000).last_ack_age_ms, Some(1_000));
    // Of the new term's lease the next election hears only once it asks for a promise above it.
    core.on_peer(&node(3), PeerBody::LeaseRequest { term: 2, nonce: 1 }, 2_500);
    assert_eq!(core.report(&Kernel::default(), 3_000).last_ack_age_ms, Some(2_000));
}

#[test]
fn voters_of_both_configurations_renew_while_one_changes_to_the_other() {
    let mut core = primary(&[2]);
    let mut joint = assignment(2, Target::Primary { term: 1, create: false }, &[2]);
    let next = GroupConfig { version: 2, voters: [node(3)].into(), acks: 0, strict: false };
    joint.group.config.next = Some(next);
    core.on_assignment(joint, 1_000).expect("accepted");
    core.ask_voters(7, 1_000);
    core.on_peer(&node(2), PeerBody::LeaseAck { term: 1, nonce: 7 }, 1_010);
    assert_eq!(core.gate(1_020), Gate::Closed);
    core.on_peer(&node(3), PeerBody::LeaseAck { term: 1, nonce: 7 }, 1_010);
    assert_eq!(core.gate(1_020), Gate::Until(1_000 + LEASE));
}

#[test]
fn a_sentry_started_again_is_closed_until_it_has_a_new_lease() {
    let mut core = primary(&[2, 3]);
    let report = core.report(&Kernel::default(), 1_000);
    core.on_server_grant(report.number, 1, 0);
    let saved = core.unsaved().expect("to save").clone();
    let mut again = Core::new("c".into(), node(1), saved, 1_100);
    again.on_worker(serving(1), 1_100);
    assert_eq!(again.gate(1_100), Gate::Closed);
    again.on_server_grant(report.number, 1, 0);
    assert_eq!(again.gate(1_100), Gate::Closed, "granted to the one before");
    let report = again.report(&Kernel::default(), 1_200);
    again.on_server_grant(report.number, 1, 0);
    assert_eq!(again.gate(1_300), Gate::Until(1_200 + LEASE));
}

#[test]
fn a_lease_of_another_term_opens_nothing() {
    let mut core = primary(&[2, 3]);
    let report = core.report(&Kernel::default(), 1_000);
    core.on_server_grant(report.number, 1, 0);
    let next = assignment(2, Target::Primary { term: 2, create: false }, &[2, 3]);
    core.on_assignment(next, 1_100).expect("accepted");
    assert_eq!(core.gate(1_100), Gate::Closed, "the worker serves term 1");
    core.on_worker(serving(2), 1_100);
    assert_eq!(core.gate(1_100), Gate::Closed, "the lease is of term 1");
    let report = core.report(&Kernel::default(), 1_200);
    core.on_server_grant(report.number, 2, 0);
    assert_eq!(core.gate(1_300), Gate::Until(1_200 + LEASE));
}

#[test]
fn a_report_says_what_the_kernel_was_told() {
    let mut core = primary(&[2, 3]);
    assert!(!core.report(&Kernel::default(), 1_000).gate.open);
    let gate = core.report(&open_until(3_000), 1_000).gate;
    assert_eq!((gate.open, gate.term, gate.remaining_ms), (true, 1, Some(2_000)));
    assert!(!core.report(&open_until(900), 1_000).gate.open);
}

#[test]
fn what_the_endpoint_has_measured_is_told_until_it_says_otherwise() {
    let mut core = primary(&[2]);
    assert_eq!(core.report(&Kernel::default(), 1_000).gaps, []);
    let gap = WriteGap { term: 2, ms: 240, slack_ms: 0 };
    core.on_gaps(vec![gap]);
    for now in [1_100, 9_000] {
        assert_eq!(
            core.report(&Kernel::default(), now).gaps,
            [gap],
            "the server may have been away"
        );
    }
}

#[test]
fn a_primary_whose_worker_or_disk_is_silent_for_long_gives_its_term_up() {
    let given_up = |core: &Core| core.unsaved().and_then(|durable| durable.surrendered);
    let mut core = primary(&[2, 3]);
    core.on_time(11_000);
    assert_eq!(given_up(&core), None, "not yet");
    core.on_awakening(30_000);
    core.on_time(40_000);
    assert_eq!(given_up(&core), None, "it stood still itself");
    core.on_time(40_001);
    let given = Surrender { term: 1, position: None, clean: false };
    assert_eq!(given_up(&core), Some(given));

    let mut core = primary(&[2, 3]);
    core.on_worker(WorkerReport { disk_hangs: true, ..serving(1) }, 1_100);
    assert_eq!(given_up(&core), Some(given));
    assert_eq!(core.gate(1_100), Gate::Closed);

    let mut alone = primary(&[]);
    alone.on_worker(WorkerReport { disk_hangs: true, ..serving(1) }, 1_100);
    alone.on_time(60_000);
    assert_eq!(given_up(&alone), None, "nobody else can take over");
}

#[test]
fn a_member_of_equals_serves_while_its_worker_says_that_its_engine_has_the_majority() {
    let mut core = Core::new("c".into(), node(1), Durable::default(), 0);
    let target = Target::Member { term: 1, begun: 1, from: Some(node(2)) };
    let orders = Assignment { multi_primary: true, ..assignment(1, target, &[]) };
    core.on_assignment(orders, 1_000).expect("accepted");
    assert_eq!(core.gate(1_000), Gate::Closed);
    core.on_worker(serving(7), 1_000);
    assert_eq!(core.gate(1_100), Gate::Solo, "whatever the term");
    assert!(core.read_gate_ms(1_100) > 0);
    assert!(core.ask_voters(1, 1_100).is_none(), "nobody grants it anything");
    assert_eq!(core.fenced(), None);
    let routes = core.routes(1_100).expect("routes");
    assert_eq!(routes.primary, Some(("127.0.0.1".to_owned(), 5431)));
    assert_eq!(routes.writers.first(), Some(&("10.0.0.2".to_owned(), 5432)));
    core.on_worker(WorkerReport { serving: None, ..serving(7) }, 1_200);
    assert_eq!(core.gate(1_200), Gate::Closed);
    core.on_worker(serving(7), 1_300);
    assert_eq!(core.gate(12_000), Gate::Closed, "nothing is heard of its worker");
}
