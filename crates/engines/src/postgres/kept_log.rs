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
use bellwether_contracts::{Failure, Repository};
use bellwether_model::log::LogPiece;
use bellwether_model::replication::Position;
use bellwether_model::{BackupId, Target, Timestamp};
use bellwether_protocol::Assignment;
use bellwether_protocol::assignment::LogAssignment;
use tracing::warn;

use super::log_end::segment_bytes;
use super::segments::{copy_until, is_history, names};
use super::sql::Session;
use super::{OS_USER, Postgres, log_directory, timelines};
use crate::backup::Staging;
use crate::files::{at, size_of};
use crate::kept_log::{joined, latest, put_piece, store_of};

/// What keeps the log that is not stored yet.
const SLOT: &str = "bellwether_log";

/// Where a piece is put together; a backup may be, too, at the same time.
const STAGING: &str = "/data/log";

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
        let store = store_of(log)?;
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
        let stored = put_piece(assignment, store, piece, (&staging, repository)).await?;
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
        Ok(Logged::Stored(stored))
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
