//! What a node is sent: computed from what is stored, so that two servers would send the same.

use bellwether_model::cluster::Handover;
use bellwether_model::engine::EngineProfile;
use bellwether_model::node::NodePhase;
use bellwether_model::{Cluster, Node};
use bellwether_protocol::assignment::{
    Assignment, BackupAssignment, EngineAssignment, Group, LogAssignment, Member,
    ReplaceAssignment, RestoreAssignment, Secrets, Sharding,
};
use bellwether_protocol::databases::WantedDatabases;

/// What is sent with the ways into repositories, which only the store opens.
#[derive(Default)]
pub struct Backups {
    pub backup: Option<BackupAssignment>,
    pub log: Option<LogAssignment>,
    pub restore: Option<RestoreAssignment>,
    pub replace: Option<ReplaceAssignment>,
}

/// What a shard takes from the cluster that it is part of.
pub struct Whole<'a> {
    pub cluster: &'a Cluster,
    /// The nodes of the other shards.
    pub others: &'a [Node],
}

use crate::allowlist;

/// The assignment of `node`; `seq` is the store's revision it was computed at, `epoch` names the
/// start of the server.
#[must_use]
pub fn assignment(
    (epoch, seq): (&str, u64),
    cluster: &Cluster,
    (nodes, whole): (&[Node], Option<Whole<'_>>),
    node: &Node,
    engine: &EngineProfile,
    (secrets, databases): (Secrets, WantedDatabases),
    backups: Backups,
) -> Assignment {
    let status = &cluster.status;
    let mut members: Vec<Member> = nodes.iter().map(member).collect();
    members.sort_by_key(|member| member.ordinal);
    Assignment {
        seq,
        epoch: epoch.to_owned(),
        certificates: 0,
        cluster: cluster.id.clone(),
        cluster_name: cluster.spec.name.clone(),
        node: node.id.clone(),
        node_name: node.name.clone(),
        engine: EngineAssignment {
            name: cluster.spec.engine.clone(),
            version: cluster.spec.version.clone(),
            ports: engine.ports,
            size: node.size,
            parameters: node.settings.values.clone(),
            parameters_version: node.settings.version,
            restart: node.settings.restart,
        },
        timers: cluster.spec.timers.timers(),
        mode: cluster.spec.replication,
        multi_primary: cluster.spec.multi_primary,
        group: Group {
            term: status.term,
            // Endpoints may already try the candidate: its gate opens only when it serves.
            primary: status.primary.clone().or_else(|| status.candidate.clone()),
            config: status.config.clone(),
            members,
        },
        promise: status.promised,
        target: node.target.clone(),
        copy: node.copy.clone(),
        drill: node.drill.clone(),
        backup: backups.backup,
        log: backups.log,
        restore: backups.restore,
        replace: backups.replace,
        check: node.check.clone(),
        prepare: matches!(status.handover, Handover::Prepare | Handover::Hold),
        hold: status.handover == Handover::Hold,
        drained: node.phase == NodePhase::Maintenance,
        read_lag_max: engine.log.lag_max,
        admission: allowlist::admission(whole.as_ref().map_or(cluster, |whole| whole.cluster)),
        sharding: whole.and_then(|whole| sharding(cluster, &whole)),
        databases,
        secrets,
    }
}

fn sharding(cluster: &Cluster, whole: &Whole<'_>) -> Option<Sharding> {
    let mut others: Vec<Member> = whole.others.iter().map(member).collect();
    others.sort_by(|one, other| one.name.cmp(&other.name));
    let shard = cluster.shard.as_ref()?.clone();
    Some(Sharding { slots: shard.slots, others, leaving: shard.leaving, coming: shard.coming })
}

fn member(node: &Node) -> Member {
    Member {
        node: node.id.clone(),
        name: node.name.clone(),
        ordinal: node.ordinal,
        address: node.address.clone(),
        address6: node.address6.clone(),
        admitted: node.phase == NodePhase::Active,
    }
}
