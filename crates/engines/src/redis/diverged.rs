//! A former primary's data, made fit to follow: what only it holds is kept aside, and counted as
//! far as that can be known. The engine cannot rewind: it gets a full copy when it follows.

use std::path::Path;

use bellwether_contracts::Failure;
use bellwether_contracts::driver::Repair;
use bellwether_model::divergence::Divergence;
use bellwether_model::replication::Position;
use bellwether_model::{Term, Timestamp};
use bellwether_protocol::Assignment;
use bellwether_protocol::assignment::Member;
use tracing::warn;

use super::place::{Place, log_bytes, place, was_primary};
use super::replication::fork;
use super::{Redis, data, log_of};
use crate::files::{at, remove};
use crate::findings::{directory, findings, read, write_summary};

/// So many findings are kept.
const FINDINGS_MAX: usize = 4;

impl Redis {
    pub(super) async fn make_fit(
        &self,
        assignment: &Assignment,
        upstream: &Member,
    ) -> Result<Repair, Failure> {
        // A replica that was kept from following has nothing of its own.
        if !was_primary() {
            return Ok(Repair::CatchUp);
        }
        let theirs = self.ask(assignment, upstream, &["INFO", "replication"]).await?;
        let own = place().unwrap_or_default();
        let fork = fork(&theirs, &own.stream);
        let (from, to) = parting(&own, fork, log_bytes());
        if (to > from || fork.is_none())
            && let Err(failure) = self.keep_aside(assignment.group.term, from, to)
        {
            warn!("what only this node holds cannot be kept: {failure}");
        }
        *self.diverged.lock().expect("nothing panics while it is held") = findings();
        Ok(Repair::CatchUp)
    }

    /// Keeps the files of the data. By further names of theirs, which costs nothing: the copy that
    /// comes is written to other files.
    fn keep_aside(&self, term: Term, from: Position, to: Position) -> Result<(), Failure> {
        let directory = directory(term);
        // An attempt that was interrupted has kept it already.
        if read(&directory).is_some_and(|known| (known.from, known.to) == (from, to)) {
            return Ok(());
        }
        remove(&directory)?;
        std::fs::create_dir_all(&directory).map_err(|e| at(&directory, &e))?;
        let log = log_of(data());
        let kept = link_all(&log, &directory).map_err(|e| at(&log, &e))?;
        let divergence = Divergence {
            term,
            found_at: Timestamp::now(),
            from,
            to,
            bytes: to.offset.saturating_sub(from.offset),
            transactions: None,
            first_commit: None,
            last_commit: None,
            records: Default::default(),
            directory: directory.to_string_lossy().into_owned(),
            segments: kept,
            is_cut: false,
        };
        write_summary(self.kind.user(), &directory, &divergence)?;
        for old in findings().into_iter().skip(FINDINGS_MAX) {
            remove(Path::new(&old.directory))?;
        }
        Ok(())
    }
}

/// From where to where only this node's data goes: nowhere, when the other holds all of it.
/// `fork` is where our stream ends in the other's history, `log_bytes` the size of our files now:
/// what was written after the place was noted made them so much longer.
fn parting(own: &Place, fork: Option<u64>, log_bytes: Option<u64>) -> (Position, Position) {
    let later = log_bytes.filter(|_| !own.is_end && own.log_bytes > 0);
    let later = later.map_or(0, |bytes| bytes.saturating_sub(own.log_bytes));
    let to = Position { offset: own.offset + later, ..own.position() };
    // Where the other no longer knows of this stream, nobody knows where they part.
    (Position { offset: fork.map_or(to.offset, |fork| fork.min(to.offset)), ..to }, to)
}

/// Gives every file there a further name here; how many.
fn link_all(from: &Path, to: &Path) -> std::io::Result<u32> {
    let mut kept = 0;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        std::fs::hard_link(entry.path(), to.join(entry.file_name()))?;
        kept += 1;
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_one_holds_begins_where_histories_part_and_ends_with_its_files() {
        let place =
            |is_end| Place { stream: "a".into(), term: 2, offset: 100, log_bytes: 500, is_end };
        let bytes = |place: &Place, fork, log_bytes| {
            let (from, to) = parting(place, fork, log_bytes);
            to.offset - from.offset
        };
        assert_eq!(bytes(&place(true), Some(100), Some(500)), 0, "all of it came over");
        assert_eq!(bytes(&place(true), Some(90), Some(500)), 10);
        assert_eq!(bytes(&place(false), Some(90), Some(530)), 40, "written after the last look");
        assert_eq!(bytes(&place(false), Some(200), Some(500)), 0);
        assert_eq!(bytes(&place(true), None, Some(500)), 0, "not known");
    }
}
