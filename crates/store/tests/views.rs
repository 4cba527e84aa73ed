//! A cluster as decisions look at it, and the history that is kept of it.

#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use bellwether_model::cluster::ClusterSpec;
use bellwether_model::node::NodePhase;
use bellwether_model::{
    Cluster, ClusterId, ClusterStatus, Node, NodeId, Operation, OperationKind, OperationStatus,
    Target, Timestamp,
};
use bellwether_protocol::Report;
use bellwether_store::clusters::{self, NameClaim};
use bellwether_store::secrets::{PEER_KEY, Secret, USER_PASSWORD};
use bellwether_store::{Options, Seen, Store, Txn, nodes, operations, views};

fn open(directory: &Path) -> Store {
    Store::open(Options { directory: directory.to_owned() }).unwrap()
}

fn cluster(name: &str) -> Cluster {
    let spec: ClusterSpec = serde_json::from_value(serde_json::json!({
        "name": name, "engine": "postgresql", "nodes": 3
    }))
    .unwrap();
    Cluster {
        id: ClusterId::generate(),
        generation: 1,
        created_at: Timestamp::now(),
        spec,
        status: ClusterStatus::default(),
        network: None,
        next_ordinal: 4,
        proof_of: None,
        pending_allowlist: None,
        databases: bellwether_model::database::Databases::default(),
        shard: None,
        size_may_wait: false,
        disks_grow_in_use: false,
    }
}

fn node(cluster: &Cluster, ordinal: u32) -> Node {
    Node {
        id: NodeId::generate(),
        cluster: cluster.id.clone(),
        ordinal,
        name: format!("{}-{ordinal}", cluster.spec.name),
        size: cluster.spec.size,
        created_at: Timestamp::now(),
        phase: NodePhase::Active,
        address: String::new(),
        address6: String::new(),
        machine: None,
        fingerprint: None,
        joined_at: None,
        target: Target::Stopped,
        copy: None,
        settings: Default::default(),
        drill: None,
        backup: None,
        restore: None,
        replace: None,
        check: None,
    }
}

fn operation(cluster: &Cluster, status: OperationStatus) -> Operation {
    let queued = Operation::queued(cluster, OperationKind::AddNode, "admin", Timestamp::now());
    Operation { status, ..queued }
}

fn report() -> Report {
    Report {
        number: 1,
        lease_request: None,
        assignment_seq: 0,
        promised: 5,
        last_ack_age_ms: None,
        lease_request_age_ms: None,
        gate: bellwether_protocol::session::GateReport::default(),
        surrendered: None,
        open_sessions: None,
        round_trip_ms: None,
        gaps: Vec::new(),
        admission: None,
        worker_age_ms: None,
        worker: None,
    }
}

#[tokio::test]
async fn a_view_holds_what_is_stored_and_what_was_reported() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let (mut demo, other) = (cluster("demo"), cluster("other"));
    let (third, first, second) = (node(&demo, 3), node(&demo, 1), node(&demo, 2));
    let running = operation(&demo, OperationStatus::Running);
    let waiting: Vec<_> = (0..3).map(|_| operation(&demo, OperationStatus::Queued)).collect();
    demo.status.operation = Some(running.id.clone());
    let mut txn = Txn::new()
        .insert(&demo)
        .insert(&other)
        .insert(&node(&other, 1))
        .insert(&operation(&other, OperationStatus::Queued))
        .insert(&running);
    txn = [&third, &first, &second].into_iter().fold(txn, |txn, node| txn.insert(node));
    txn = waiting.iter().rev().fold(txn, |txn, operation| txn.insert(operation));
    store.commit(txn).await.unwrap();
    let at = Instant::now().checked_sub(Duration::from_millis(700)).unwrap();
    let seen = Seen {
        at,
        since: at,
        connected: true,
        agent_version: "1".to_owned(),
        incarnation: "a".to_owned(),
        report: Some(Arc::new(report())),
    };
    store.live().publish(&second.id, seen);
    store.live().set_machine_stopped(&third.id, Some(at));

    assert!(views::view(&store, &ClusterId::generate()).is_none());
    let view = views::view(&store, &demo.id).unwrap();
    assert_eq!(view.cluster, demo);
    let ordinals: Vec<_> = view.nodes.iter().map(|facts| facts.node.ordinal).collect();
    assert_eq!(ordinals, [1, 2, 3]);
    assert!(view.nodes[0].seen.is_none());
    assert!(view.nodes[1].age_ms() >= 700 && view.nodes[1].age_ms() < 60_000);
    assert_eq!(view.nodes[1].promised(), 5);
    let stopped: Vec<_> = view.nodes.iter().map(|facts| facts.machine_stopped).collect();
    assert_eq!(stopped, [false, false, true]);
    assert_eq!(view.operation, Some(running));
    assert_eq!(view.queued, waiting, "the oldest first");
    assert!(view.server_age_ms < 60_000);
    assert_eq!((view.last_failover_age_ms, view.last_failure_age_ms), (None, None));
    let of_other = nodes::of_cluster(&store, &other.id);
    assert_eq!(of_other.len(), 1);
}

#[tokio::test]
async fn an_operation_that_no_longer_runs_is_not_the_one_that_runs() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let mut demo = cluster("demo");
    let ended = operation(&demo, OperationStatus::Succeeded);
    demo.status.operation = Some(ended.id.clone());
    store.commit(Txn::new().insert(&demo).insert(&ended)).await.unwrap();
    assert!(views::view(&store, &demo.id).unwrap().operation.is_none());
}

#[tokio::test]
async fn ages_are_those_of_the_newest_and_a_clock_set_back_holds_nothing_off() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let now = Timestamp::now().as_millis();
    let mut demo = cluster("demo");
    demo.status.last_failover_at = Some(Timestamp::from_millis(now - 9_000));
    let failed = |age: i64, rule: u32, status| {
        let mut failed = operation(&demo, status);
        failed.rule = rule;
        failed.ended_at = Some(Timestamp::from_millis(now - age));
        failed
    };
    let history = [
        failed(90_000, 401, OperationStatus::Failed),
        failed(50_000, 401, OperationStatus::Failed),
        failed(5_000, 0, OperationStatus::Failed),
        failed(6_000, 401, OperationStatus::Succeeded),
    ];
    let txn = history.iter().fold(Txn::new().insert(&demo), |txn, one| txn.insert(one));
    store.commit(txn).await.unwrap();
    let view = views::view(&store, &demo.id).unwrap();
    let near = |age: Option<u64>, ms: u64| age.is_some_and(|age| (ms..ms + 30_000).contains(&age));
    assert!(near(view.last_failover_age_ms, 9_000), "{:?}", view.last_failover_age_ms);
    assert!(near(view.last_failure_age_ms, 50_000), "{:?}", view.last_failure_age_ms);

    let ahead = failed(-86_400_000, 401, OperationStatus::Failed);
    demo.status.last_failover_at = Some(Timestamp::from_millis(now + 86_400_000));
    store.commit(Txn::new().put(&demo).insert(&ahead)).await.unwrap();
    let view = views::view(&store, &demo.id).unwrap();
    assert_eq!((view.last_failover_age_ms, view.last_failure_age_ms), (None, None));
}

#[tokio::test]
async fn old_ended_operations_make_room_and_others_stay() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let (busy, quiet) = (cluster("busy"), cluster("quiet"));
    let kept = operation(&quiet, OperationStatus::Succeeded);
    let waiting = operation(&busy, OperationStatus::Queued);
    store.commit(Txn::new().insert(&kept).insert(&waiting)).await.unwrap();
    let ended: Vec<_> = (0..230).map(|_| operation(&busy, OperationStatus::Failed)).collect();
    for one in &ended {
        store.commit(Txn::new().insert(one)).await.unwrap();
    }
    store.commit(Txn::new().insert(&operation(&busy, OperationStatus::Queued))).await.unwrap();
    let left = operations::newest(&store, Some(&busy.id));
    assert_eq!(left.len(), 200 + 2);
    let oldest_ended = left.iter().rev().find(|o| o.object.status.is_ended()).unwrap();
    assert_eq!(oldest_ended.object.id, ended[30].id);
    assert_eq!(operations::newest(&store, Some(&quiet.id)).len(), 1);
    let queued = left.iter().rev().find(|o| o.object.status == OperationStatus::Queued).unwrap();
    assert_eq!(queued.object.id, waiting.id);
    assert_eq!(operations::newest(&store, None).len(), 200 + 2 + 1);
}

#[tokio::test]
async fn clusters_are_found_by_id_or_name_and_names_are_claimed_once() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let (one, two) = (cluster("demo"), cluster("demo"));
    let claim = |cluster: &Cluster| NameClaim { name: "demo".into(), cluster: cluster.id.clone() };
    store.commit(Txn::new().insert(&one).insert(&claim(&one))).await.unwrap();
    assert!(store.commit(Txn::new().insert(&two).insert(&claim(&two))).await.is_err());
    for text in ["demo", one.id.as_str()] {
        assert_eq!(clusters::find(&store, text).unwrap().object.id, one.id);
    }
    assert!(clusters::find(&store, two.id.as_str()).is_none());
}

#[tokio::test]
async fn secrets_open_for_their_cluster_only() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let (one, two) = (ClusterId::generate(), ClusterId::generate());
    let secret = Secret::seal(&store, &one, USER_PASSWORD, b"hush");
    let mut moved = secret.clone();
    moved.cluster = two.clone();
    let peer = Secret::seal(&store, &one, PEER_KEY, b"key");
    store.commit(Txn::new().put(&secret).put(&moved).put(&peer)).await.unwrap();
    assert_eq!(Secret::open(&store, &one, USER_PASSWORD).as_deref(), Some(&b"hush"[..]));
    assert!(Secret::open(&store, &two, USER_PASSWORD).is_none(), "sealed for another cluster");
    assert!(Secret::open(&store, &two, PEER_KEY).is_none());
    let keys = Secret::keys_of_cluster(&store, &one);
    assert_eq!(keys, [Secret::key_of(&one, PEER_KEY), Secret::key_of(&one, USER_PASSWORD)]);
}
