//! Which terms the data has lived through. Every promotion writes a row, the first of its term, so
//! that the data itself says where one term ended and the next began.

use bellwether_contracts::Failure;
use bellwether_model::Term;
use bellwether_model::replication::Position;

use super::session::{Session, number};

/// Makes the table; before anybody can reach the engine.
pub(crate) const MAKE: &str = "CREATE TABLE IF NOT EXISTS bellwether.terms (\
     term BIGINT UNSIGNED PRIMARY KEY, \
     after_term BIGINT UNSIGNED NOT NULL, \
     after_offset BIGINT UNSIGNED NOT NULL) ENGINE=InnoDB";

/// Where each term began.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct History {
    /// A term, and the end of what was before it.
    began: Vec<(Term, Position)>,
    /// Where the log ends.
    end: Position,
}

impl History {
    pub(crate) async fn read(session: &Session, end: Position) -> Result<Self, Failure> {
        let rows = session
            .query("SELECT term, after_term, after_offset FROM bellwether.terms ORDER BY term")
            .await?;
        let read = |row| {
            let after = Position {
                timeline: number(row, "after_term")?,
                offset: number(row, "after_offset")?,
            };
            Some((number(row, "term")?, after))
        };
        Ok(Self { began: rows.iter().filter_map(read).collect(), end })
    }

    /// How far the history of that term goes here; none where it is no part of this.
    fn end_of(&self, term: Term) -> Option<u64> {
        if term == self.end.timeline {
            return Some(self.end.offset);
        }
        let after = self.began.iter().map(|(_, after)| after).find(|after| after.timeline == term);
        after.map(|after| after.offset)
    }

    /// Where each term ended that this one goes back to, the first one first.
    pub(crate) fn ends(&self) -> Vec<Position> {
        let ended = self.began.iter().map(|(_, after)| *after);
        ended.filter(|after| after.offset > 0 && after.timeline != self.end.timeline).collect()
    }

    /// Whether everything up to there is part of this history.
    pub(crate) fn holds(&self, place: Position) -> bool {
        place.offset == 0 || self.end_of(place.timeline).is_some_and(|end| place.offset <= end)
    }
}

/// The row of a term, for the session that promotes.
pub(crate) fn row(term: Term, after: Position) -> String {
    format!(
        "INSERT IGNORE INTO bellwether.terms VALUES ({term}, {}, {})",
        after.timeline, after.offset
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(timeline: u64, offset: u64) -> Position {
        Position { timeline, offset }
    }

    #[test]
    fn what_a_later_term_left_out_is_no_part_of_its_history() {
        let history =
            History { began: vec![(1, at(0, 0)), (3, at(1, 40)), (6, at(3, 90))], end: at(6, 120) };
        for held in [at(1, 40), at(1, 7), at(3, 90), at(6, 120), at(0, 0)] {
            assert!(history.holds(held), "{held}");
        }
        for other in [at(1, 41), at(3, 91), at(6, 121), at(5, 60), at(7, 1)] {
            assert!(!history.holds(other), "{other}");
        }
        assert_eq!(history.ends(), [at(1, 40), at(3, 90)]);
    }
}
