//! The log of a cluster, kept in a repository beside its backups: with a backup and the log since
//! then, the data of any moment in between can be had again.

use serde::{Deserialize, Serialize};

use crate::id::{BackupId, ClusterId, RepositoryId};
use crate::replication::Position;
use crate::time::Timestamp;

/// What is known of a piece of log wherever it is found: kept with it in the repository, so that a
/// server that never heard of it can restore from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogPiece {
    /// Its name in the repository.
    pub id: BackupId,
    pub cluster: ClusterId,
    /// Names the stretch that it is of: between pieces of one stretch there is no gap.
    pub stretch: String,
    /// Where it begins: a place in the log that the pieces before hold.
    pub from: Position,
    /// Where it ends.
    pub to: Position,
    /// What was acknowledged before is in it, or in the pieces before.
    pub until: Timestamp,
    /// Where each timeline ended that the one of `to` goes back to, the first one first.
    #[serde(default)]
    pub history: Vec<Position>,
    /// Bytes in it.
    pub size: u64,
}

impl LogPiece {
    /// Whether that place is in the history that this piece ends.
    #[must_use]
    pub fn goes_back_to(&self, place: Position) -> bool {
        let end = match place.timeline == self.to.timeline {
            true => Some(self.to.offset),
            false => {
                let mut ends = self.history.iter();
                ends.find(|end| end.timeline == place.timeline).map(|end| end.offset)
            }
        };
        end.is_some_and(|end| place.offset <= end)
    }
}

/// A piece, and where it lies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptPiece {
    pub piece: LogPiece,
    pub repository: RepositoryId,
    /// The tool's name of it.
    pub archive: String,
    /// Since when nothing needs it any more. It is removed with others like it, for each removal
    /// costs much and the room that a single one takes is little.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needless_since: Option<Timestamp>,
}

/// A piece that an agent has stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredPiece {
    pub piece: LogPiece,
    pub archive: String,
}

/// What an agent says of the log that it stores.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogReport {
    pub stretch: String,
    /// What it has stored and the server does not know of yet, as far as the agent knows.
    #[serde(default)]
    pub pieces: Vec<StoredPiece>,
    /// What was acknowledged before is stored.
    #[serde(default)]
    pub until: Option<Timestamp>,
    /// Why the last attempt failed; none when it did not.
    #[serde(default)]
    pub failure: Option<String>,
    /// Log that was to be stored next is gone, in words: the stretch has ended.
    #[serde(default)]
    pub gap: Option<String>,
}

/// What is known of a cluster's log in its repository, in short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogStanding {
    /// The stretch that is being stored.
    pub stretch: String,
    pub repository: RepositoryId,
    pub began_at: Timestamp,
    /// It is stored to there; what comes later is held on every node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Position>,
    /// What was acknowledged before is stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// There is a complete backup that the stretch goes on from.
    #[serde(default)]
    pub has_base: bool,
    /// When such a backup was last begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_asked_at: Option<Timestamp>,
    /// Why the last attempt failed; none when it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// Why there is a gap before this stretch. It is said until there is a backup after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gap: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(timeline: u64, offset: u64) -> Position {
        Position { timeline, offset }
    }

    #[test]
    fn a_place_after_the_fork_is_of_another_history() {
        let piece = LogPiece {
            id: "p".into(),
            cluster: "c".into(),
            stretch: "s".into(),
            from: at(1, 400),
            to: at(5, 600),
            until: Timestamp::from_millis(0),
            history: vec![at(1, 450)],
            size: 0,
        };
        assert!(piece.goes_back_to(at(1, 450)) && piece.goes_back_to(at(5, 600)));
        assert!(!piece.goes_back_to(at(1, 451)) && !piece.goes_back_to(at(5, 601)));
        assert!(!piece.goes_back_to(at(3, 100)), "a timeline that it knows nothing of");
    }
}
