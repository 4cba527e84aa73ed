//! The starts of the server, each with a name of its own: an agent that was told something by one
//! that this store does not know of was told it by another, later copy of the store.

use serde::{Deserialize, Serialize};

use crate::Object;

/// So many starts are remembered.
const STARTS_MAX: usize = 1_000;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lineage {
    /// The oldest first; the last is the one that runs.
    pub starts: Vec<Start>,
    /// An agent has shown that this store is an older copy than one that was in use.
    #[serde(default)]
    pub is_restored: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    pub epoch: String,
    /// The store's revision when the next one began.
    pub ended_at: Option<u64>,
}

impl Object for Lineage {
    const KIND: &'static str = "lineage";

    fn key(&self) -> String {
        Self::KEY.to_owned()
    }
}

impl Lineage {
    /// There is one.
    pub const KEY: &'static str = "server";

    /// Another start begins, at that revision.
    pub fn begin(&mut self, epoch: String, revision: u64) {
        if let Some(last) = self.starts.last_mut() {
            last.ended_at = Some(revision);
        }
        self.starts.push(Start { epoch, ended_at: None });
        let too_many = self.starts.len().saturating_sub(STARTS_MAX);
        self.starts.drain(..too_many);
    }

    /// Whether this store, which is at that revision, gave the assignment `seq` in that start. One
    /// without a name was given before starts had any.
    #[must_use]
    pub fn gave(&self, epoch: &str, seq: u64, revision: u64) -> bool {
        if epoch.is_empty() {
            return seq <= revision;
        }
        let start = self.starts.iter().find(|start| start.epoch == epoch);
        start.is_some_and(|start| seq <= start.ended_at.unwrap_or(revision))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_later_copy_gave_is_not_known() {
        let mut lineage = Lineage::default();
        lineage.begin("a".to_owned(), 0);
        assert!(lineage.gave("a", 10, 10));
        let mut copy = lineage.clone();
        lineage.begin("b".to_owned(), 20);
        copy.begin("c".to_owned(), 12);
        assert!(lineage.gave("a", 15, 30) && !copy.gave("a", 15, 30), "it was given later");
        assert!(!copy.gave("b", 13, 30) && copy.gave("c", 13, 30));
        for number in 0..2_000 {
            copy.begin(number.to_string(), 40);
        }
        assert_eq!(copy.starts.len(), STARTS_MAX);
    }
}
