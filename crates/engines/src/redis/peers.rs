//! What engines of a sharded cluster know of each other, as they say it.

use bellwether_model::shard::SlotRange;

/// An engine that this one knows, itself included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Peer {
    pub(super) id: String,
    pub(super) is_own: bool,
    pub(super) is_replica: bool,
    /// It is no longer there, as far as this engine knows.
    pub(super) is_failed: bool,
    pub(super) is_handshake: bool,
    /// There is a way to it over the bus.
    pub(super) is_connected: bool,
    pub(super) upstream: Option<String>,
    pub(super) slots: Vec<SlotRange>,
    /// Slots of another that keys are taken of; of this engine alone, in their order.
    pub(super) importing: Vec<u16>,
}

/// What `CLUSTER NODES` says.
pub(super) fn peers(said: &str) -> Vec<Peer> {
    said.lines().filter_map(peer).collect()
}

fn peer(line: &str) -> Option<Peer> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let (id, flags, upstream) = (words.first()?, words.get(2)?, words.get(3)?);
    let has = |flag: &str| flags.split(',').any(|known| known == flag);
    // Slots that are on their way are told as `[1-<-id]`.
    let slots = words.iter().skip(8).filter_map(|word| slot_range(word)).collect();
    Some(Peer {
        id: (*id).to_owned(),
        is_own: has("myself"),
        is_replica: has("slave"),
        is_failed: has("fail") || has("fail?") || has("noaddr"),
        is_handshake: has("handshake"),
        is_connected: words.get(7) == Some(&"connected"),
        upstream: Some((*upstream).to_owned()).filter(|id| id != "-"),
        slots,
        importing: words.iter().skip(8).filter_map(|word| importing(word)).collect(),
    })
}

fn importing(word: &str) -> Option<u16> {
    word.strip_prefix('[')?.split_once("-<-")?.0.parse().ok()
}

fn slot_range(word: &str) -> Option<SlotRange> {
    let (first, last) = word.split_once('-').unwrap_or((word, word));
    Some(SlotRange { first: first.parse().ok()?, last: last.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(first: u16, last: u16) -> SlotRange {
        SlotRange { first, last }
    }

    #[test]
    fn what_engines_know_of_each_other_is_read() {
        let said = "07c3 10.0.0.2:5000@16378,,tls-port=5000 myself,slave,nofailover e7d1 0 14 4 \
                    connected\n\
                    e7d1 10.0.0.3:5000@16378 master,fail? - 0 14 4 disconnected 0-5460 7 \
                    [9-<-07c3]\n";
        let known = peers(said);
        assert!(known[0].is_own && known[0].is_replica && known[0].slots.is_empty());
        assert_eq!(known[0].upstream.as_deref(), Some("e7d1"));
        assert!(known[0].is_connected && !known[1].is_connected);
        assert!(known[1].is_failed && !known[1].is_replica && known[1].upstream.is_none());
        assert_eq!(known[1].slots, [range(0, 5460), range(7, 7)]);
        assert!(known[0].importing.is_empty());
        assert_eq!(known[1].importing, [9]);
    }
}
