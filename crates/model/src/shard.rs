//! Shards: a sharded cluster is several groups, each with a part of the keys. A shard is a cluster
//! of its own, with its own primary, term and votes, that is listed with the one it is part of.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::cluster::ClusterPhase;
use crate::id::ClusterId;

/// Every key belongs to one of so many slots, and every slot to one shard.
pub const SLOTS: u16 = 16_384;

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
    /// The keys it has.
    pub slots: Vec<SlotRange>,
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

#[cfg(test)]
mod tests {
    use super::*;

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
