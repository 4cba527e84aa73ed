//! A backup becomes what it was at a later moment: the log that leads there is brought, too, and
//! run up to the first transaction that was committed later, by an engine that nobody else reaches.
//!
//! The programs' own `--stop-datetime` is not used: it knows seconds, and only when a statement was
//! begun. Where the log is cut is read from its files, and what is told to the programs are places
//! in them.

use std::path::{Path, PathBuf};

use bellwether_contracts::repository::Progress;
use bellwether_contracts::{Failure, Repository};
use bellwether_model::Timestamp;
use bellwether_model::backup::BackupFacts;
use bellwether_model::log::LogPiece;
use bellwether_model::replication::Position;
use bellwether_protocol::assignment::RestoredLog;
use tracing::info;

use super::OS_USER;
use super::alone::Alone;
use super::driver::{FamilyDriver, Hands};
use super::kept_log::{CONTENTS, Contents, Written};
use super::log_file::{LogFormat, Logged, transactions};
use super::place::{data_in, new_root};
use crate::backup::{RETURNED, give_all, part};
use crate::files::{at, remove};
use crate::kept_log::LOG_PART;

/// What is looked for in the log.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    /// Where the backup ends for certain.
    base: u64,
    /// The piece that leads to the moment.
    last: &'a LogPiece,
    at: Timestamp,
}

/// What of a piece is to be run, after what was run before.
#[derive(Debug, Default, PartialEq, Eq)]
struct Found {
    /// The files, of which the last one ends with what is wanted.
    files: Vec<PathBuf>,
    /// Where it begins in the first one.
    begins: u64,
    /// How many transactions there are with it.
    reached: u64,
    /// What comes next was committed later.
    is_over: bool,
}

impl<H: Hands> FamilyDriver<H> {
    /// Brings the log to data that was brought back and is not in place yet, and runs it.
    pub(super) async fn bring_log(
        &self,
        base: &BackupFacts,
        log: &RestoredLog,
        repository: &dyn Repository,
        progress: Progress<'_>,
    ) -> Result<(), Failure> {
        let Some(last) = log.pieces.last() else {
            return Err(Failure::permanent("there is no log that leads to that moment"));
        };
        let data = data_in(new_root());
        let alone = self.0.start_apart(&data).await?;
        // What was copied may hold more than is known for certain.
        let held = alone.logged(self.0.words).await?;
        let wanted = Wanted { base: base.position.offset, last, at: log.at };
        let begin = Position { offset: held.max(wanted.base), ..base.position };
        let end = self.run_pieces(&alone, begin, log, wanted, (repository, progress)).await?;
        alone.stop().await?;
        H::note_end(&data, end)?;
        info!("the log is restored to {}, that is to {end}", log.at);
        Ok(())
    }

    /// Runs piece after piece; where the last transaction that was run is.
    async fn run_pieces(
        &self,
        alone: &Alone,
        begin: Position,
        log: &RestoredLog,
        wanted: Wanted<'_>,
        (repository, progress): (&dyn Repository, Progress<'_>),
    ) -> Result<Position, Failure> {
        let (hands, returned) = (&self.0, Path::new(RETURNED));
        let archives = repository.list().await?;
        let mut end = begin;
        for piece in &log.pieces {
            remove(returned)?;
            repository.get(part(&archives, &piece.id, LOG_PART)?, returned, progress).await?;
            give_all(OS_USER, returned)?;
            OS_USER.own_directory(returned)?;
            let found = look_through(returned, hands.words.log, piece, end.offset, wanted)?;
            if !found.files.is_empty() {
                let from = format!("--start-position={}", found.begins);
                alone.run_log(hands, &from, &found.files, progress).await?;
                let timeline = timeline_at(piece, found.reached);
                end = Position { timeline, offset: found.reached };
            }
            remove(returned)?;
            if found.is_over {
                return Ok(end);
            }
        }
        match end.offset >= wanted.last.to.offset {
            true => Ok(end),
            false => Err(Failure::permanent(format!("the log that was kept ends at {end}"))),
        }
    }
}

/// Finds what of a piece leads on, and ends its last file there.
fn look_through(
    directory: &Path,
    format: &LogFormat,
    piece: &LogPiece,
    reached: u64,
    wanted: Wanted<'_>,
) -> Result<Found, Failure> {
    let mut found = Found { reached, ..Found::default() };
    let mut ends = 0;
    'files: for content in contents(directory)?.files {
        if content.before > found.reached {
            let (after, next) = (found.reached, content.before);
            let gap = format!("the log that was kept has nothing between {after} and {next}");
            return Err(Failure::permanent(gap));
        }
        let path = directory.join(&content.name);
        for logged in transactions(&path, format, content.before)? {
            let timeline = timeline_at(piece, logged.offset);
            let place = Position { timeline, offset: logged.offset };
            // What was lost with a primary, and what is of the next piece.
            if logged.offset > piece.to.offset || !wanted.last.goes_back_to(place) {
                break 'files;
            }
            let is_own = timeline == piece.to.timeline;
            let is_later = committed(&logged, &content.written, is_own) > wanted.at.as_micros();
            if logged.offset <= found.reached {
                if is_later && logged.offset > wanted.base {
                    return Err(Failure::permanent(
                        "the backup holds what was committed later; take an earlier one",
                    ));
                }
                continue;
            }
            if is_later {
                found.is_over = true;
                break 'files;
            }
            if found.files.is_empty() {
                found.begins = logged.begins;
            }
            if found.files.last() != Some(&path) {
                found.files.push(path.clone());
            }
            (found.reached, ends) = (logged.offset, logged.ends);
        }
    }
    if let Some(last) = found.files.last() {
        let cut = std::fs::OpenOptions::new().write(true).open(last);
        cut.and_then(|file| file.set_len(ends)).map_err(|e| at(last, &e))?;
    }
    Ok(found)
}

fn contents(directory: &Path) -> Result<Contents, Failure> {
    let path = directory.join(CONTENTS);
    let text = std::fs::read(&path).map_err(|e| at(&path, &e))?;
    serde_json::from_slice(&text)
        .map_err(|error| Failure::permanent(format!("{}: {error}", path.display())))
}

/// When a transaction was committed, in microseconds since 1970: as the log says, or as the kernel
/// saw it being written. `is_own`: by the engine that committed it; one that follows writes later.
fn committed(logged: &Logged, written: &[Written], is_own: bool) -> i64 {
    let begun = logged.begun * 1_000_000;
    let first = written.partition_point(|written| written.length < logged.ends);
    match (logged.committed, written.get(first)) {
        (Some(committed), _) => committed,
        (None, Some(written)) if written.is_sure && is_own => written.at,
        // In that second, most likely.
        (None, Some(written)) => written.at.clamp(begun, begun + 1_000_000),
        (None, None) => begun,
    }
}

/// The timeline that a transaction of a piece is of.
fn timeline_at(piece: &LogPiece, offset: u64) -> u64 {
    let ended = piece.history.iter().find(|end| offset <= end.offset);
    ended.map_or(piece.to.timeline, |end| end.timeline)
}

#[cfg(test)]
mod tests {
    use super::super::kept_log::Content;
    use super::super::log_file::Begin;
    use super::super::log_file::tests::{event, head, query};
    use super::*;
    use crate::mysql_family::log_file::number;

    /// Every transaction is one event of the kind 200 and one statement, and says when it was
    /// committed.
    static FORMAT: LogFormat = LogFormat {
        before_kind: 201,
        before: |_, _| None,
        purged: "",
        begin: |kind, body| {
            (kind == 200).then(|| Begin {
                offset: None,
                is_open: false,
                committed: number(body, 0, 8).map(|micros| micros as i64),
            })
        },
    };

    fn place(timeline: u64, offset: u64) -> Position {
        Position { timeline, offset }
    }

    fn piece(from: Position, to: Position, history: Vec<Position>) -> LogPiece {
        LogPiece {
            id: "p".into(),
            cluster: "c".into(),
            stretch: "s".into(),
            from,
            to,
            until: Timestamp::from_millis(0),
            history,
            size: 0,
        }
    }

    /// Files of so many transactions after so many others, which were committed at their number in
    /// milliseconds.
    fn kept(files: &[(u64, u64)]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().expect("a directory");
        let mut contents = Contents::default();
        for (number, (before, count)) in files.iter().enumerate() {
            let name = format!("binlog.{number:06}");
            let mut bytes = head();
            for offset in before + 1..=before + count {
                bytes.extend(event(200, 0, &(offset * 1_000).to_le_bytes()));
                bytes.extend(query("CREATE TABLE a (b int)"));
            }
            std::fs::write(directory.path().join(&name), bytes).expect("written");
            contents.files.push(Content { name, before: *before, written: Vec::new() });
        }
        let text = serde_json::to_vec(&contents).expect("plain data");
        std::fs::write(directory.path().join(CONTENTS), text).expect("written");
        directory
    }

    fn look(
        directory: &tempfile::TempDir,
        piece: &LogPiece,
        last: &LogPiece,
        (base, reached, at): (u64, u64, i64),
    ) -> Result<(usize, u64, bool), Failure> {
        let wanted = Wanted { base, last, at: Timestamp::from_millis(at) };
        let found = look_through(directory.path(), &FORMAT, piece, reached, wanted)?;
        Ok((found.files.len(), found.reached, found.is_over))
    }

    #[test]
    fn the_log_is_cut_before_the_first_transaction_that_was_committed_later() {
        let kept = || kept(&[(10, 5), (15, 5)]);
        let all = piece(place(1, 12), place(1, 20), Vec::new());
        let look = |what| look(&kept(), &all, &all, what).map_err(|failure| failure.text);
        assert_eq!(look((12, 12, 17)), Ok((2, 17, true)));
        assert_eq!(look((12, 12, 15)), Ok((1, 15, true)));
        assert_eq!(look((12, 12, 99)), Ok((2, 20, false)));
        assert_eq!(look((12, 12, 12)), Ok((0, 12, true)), "nothing was committed until then");
        assert!(look((9, 9, 99)).is_err_and(|why| why.contains("nothing between 9 and 10")));
        // The backup holds more than is known for certain.
        assert_eq!(look((12, 14, 17)), Ok((2, 17, true)));
        assert!(look((12, 14, 13)).is_err_and(|why| why.contains("take an earlier one")));
    }

    #[test]
    fn a_log_that_does_not_say_when_is_held_against_when_it_was_written() {
        let logged = |ends, committed| Logged { offset: 1, begins: 4, ends, committed, begun: 10 };
        let at = |length, at, is_sure| Written { length, at, is_sure };
        let written = [at(100, 10_200_000, true), at(200, 13_000_000, true)];
        let committed = |logged, is_own| committed(&logged, &written, is_own);
        assert_eq!(committed(logged(100, None), true), 10_200_000);
        assert_eq!(committed(logged(101, None), true), 13_000_000, "it took long");
        assert_eq!(committed(logged(101, None), false), 11_000_000, "it came late");
        assert_eq!(committed(logged(201, None), true), 10_000_000);
        assert_eq!(committed(logged(100, Some(7)), true), 7);
    }

    #[test]
    fn the_last_file_ends_where_what_is_wanted_ends() {
        let (directory, all) = (kept(&[(0, 5)]), piece(place(1, 0), place(1, 5), Vec::new()));
        look(&directory, &all, &all, (0, 2, 4)).expect("looked at");
        let path = directory.path().join("binlog.000000");
        let left = transactions(&path, &FORMAT, 0).expect("read");
        assert_eq!(left.len(), 4);
        let length = std::fs::metadata(path).expect("there").len();
        assert_eq!(left.last().map(|logged| logged.ends), Some(length));
    }

    #[test]
    fn what_was_lost_with_a_primary_is_run_only_for_a_moment_before_that() {
        let first = piece(place(1, 10), place(1, 20), Vec::new());
        let next = piece(place(1, 16), place(3, 30), vec![place(1, 16)]);
        let look = |last| look(&kept(&[(10, 10)]), &first, last, (10, 10, 99)).expect("read");
        assert_eq!(look(&first), (1, 20, false));
        assert_eq!(look(&next), (1, 16, false));
        assert_eq!((timeline_at(&next, 16), timeline_at(&next, 17)), (1, 3));
    }
}
