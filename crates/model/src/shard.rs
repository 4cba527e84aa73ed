//! Shards: a sharded cluster is several groups, each with a part of the keys. A shard is a cluster
//! of its own, with its own primary, term and votes, that is listed with the one it is part of.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::cluster::ClusterPhase;
use crate::id::{ClusterId, NodeId};
use crate::replication::Term;

/// Every key belongs to one of so many slots, and every slot to one shard.
pub const SLOTS: u16 = 16_384;

/// Nodes that a shard has at most: its addresses are chosen when the whole is made.
pub const NODES_OF_SHARD_MAX: usize = 4;

/// Slots from one to another, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
pub struct SlotRange {
    pub first: u16,
    pub last: u16,
}

/// What makes a cluster a shard of another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Shard {
    /// The cluster that it is part of.
    pub of: ClusterId,
    /// Counts shards within that cluster from 0.
    pub index: u32,
    /// The keys it has. Written here before any engine is told.
    pub slots: Vec<SlotRange>,
    /// Some of them are on their way to another shard; they are of this one until they have gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leaving: Option<SlotMove>,
    /// Some of another shard's are on their way here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coming: Option<SlotMove>,
}

/// Slots that go from one shard to another, written down with both. It is between two primaries:
/// with another term of either it begins anew, under another token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SlotMove {
    /// Names the attempt. Once another is in its place, what was done for it counts for nothing.
    pub token: String,
    pub slots: Vec<SlotRange>,
    pub from: MoveEnd,
    pub to: MoveEnd,
}

/// A shard that slots leave or come to, and who is its primary.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MoveEnd {
    pub shard: ClusterId,
    pub primary: NodeId,
    pub term: Term,
    /// So many replicas vote for who follows it as the primary.
    pub voters: u32,
}

/// How far the primary of a shard has come with slots that leave it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MoveReport {
    pub token: String,
    pub state: MoveState,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum MoveState {
    /// So many keys are copied.
    Copying { keys: u64 },
    /// The other shard holds all keys of these slots, its replicas included, and this one takes no
    /// writes to them any more, until the move is made or another token is in force.
    Sealed { slots: Vec<SlotRange>, keys: u64 },
    /// It has to begin anew, under another token.
    Failed { reason: String },
}

/// A shard as the API shows it with its cluster. By its name it is shown and asked like a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ShardView {
    pub id: ClusterId,
    pub name: String,
    pub phase: ClusterPhase,
    /// One sentence on its state, for people.
    pub sentence: String,
    pub slots: Vec<SlotRange>,
    /// The primary's name, where there is one.
    pub primary_name: Option<String>,
}

/// The name of a shard: that of its cluster and its number for people, from 1.
#[must_use]
pub fn shard_name(cluster: &str, index: u32) -> String {
    format!("{cluster}-s{}", index + 1)
}

/// All slots, divided evenly: no part has two more than another.
#[must_use]
pub fn divide(shards: u32) -> Vec<SlotRange> {
    let (all, shards) = (u32::from(SLOTS), shards.clamp(1, u32::from(SLOTS)));
    let at = |index: u32| u16::try_from(index * all / shards).unwrap_or(SLOTS);
    (0..shards).map(|index| SlotRange { first: at(index), last: at(index + 1) - 1 }).collect()
}

/// How many slots there are in these ranges.
#[must_use]
pub fn count(ranges: &[SlotRange]) -> u32 {
    ranges.iter().map(|range| u32::from(range.last - range.first) + 1).sum()
}

/// Every slot in these ranges.
pub fn slots_of(ranges: &[SlotRange]) -> impl DoubleEndedIterator<Item = u16> {
    ranges.iter().flat_map(|range| range.first..=range.last)
}

/// These slots, which are in order, in ranges.
#[must_use]
pub fn ranges(slots: impl IntoIterator<Item = u16>) -> Vec<SlotRange> {
    let mut all: Vec<SlotRange> = Vec::new();
    for slot in slots {
        match all.last_mut().filter(|range| range.last + 1 == slot) {
            Some(range) => range.last = slot,
            None => all.push(SlotRange { first: slot, last: slot }),
        }
    }
    all
}

fn is_in(ranges: &[SlotRange], slot: u16) -> bool {
    ranges.iter().any(|range| (range.first..=range.last).contains(&slot))
}

/// Those slots that are not among these, in ranges.
#[must_use]
pub fn without(all: &[SlotRange], those: &[SlotRange]) -> Vec<SlotRange> {
    ranges((0..SLOTS).filter(|slot| is_in(all, *slot) && !is_in(those, *slot)))
}

/// Those slots and these, in ranges.
#[must_use]
pub fn with(some: &[SlotRange], others: &[SlotRange]) -> Vec<SlotRange> {
    ranges((0..SLOTS).filter(|slot| is_in(some, *slot) || is_in(others, *slot)))
}

/// Which slots go next, and between which shards, so that in the end the first `shards` of these
/// have all of them, evenly; none when they do. At most so many go at once.
#[must_use]
pub fn next_move(
    held: &[Vec<SlotRange>],
    shards: u32,
    most: u32,
) -> Option<(usize, usize, Vec<SlotRange>)> {
    let counts: Vec<u32> = held.iter().map(|ranges| count(ranges)).collect();
    let stay = (shards as usize).min(held.len());
    let (least, all) = (u32::from(SLOTS) / shards.max(1), counts.get(..stay)?);
    let most_each = u32::from(SLOTS).div_ceil(shards.max(1));
    let to = (0..stay).min_by_key(|index| all[*index])?;
    // What has to go altogether goes first, then of whoever has the most.
    let goes = (stay..held.len()).find(|index| counts[*index] > 0);
    let (from, wanted) = match goes {
        Some(from) => (from, most_each.saturating_sub(all[to]).max(1)),
        None => {
            let from = (0..stay).rev().max_by_key(|index| all[*index])?;
            if all[from] - all[to] <= 1 {
                return None;
            }
            let missing = least.saturating_sub(all[to]).max(1);
            (from, all[from].saturating_sub(most_each).max(1).min(missing))
        }
    };
    let taken = wanted.min(most.max(1)) as usize;
    let mut slots: Vec<u16> = slots_of(&held[from]).rev().take(taken).collect();
    slots.reverse();
    Some((from, to, ranges(slots)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(first: u16, last: u16) -> SlotRange {
        SlotRange { first, last }
    }

    #[test]
    fn slots_are_subtracted_and_put_together() {
        let all = [range(0, 10), range(20, 20)];
        assert_eq!(without(&all, &[range(3, 4), range(9, 30)]), [range(0, 2), range(5, 8)]);
        assert_eq!(without(&all, &[]), all);
        assert!(without(&all, &[range(0, 100)]).is_empty());
        assert_eq!(with(&all, &[range(11, 19)]), [range(0, 20)]);
        assert_eq!((count(&all), ranges(slots_of(&all))), (12, all.to_vec()));
    }

    /// Moves until nothing is left to move; how many slots went.
    fn settle(held: &mut [Vec<SlotRange>], shards: u32) -> u32 {
        let mut moved = 0;
        for _ in 0..10_000 {
            let Some((from, to, slots)) = next_move(held, shards, 512) else { return moved };
            assert!(from != to && count(&slots) <= 512 && to < shards as usize);
            assert!(without(&slots, &held[from]).is_empty(), "it has what it gives");
            held[from] = without(&held[from], &slots);
            held[to] = with(&held[to], &slots);
            moved += count(&slots);
        }
        panic!("it does not come to an end: {held:?}");
    }

    #[test]
    fn slots_move_evenly_and_no_more_of_them_than_has_to_be() {
        for (before, after) in [(1u32, 2u32), (3, 4), (4, 3), (8, 3), (5, 8), (3, 7), (2, 2)] {
            let mut held: Vec<Vec<SlotRange>> =
                divide(before).into_iter().map(|part| vec![part]).collect();
            held.resize(before.max(after) as usize, Vec::new());
            let moved = settle(&mut held, after);
            let counts: Vec<u32> = held.iter().map(|ranges| count(ranges)).collect();
            let (stay, go) = counts.split_at(after as usize);
            let (least, most) = (stay.iter().min(), stay.iter().max());
            assert!(most <= least.map(|least| least + 1).as_ref(), "{counts:?}");
            assert_eq!((go.iter().sum(), counts.iter().sum()), (0u32, u32::from(SLOTS)));
            let has_to = u32::from(SLOTS) * before.abs_diff(after) / before.max(after);
            assert!(moved <= has_to + after, "{before} to {after}: {moved} of {has_to}");
            assert_eq!(settle(&mut held, after), 0, "then it stays so");
        }
    }

    #[test]
    fn a_move_that_was_begun_otherwise_is_gone_on_with() {
        let mut held = vec![vec![range(0, 9_000)], vec![range(9_001, 16_000)], Vec::new()];
        held.push(vec![range(16_001, 16_383)]);
        settle(&mut held, 3);
        let counts: Vec<u32> = held.iter().map(|ranges| count(ranges)).collect();
        assert_eq!(counts.iter().sum::<u32>(), u32::from(SLOTS));
        assert_eq!((counts[3], counts.iter().max().copied()), (0, Some(5462)));
    }

    #[test]
    fn every_slot_goes_to_one_shard_and_none_gets_many_more() {
        for shards in [1, 2, 3, 5, 8] {
            let parts = divide(shards);
            assert_eq!(parts.len(), shards as usize);
            assert_eq!((parts[0].first, parts[parts.len() - 1].last), (0, SLOTS - 1));
            let sizes: Vec<u16> = parts.iter().map(|part| part.last - part.first + 1).collect();
            assert!(sizes.iter().max() <= sizes.iter().min().map(|least| least + 1).as_ref());
            assert!(parts.windows(2).all(|pair| pair[0].last + 1 == pair[1].first));
        }
    }
}
