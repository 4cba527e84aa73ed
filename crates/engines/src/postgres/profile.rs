//! PostgreSQL's facts.

use bellwether_model::engine::{
    Capabilities, EnginePorts, EngineProfile, ReplicationFact, TopologyFact,
};

/// The stored name.
pub const NAME: &str = "postgresql";

#[must_use]
pub fn profile() -> EngineProfile {
    EngineProfile {
        name: NAME.to_owned(),
        title: "PostgreSQL".to_owned(),
        summary: "The relational database, with streaming replication.".to_owned(),
        versions: ["17", "18", "15"].map(str::to_owned).into(),
        topologies: vec![
            TopologyFact {
                name: "single".to_owned(),
                title: "Single".to_owned(),
                summary: "One primary and no copy; replicas can be added later.".to_owned(),
                nodes_min: 1,
                nodes_max: 1,
            },
            TopologyFact {
                name: "primary_replicas".to_owned(),
                title: "Primary and replicas".to_owned(),
                summary:
                    "One primary accepts writes; each replica is a full copy that serves reads \
                          and can take over."
                        .to_owned(),
                nodes_min: 2,
                nodes_max: 9,
            },
        ],
        replication_modes: replication_modes(),
        memory_min: 256 << 20,
        disk_min: 1 << 30,
        ports: EnginePorts {
            gate: 5432,
            read_write: 5000,
            read_only: 5001,
            private: 5431,
            read_gate: 5433,
            peer: 5440,
        },
        capabilities: Capabilities {
            synchronous: true,
            point_in_time: false,
            multi_primary: false,
            sharded: false,
        },
        parameters: super::parameters::parameters(),
        owned_parameters: super::parameters::owned(),
    }
}

fn replication_modes() -> Vec<ReplicationFact> {
    let mode = |name: &str, title: &str, summary: &str| ReplicationFact {
        name: name.to_owned(),
        title: title.to_owned(),
        summary: summary.to_owned(),
    };
    vec![
        mode(
            "async",
            "Asynchronous",
            "The quickest writes. With a lost primary its last writes may be lost.",
        ),
        mode(
            "prefer",
            "Synchronous where possible",
            "A replica confirms each write while one can; writes go on without when none can.",
        ),
        mode(
            "strict",
            "Synchronous",
            "A replica confirms each write; without a replica writes wait. No acknowledged \
                 write is lost with the primary.",
        ),
        mode(
            "quorum",
            "Quorum",
            "As many replicas as you choose confirm each write; with fewer, writes wait.",
        ),
    ]
}
