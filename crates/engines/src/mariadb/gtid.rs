//! Global transaction ids. The primary of a term has the term as its server id, and replicas have
//! ids that no term reaches: so the last id of a log says how far it goes, and under which term.

use bellwether_model::Term;
use bellwether_model::replication::Position;

/// Server ids of replicas begin here, by the ordinal of the node.
const REPLICAS: u64 = 1 << 31;

/// The server id of a replica.
pub(super) fn replica_id(ordinal: u32) -> u64 {
    REPLICAS + u64::from(ordinal)
}

/// The server id of a term's primary.
pub(super) fn primary_id(term: Term) -> u64 {
    term.clamp(1, REPLICAS - 1)
}

/// Where a log ends that goes up to these ids, one for each domain: `0-3-250`.
pub(super) fn position(ids: &str) -> Position {
    ids.split(',').find_map(parse).unwrap_or_default()
}

/// An id of our domain.
pub(super) fn parse(id: &str) -> Option<Position> {
    let mut parts = id.trim().split('-');
    let (domain, server, sequence) = (parts.next()?, parts.next()?, parts.next()?);
    let server: u64 = server.parse().ok()?;
    (domain == "0" && parts.next().is_none())
        .then_some(Position { timeline: server, offset: sequence.parse().ok()? })
}

/// The id at that place.
pub(super) fn id(place: Position) -> String {
    match place.offset {
        0 => String::new(),
        sequence => format!("0-{}-{sequence}", place.timeline),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_our_domain_says_how_far_a_log_goes() {
        assert_eq!(position("0-3-250"), Position { timeline: 3, offset: 250 });
        assert_eq!(position("1-7-9, 0-4-12"), Position { timeline: 4, offset: 12 });
        assert_eq!(position(""), Position::default());
        assert_eq!(id(Position { timeline: 3, offset: 250 }), "0-3-250");
        assert_eq!(id(Position::default()), "");
    }

    #[test]
    fn no_term_reaches_the_id_of_a_replica() {
        assert_eq!(primary_id(7), 7);
        assert!(primary_id(u64::MAX) < replica_id(0));
    }
}
