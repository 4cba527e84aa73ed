//! Words that profiles of several engines tell alike.

use bellwether_model::engine::{ExampleTemplate, ReplicationFact, TopologyFact, TopologyPicture};
use bellwether_model::member::MEMBERS_MIN;
use bellwether_model::shard::NODES_OF_SHARD_MAX;

/// One node, or a primary with replicas.
pub(crate) fn topologies() -> Vec<TopologyFact> {
    vec![
        TopologyFact {
            name: "single".to_owned(),
            title: "Single".to_owned(),
            summary: "One primary and no copy; replicas can be added later.".to_owned(),
            picture: TopologyPicture::Single,
            nodes_min: 1,
            nodes_max: 1,
            shards_min: 0,
            shards_max: 0,
        },
        TopologyFact {
            name: "primary_replicas".to_owned(),
            title: "Primary and replicas".to_owned(),
            summary: "One primary accepts writes; each replica is a full copy that serves reads \
                      and can take over."
                .to_owned(),
            picture: TopologyPicture::Replicas,
            nodes_min: 2,
            nodes_max: 9,
            shards_min: 0,
            shards_max: 0,
        },
    ]
}

/// Every node accepts writes.
pub(crate) fn multi_primary() -> TopologyFact {
    TopologyFact {
        name: "multi_primary".to_owned(),
        title: "Multi-primary".to_owned(),
        summary: "Every node accepts writes, and the engines' own majority decides who may; with \
                  one node lost the others go on. Clients are led to one node as long as it is \
                  well: transactions that meet on two nodes end with an error on one."
            .to_owned(),
        picture: TopologyPicture::MultiPrimary,
        nodes_min: MEMBERS_MIN,
        nodes_max: 9,
        shards_min: 0,
        shards_max: 0,
    }
}

/// Several groups, each with a part of the keys.
pub(crate) fn sharded() -> TopologyFact {
    TopologyFact {
        name: "sharded".to_owned(),
        title: "Sharded".to_owned(),
        summary: "Keys are divided over shards; each is a primary with replicas of its own and \
                  fails over by itself. Clients have to know the cluster's protocol."
            .to_owned(),
        picture: TopologyPicture::Shards,
        nodes_min: 1,
        nodes_max: NODES_OF_SHARD_MAX as u32,
        shards_min: 3,
        shards_max: 8,
    }
}

/// The modes of engines whose replicas can confirm writes; `quorum`: several can have to.
pub(crate) fn replication_modes(quorum: bool) -> Vec<ReplicationFact> {
    let mut modes = vec![
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
    ];
    if quorum {
        modes.push(mode(
            "quorum",
            "Quorum",
            "As many replicas as you choose confirm each write; with fewer, writes wait.",
        ));
    }
    modes
}

pub(crate) fn mode(name: &str, title: &str, summary: &str) -> ReplicationFact {
    ReplicationFact { name: name.to_owned(), title: title.to_owned(), summary: summary.to_owned() }
}

pub(crate) fn example(name: &str, title: &str, text: &str) -> ExampleTemplate {
    let (name, title, text) = (name.to_owned(), title.to_owned(), text.to_owned());
    ExampleTemplate { name, title, text, sharded: false }
}
