//! Backups, of clusters that are and of those that were.

use bellwether_model::backup::{BackupFacts, BackupRun, BackupStatus};
use bellwether_model::cluster::ClusterStatus;
use bellwether_model::restore::Source;
use bellwether_model::{
    Backup, BackupId, Cluster, ClusterId, ClusterSpec, Operation, OperationKind, ReplicationMode,
    Timestamp,
};

use crate::clusters::NameClaim;
use crate::repositories::SealedRepository;
use crate::{Object, Store, Stored};

impl Object for Backup {
    const KIND: &'static str = "backup";

    fn key(&self) -> String {
        self.id.to_string()
    }
}

/// The backups of a cluster, or of all, the newest first.
#[must_use]
pub fn newest(store: &Store, cluster: Option<&ClusterId>) -> Vec<Stored<Backup>> {
    let mut all =
        store.list_where(|backup: &Backup| cluster.is_none_or(|id| backup.cluster == *id));
    all.reverse();
    all
}

/// A backup that begins, with the operation that takes it.
#[must_use]
pub fn begin(
    cluster: &Cluster,
    repository: &SealedRepository,
    mut operation: Operation,
    due_at: Option<Timestamp>,
    rate_kib: u64,
) -> (Backup, Operation) {
    let repository = &repository.repository;
    let backup = Backup {
        id: BackupId::generate(),
        cluster: cluster.id.clone(),
        cluster_name: cluster.spec.name.clone(),
        project: cluster.spec.project.clone(),
        repository: repository.id.clone(),
        repository_name: repository.name.clone(),
        status: BackupStatus::Running,
        started_by: operation.started_by.clone(),
        created_at: operation.created_at,
        ended_at: None,
        due_at,
        operation: Some(operation.id.clone()),
        facts: None,
        stored: None,
        took_ms: None,
        archives: Vec::new(),
        message: String::new(),
        proof: None,
        recoverable_to: None,
    };
    let run = BackupRun {
        backup: Some(backup.id.clone()),
        repository: Some(repository.id.clone()),
        repository_name: repository.name.clone(),
        rate_kib,
        due_at,
        ..BackupRun::default()
    };
    operation.state = serde_json::to_value(&run).expect("plain data");
    (backup, operation)
}

/// What is written down to try a backup: the scratch cluster, its name and the operation.
#[must_use]
pub fn begin_proof(
    backup: &Backup,
    facts: &BackupFacts,
    started_by: &str,
    now: Timestamp,
) -> (Cluster, NameClaim, Operation) {
    let id = ClusterId::generate();
    let end: String = id.as_str().chars().rev().take(8).collect();
    let spec = ClusterSpec {
        name: format!("proof-{end}"),
        nodes: 1,
        replication: ReplicationMode::Async,
        drill: None,
        backup: None,
        source: Some(Source { backup: backup.id.clone(), at: None }),
        // It serves nobody.
        allowlist: Some(Vec::new()),
        protected: false,
        ..facts.spec.clone()
    };
    let cluster = Cluster {
        id,
        generation: 1,
        created_at: now,
        status: ClusterStatus::default(),
        network: None,
        next_ordinal: 1,
        proof_of: Some(backup.id.clone()),
        pending_allowlist: None,
        databases: bellwether_model::database::Databases::default(),
        shard: None,
        size_may_wait: false,
        disks_grow_in_use: false,
        spec,
    };
    let claim = NameClaim { name: cluster.spec.name.clone(), cluster: cluster.id.clone() };
    let operation = Operation {
        cluster_name: backup.cluster_name.clone(),
        ..Operation::queued(&cluster, OperationKind::Prove, started_by, now)
    };
    (cluster, claim, operation)
}
