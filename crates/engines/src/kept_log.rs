//! What keeping the log has in common, whatever engine writes it: where it goes on after a change
//! of primary, and how a piece of it is stored.

use bellwether_contracts::repository::Part;
use bellwether_contracts::{Failure, Repository};
use bellwether_model::log::{LogPiece, StoredPiece};
use bellwether_model::replication::Position;
use bellwether_protocol::Assignment;
use bellwether_protocol::assignment::{LogAssignment, LogStore};
use tracing::debug;

use crate::backup::Staging;

/// What a piece of log is called in a repository.
pub(crate) const LOG_PART: &str = "log";

/// Every piece tells of so many forks at most: what is told with it goes on a command line.
const ANCESTORS_MAX: usize = 200;

/// Where this node is to store the log.
pub(crate) fn store_of(log: &LogAssignment) -> Result<&LogStore, Failure> {
    let store = log.store.as_ref();
    store.ok_or_else(|| Failure::permanent("it is not said where the log is to be stored"))
}

/// What is told of the timelines before: those of forks so long ago that no backup is as old are
/// left out.
pub(crate) fn latest(mut history: Vec<Position>) -> Vec<Position> {
    history.drain(..history.len().saturating_sub(ANCESTORS_MAX));
    history
}

/// Where the log goes on that is stored to that place: there, or where the present history left
/// that of the place. None where it never was in it.
pub(crate) fn joined(place: Position, end: Position, history: &[Position]) -> Option<Position> {
    if place.timeline == end.timeline {
        return (place.offset <= end.offset).then_some(place);
    }
    let left = history.iter().find(|left| left.timeline == place.timeline)?;
    Some(Position { offset: place.offset.min(left.offset), ..place })
}

/// Stores what was put together as a piece.
pub(crate) async fn put_piece(
    assignment: &Assignment,
    store: &LogStore,
    piece: LogPiece,
    (staging, repository): (&Staging, &dyn Repository),
) -> Result<StoredPiece, Failure> {
    let part = Part {
        backup: piece.id.clone(),
        name: LOG_PART,
        directory: staging.directory().to_owned(),
        leave_out: Vec::new(),
        host: assignment.node_name.clone(),
        size: piece.size,
        rate_kib: store.rate_kib,
        facts: serde_json::to_string(&piece).expect("plain data"),
    };
    let stored = repository.put(&part, &|_, _| {}).await?;
    debug!("the log is stored from {} to {}: {} bytes", piece.from, piece.to, stored.added);
    Ok(StoredPiece { piece, archive: stored.archive })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(timeline: u64, offset: u64) -> Position {
        Position { timeline, offset }
    }

    #[test]
    fn the_log_goes_on_where_the_present_history_left_the_one_that_is_stored() {
        let history = [place(1, 450), place(4, 500)];
        let end = place(7, 900);
        assert_eq!(joined(place(7, 800), end, &history), Some(place(7, 800)));
        assert_eq!(joined(place(1, 400), end, &history), Some(place(1, 400)));
        let lost = joined(place(1, 480), end, &history);
        assert_eq!(lost, Some(place(1, 450)), "what was later was lost with a primary");
        assert_eq!(joined(place(5, 480), end, &history), None);
        assert_eq!(joined(place(7, 901), end, &history), None);
    }
}
