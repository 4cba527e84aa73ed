//! The log is stored in a repository as it is written, so that any moment can be restored.
//!
//! The primary stores it, for it alone can say that what was acknowledged before a moment is in
//! what it stores. A slot keeps the log that is not stored yet, on every node, so that whoever is
//! primary next goes on where the last one was. `archive_command` would not: it is run for whole
//! segments alone, and a primary that is lost takes with it what it did not come to.
//!
//! Segments are not copied but linked. Should the engine lose patience with the slot and use them
//! for something else meanwhile, that is seen afterwards, and said.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

use bellwether_contracts::driver::{LogSpan, Logged};
use bellwether_contracts::repository::Part;
use bellwether_contracts::{Failure, Repository};
use bellwether_model::log::{LogPiece, StoredPiece};
use bellwether_model::replication::Position;
use bellwether_model::{BackupId, Target, Timestamp};
use bellwether_protocol::Assignment;
use bellwether_protocol::assignment::{LogAssignment, LogStore};
use tracing::{debug, warn};

use super::log_end::segment_bytes;
use super::segments::{copy_until, is_history, names};
use super::sql::Session;
use super::{OS_USER, Postgres, log_directory, timelines};
use crate::backup::Staging;
use crate::files::{at, size_of};

/// What keeps the log that is not stored yet.
const SLOT: &str = "bellwether_log";

/// What a piece of log is called in a repository.
pub(super) const LOG_PART: &str = "log";

/// Where a piece is put together; a backup may be, too, at the same time.
const STAGING: &str = "/data/log";

/// Every piece tells of so many forks at most: what is told with it goes on a command line.
const ANCESTORS_MAX: usize = 200;

const QUESTION_MAX: Duration = Duration::from_secs(2);

/// Timeline and place come from one answer.
const END: &str = "SELECT (pg_current_wal_flush_lsn() - '0/0')::bigint, \
     ('x' || substr(pg_walfile_name(pg_current_wal_flush_lsn()), 1, 8))::bit(32)::bigint";

/// Keeps the log that is not stored yet, and no other.
pub(super) async fn hold_log(sql: &Session, assignment: &Assignment) -> Result<(), Failure> {
    let rows = sql
        .query(&format!(
            "SELECT coalesce(wal_status = 'lost', false) FROM pg_replication_slots \
             WHERE slot_name = '{SLOT}'"
        ))
        .await?;
    let is_lost = rows.first().map(|row| row.get::<_, bool>(0));
    let drop = format!("SELECT pg_drop_replication_slot('{SLOT}'); ");
    let make = format!("SELECT pg_create_physical_replication_slot('{SLOT}', true); ");
    let Some(log) = &assignment.log else {
        return match is_lost {
            Some(_) => sql.execute(&drop, QUESTION_MAX).await,
            None => Ok(()),
        };
    };
    match is_lost {
        None => sql.execute(&make, QUESTION_MAX).await?,
        Some(true) => sql.execute(&(drop + &make), QUESTION_MAX).await?,
        Some(false) => {}
    }
    // Who stores it knows best what is still needed.
    let stores = matches!(assignment.target, Target::Primary { .. });
    match log.from.filter(|_| !stores) {
        Some(place) => let_go_until(sql, place.offset).await,
        None => Ok(()),
    }
}

impl Postgres {
    pub(super) async fn keep_log(
        &self,
        assignment: &Assignment,
        log: &LogAssignment,
        span: LogSpan,
        repository: &dyn Repository,
    ) -> Result<Logged, Failure> {
        let Some(store) = &log.store else {
            return Err(Failure::permanent("it is not said where the log is to be stored"));
        };
        // One of its own: whoever looks at the engine does not wait for this.
        let sql = Session::new(self.port);
        hold_log(&sql, assignment).await?;
        // The moment first: what was acknowledged before it is on the disk by now.
        let until = Timestamp::now();
        let end = flushed(&sql).await?;
        if span.stored == Some(end) {
            return Ok(Logged::Same(until));
        }
        let directory = log_directory();
        let history = latest(timelines::ancestors(&directory, end.timeline)?);
        let from = match span.from {
            None => end,
            Some(place) => match joined(place, end, &history) {
                Some(from) => from,
                None => return Ok(Logged::Gap(format!("nobody has the log after {place}"))),
            },
        };
        let bytes = segment_bytes(&directory);
        let wanted = names(from.offset, end, &history, bytes);
        let staging = Staging::make_at(Path::new(STAGING), OS_USER)?;
        if !gather(&directory, staging.directory(), &wanted, end.offset % bytes)? {
            return Ok(Logged::Gap(format!("the log after {from} is gone")));
        }
        let piece = LogPiece {
            id: BackupId::generate(),
            cluster: assignment.cluster.clone(),
            stretch: log.stretch.clone(),
            from,
            to: end,
            until,
            history,
            size: size_of(staging.directory()),
        };
        if span.stored.is_none() {
            repository.open(true).await?;
        }
        let archive = self.put_piece(assignment, store, &piece, (&staging, repository)).await?;
        let is_whole = wanted.first().is_none_or(|name| {
            is_same(&directory.join(name), &staging.directory().join(name), wanted.len() == 1)
        });
        if !is_whole {
            return Ok(Logged::Gap(format!("the log after {from} went before it was stored")));
        }
        // What the server does not know of is kept for whoever begins anew from what it knows.
        if let Some(known) = log.from
            && let Err(failure) = let_go_until(&sql, known.offset.min(from.offset)).await
        {
            warn!("log that is stored is not let go of: {failure}");
        }
        Ok(Logged::Stored(StoredPiece { piece, archive }))
    }

    async fn put_piece(
        &self,
        assignment: &Assignment,
        store: &LogStore,
        piece: &LogPiece,
        (staging, repository): (&Staging, &dyn Repository),
    ) -> Result<String, Failure> {
        let part = Part {
            backup: piece.id.clone(),
            name: LOG_PART,
            directory: staging.directory().to_owned(),
            leave_out: Vec::new(),
            host: assignment.node_name.clone(),
            size: piece.size,
            rate_kib: store.rate_kib,
            facts: serde_json::to_string(piece).expect("plain data"),
        };
        let stored = repository.put(&part, &|_, _| {}).await?;
        debug!("the log is stored from {} to {}: {} bytes", piece.from, piece.to, stored.added);
        Ok(stored.archive)
    }
}

/// What is before that place is stored.
async fn let_go_until(sql: &Session, offset: u64) -> Result<(), Failure> {
    let place = format!("{:X}/{:X}", offset >> 32, offset & 0xffff_ffff);
    let statement = format!(
        "SELECT pg_replication_slot_advance('{SLOT}', '{place}') FROM pg_replication_slots \
         WHERE slot_name = '{SLOT}' AND restart_lsn < '{place}'"
    );
    sql.execute(&statement, QUESTION_MAX).await
}

/// Where the log of a primary ends on its disk.
async fn flushed(sql: &Session) -> Result<Position, Failure> {
    let rows = sql.query(END).await?;
    let row = rows.first().ok_or_else(|| Failure::transient("the engine says nothing"))?;
    let number = |column: usize| row.get::<_, i64>(column).max(0) as u64;
    Ok(Position { timeline: number(1), offset: number(0) })
}

/// What is told of the timelines before: those of forks so long ago that no backup is as old are
/// left out.
fn latest(mut history: Vec<Position>) -> Vec<Position> {
    history.drain(..history.len().saturating_sub(ANCESTORS_MAX));
    history
}

/// Where the log goes on that is stored to that place: there, or where the present history left
/// that of the place. None where it never was in it.
fn joined(place: Position, end: Position, history: &[Position]) -> Option<Position> {
    if place.timeline == end.timeline {
        return (place.offset <= end.offset).then_some(place);
    }
    let left = history.iter().find(|left| left.timeline == place.timeline)?;
    Some(Position { offset: place.offset.min(left.offset), ..place })
}

/// Links the segments of these names, and copies the histories; whether all were there. What the
/// last one holds after `until` is left out; 0: it is full.
fn gather(log: &Path, into: &Path, wanted: &[String], until: u64) -> Result<bool, Failure> {
    let entries = std::fs::read_dir(log).map_err(|e| at(log, &e))?;
    for from in entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|p| is_history(p)) {
        let to = into.join(from.file_name().unwrap_or_default());
        std::fs::copy(&from, &to).map_err(|e| at(&to, &e))?;
    }
    for (count, name) in wanted.iter().enumerate() {
        let (from, to) = (log.join(name), into.join(name));
        if !from.exists() {
            return Ok(false);
        }
        if count + 1 == wanted.len() && until > 0 {
            copy_until(&from, &to, until)?;
        } else {
            std::fs::hard_link(&from, &to).map_err(|e| at(&to, &e))?;
        }
    }
    Ok(true)
}

/// Whether a segment of the log is still the file that was stored: the engine gives those that it
/// needs no longer other names. `is_copy`: it was copied, and only has to be there.
fn is_same(there: &Path, stored: &Path, is_copy: bool) -> bool {
    let inode = |path: &Path| std::fs::metadata(path).ok().map(|known| known.ino());
    let known = inode(there);
    known.is_some() && (is_copy || known == inode(stored))
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

    #[test]
    fn what_is_missing_is_seen_and_what_is_after_the_end_is_left_out() {
        let (log, into) = (tempfile::tempdir().expect("one"), tempfile::tempdir().expect("two"));
        let name = |number: u64| super::super::segments::name(1, number, 4 << 20);
        std::fs::write(log.path().join(name(1)), [7; 64]).expect("written");
        std::fs::write(log.path().join("00000002.history"), "1\t0/5000\tno reason\n").expect("too");
        let gathered = |names: &[String]| gather(log.path(), into.path(), names, 0);
        assert!(gathered(&[name(1)]).expect("read"));
        assert!(into.path().join("00000002.history").exists());
        assert!(is_same(&log.path().join(name(1)), &into.path().join(name(1)), false));
        std::fs::remove_file(into.path().join(name(1))).expect("removed");
        assert!(!gathered(&[name(1), name(2)]).expect("read"), "the second is gone");
        assert!(!is_same(&log.path().join(name(2)), &into.path().join(name(1)), true));
    }
}
