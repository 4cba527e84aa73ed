//! A node of a cluster in which every node accepts writes: what its engine says of the group that
//! the engines form among themselves. Which members may write is decided by the engines' own
//! majority.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::id::NodeId;
use crate::replication::Term;

/// The fewest nodes with which a majority is left when one is lost.
pub const MEMBERS_MIN: u32 = 3;

/// What a driver finds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The engine's own word for its state; empty while it does not run.
    pub state: String,
    /// It belongs to the part of the group that has the majority.
    pub in_quorum: bool,
    /// And has everything that the others have, so that clients may be let in.
    pub ready: bool,
    /// The members that its engine is in touch with.
    pub peers: BTreeSet<NodeId>,
    /// Names the history that its data belongs to.
    pub history: String,
    /// How many changes of that history its data holds, where that is certain: while the engine
    /// does not run.
    pub end: Option<u64>,
}

/// What a worker says of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberReport {
    /// Of the orders that it has taken.
    pub term: Term,
    /// It is to begin the group, or does so just now.
    pub founds: bool,
    /// It has tried to begin the group under that term, and does not do so again.
    pub has_founded: bool,
    /// Its engine has run without the majority for longer than it takes to be found again.
    pub is_lost: bool,
    pub standing: Standing,
}
