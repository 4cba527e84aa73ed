//! Clusters that seem to run: what the control loop and agents would have written.

use std::sync::Arc;
use std::time::Duration;

use bellwether_model::backup::{BackupFacts, BackupStatus};
use bellwether_model::cluster::{ClusterPhase, ClusterStatus};
use bellwether_model::group::{GroupConfig, JointConfig};
use bellwether_model::node::NodePhase;
use bellwether_model::replication::{Actual, Position, Target};
use bellwether_model::repository::Repository;
use bellwether_model::{
    Backup, Cluster, ClusterId, Node, NodeId, Operation, OperationKind, OperationStatus,
    RepositoryId, Timestamp,
};
use bellwether_protocol::Report;
use bellwether_protocol::databases::DatabasesReport;
use bellwether_protocol::local::{EngineFigures, Follower, HostFigures, WorkerReport};
use bellwether_protocol::session::GateReport;
use bellwether_store::clusters::NameClaim;
use bellwether_store::repositories::{self, SealedRepository};
use bellwether_store::secrets::{Secret, USER_PASSWORD};
use bellwether_store::{Seen, Store, Txn, backups};
use serde_json::json;

use crate::world::World;

/// The password of every cluster's user.
pub(crate) const PASSWORD: &str = "the-secret-of-the-cluster";

impl World {
    /// A cluster of so many healthy nodes, the first its primary.
    pub(crate) async fn healthy_cluster(&self, name: &str, count: u32) -> Cluster {
        let ids: Vec<NodeId> = (0..count).map(|_| NodeId::generate()).collect();
        let cluster = cluster(name, &ids);
        let claim = NameClaim { name: name.to_owned(), cluster: cluster.id.clone() };
        let secret = Secret::seal(&self.store, &cluster.id, USER_PASSWORD, PASSWORD.as_bytes());
        let txn = Txn::new().insert(&cluster).insert(&claim).insert(&secret);
        let nodes = (0..ids.len()).map(|index| node(&cluster, &ids, index));
        let txn = nodes.fold(txn, |txn, node| txn.insert(&node));
        self.store.commit(txn).await.expect("saved");
        for index in 0..ids.len() {
            publish(&self.store, &ids, index);
        }
        cluster
    }

    /// Its agents say this of databases and users, the replicas only who uses which login.
    pub(crate) fn tell_databases(&self, cluster: &Cluster, told: &DatabasesReport) {
        for node in bellwether_store::nodes::of_cluster(&self.store, &cluster.id) {
            let seen = self.store.live().get(&node.object.id).expect("it was heard");
            let mut report = seen.report.as_deref().expect("a report").clone();
            let is_primary = cluster.status.primary.as_ref() == Some(&node.object.id);
            let version = told.version.filter(|_| is_primary);
            let refused = if is_primary { told.refused.clone() } else { Vec::new() };
            let of_node = DatabasesReport { version, refused, logins: told.logins.clone() };
            report.worker.as_mut().expect("a worker").databases = Some(of_node);
            let report = Some(Arc::new(report));
            self.store.live().publish(&node.object.id, Seen { report, ..seen });
        }
    }

    /// A failover that has ended, with what it has learned.
    pub(crate) async fn ended_change(&self, cluster: &Cluster) -> Operation {
        let state = json!({
            "former_name": "drilled-2", "candidate_name": "drilled-1", "term": 1,
            "missing_bytes": 0, "unseen_ms": 0, "serving_ms": 210,
            "gaps": [{"node": "n", "node_name": "drilled-3", "ms": 240, "slack_ms": 0}],
        });
        let operation = Operation {
            status: OperationStatus::Succeeded,
            started_at: Some(Timestamp::now()),
            ended_at: Some(Timestamp::now()),
            state,
            ..Operation::queued(cluster, OperationKind::Failover, "bellwether", Timestamp::now())
        };
        self.store.commit(Txn::new().insert(&operation)).await.expect("saved");
        operation
    }

    /// A backup of that cluster, in the repository `vault`.
    pub(crate) async fn backup(&self, cluster: &Cluster, status: BackupStatus) -> Backup {
        let vault = repositories::find(&self.store, "vault");
        let vault = match vault {
            Some(known) => known.object,
            None => {
                let made = vault_of(&self.store);
                self.store.commit(Txn::new().insert(&made)).await.expect("saved");
                made
            }
        };
        let now = Timestamp::now();
        let operation = Operation::queued(cluster, OperationKind::Backup, "admin", now);
        let (mut backup, _) = backups::begin(cluster, &vault, operation, None, 0);
        backup.status = status;
        backup.facts = (status == BackupStatus::Complete).then(|| BackupFacts {
            id: backup.id.clone(),
            cluster: cluster.id.clone(),
            cluster_name: cluster.spec.name.clone(),
            spec: cluster.spec.clone(),
            node_name: "a-node".to_owned(),
            from_primary: false,
            started_at: now,
            taken_at: now,
            position: Position::default(),
            engine_version: "17.5".to_owned(),
            size: 1,
        });
        self.store.commit(Txn::new().insert(&backup)).await.expect("saved");
        backup
    }

    /// An operation that has ended.
    pub(crate) async fn ended_operation(&self, cluster: &Cluster) -> Operation {
        let operation = Operation {
            status: OperationStatus::Succeeded,
            ended_at: Some(Timestamp::now()),
            ..Operation::queued(cluster, OperationKind::AddNode, "admin", Timestamp::now())
        };
        self.store.commit(Txn::new().insert(&operation)).await.expect("saved");
        operation
    }
}

fn vault_of(store: &Store) -> SealedRepository {
    let place = json!({"kind": "s3", "endpoint": "https://s3.example.com", "bucket": "b",
                       "access_key": "access"});
    let repository = Repository {
        id: RepositoryId::generate(),
        name: "vault".to_owned(),
        place: serde_json::from_value(place).expect("a place"),
        created_at: Timestamp::now(),
        checked_at: None,
        checked_by: String::new(),
        public_key: String::new(),
    };
    SealedRepository::seal(store, repository, "the-secret-of-the-store", "the-key")
}

fn cluster(name: &str, nodes: &[NodeId]) -> Cluster {
    let count = u32::try_from(nodes.len()).expect("few");
    let spec = json!({"name": name, "engine": "postgresql", "version": "17", "nodes": count});
    let voters = nodes.iter().skip(1).cloned().collect();
    let current = GroupConfig { version: 1, voters, acks: 0, strict: false };
    Cluster {
        id: ClusterId::generate(),
        generation: 1,
        created_at: Timestamp::now(),
        spec: serde_json::from_value(spec).expect("a spec"),
        status: ClusterStatus {
            phase: ClusterPhase::Healthy,
            term: 1,
            promised: 1,
            primary: nodes.first().cloned(),
            config: JointConfig { current, ..JointConfig::default() },
            ..ClusterStatus::default()
        },
        network: None,
        next_ordinal: count + 1,
        proof_of: None,
        pending_allowlist: None,
        databases: bellwether_model::database::Databases::default(),
        shard: None,
        size_may_wait: false,
        disks_grow_in_use: false,
    }
}

fn node(cluster: &Cluster, ids: &[NodeId], index: usize) -> Node {
    let ordinal = index + 1;
    let target = match index {
        0 => Target::Primary { term: 1, create: true },
        _ => Target::Replica { upstream: ids[0].clone(), term: 1 },
    };
    Node {
        id: ids[index].clone(),
        cluster: cluster.id.clone(),
        ordinal: u32::try_from(ordinal).expect("few"),
        name: format!("{}-{ordinal}", cluster.spec.name),
        size: cluster.spec.size,
        created_at: Timestamp::now(),
        phase: NodePhase::Active,
        address: format!("192.0.2.{ordinal}"),
        address6: format!("2001:db8::{ordinal}"),
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
    }
}

/// What the agent of a healthy node reports.
fn publish(store: &Store, ids: &[NodeId], index: usize) {
    let is_primary = index == 0;
    let position = Some(Position { timeline: 1, offset: 1_000 });
    let follower = |id: &NodeId| Follower {
        node: id.clone(),
        flushed: Position { timeline: 1, offset: 1_000 },
        streaming: true,
    };
    let worker = WorkerReport {
        failed: None,
        actual: if is_primary {
            Actual::Primary { term: 1 }
        } else {
            Actual::Replica { upstream: Some(ids[0].clone()), streaming: true }
        },
        doing: String::new(),
        progress: None,
        serving: is_primary.then_some(1),
        position,
        position_age_ms: 0,
        log_end: None,
        applied: None,
        cut_for: 0,
        upstream_age_ms: (!is_primary).then_some(100),
        followers: if is_primary { ids[1..].iter().map(follower).collect() } else { Vec::new() },
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
        engine: EngineFigures { version: Some("17.5".to_owned()), ..EngineFigures::default() },
        host: HostFigures { cpu_percent: Some(1.5), ..HostFigures::default() },
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
        // It stays as fresh as it is now for as long as the test may take.
        at: tokio::time::Instant::now() + Duration::from_secs(3_600),
        since: tokio::time::Instant::now() - Duration::from_secs(60),
        connected: true,
        agent_version: "0.1.0".to_owned(),
        incarnation: "first".to_owned(),
        report: Some(Arc::new(report)),
    };
    store.live().publish(&ids[index], seen);
}
