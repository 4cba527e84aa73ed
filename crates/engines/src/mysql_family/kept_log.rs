//! The binary log is stored in a repository as it is written, so that any moment can be restored.
//!
//! The primary stores it, for it alone can say that what was acknowledged before a moment is in
//! what it stores. Every node keeps its files for as long as there is room, whoever wrote what is
//! in them, so that whoever is primary next goes on where the last one was. A stream of the log to
//! a program (`--stop-never`) would be one more replica that the primary waits for at its end, and
//! names places by files, which are another node's after a change of primary.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bellwether_contracts::driver::{LogSpan, Logged};
use bellwether_contracts::{Failure, Repository};
use bellwether_model::log::LogPiece;
use bellwether_model::replication::Position;
use bellwether_model::{BackupId, Timestamp};
use bellwether_protocol::Assignment;
use bellwether_protocol::assignment::LogAssignment;
use serde::{Deserialize, Serialize};

use super::OS_USER;
use super::driver::{FamilyDriver, Hands};
use super::history::History;
use super::log_file::{LogFormat, before, transactions};
use super::node::{Node, all_binlogs};
use super::session::{Session, text};
use crate::backup::{Staging, require_room};
use crate::files::{at, size_of};
use crate::kept_log::{joined, latest, put_piece, store_of};

/// Where a piece is put together; a backup may be, too, at the same time.
const STAGING: &str = "/data/kept_log";

/// What a piece says of the files in it.
pub(super) const CONTENTS: &str = "contents.json";

/// What the engine counts is in a file within this time.
const WRITTEN_MAX: Duration = Duration::from_secs(5);

const LOOK_EVERY: Duration = Duration::from_millis(10);

/// The files of a piece.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Contents {
    /// The first one first.
    pub(super) files: Vec<Content>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Content {
    pub(super) name: String,
    /// How many transactions were before it.
    pub(super) before: u64,
    /// When it was how long, where its transactions do not say when they were committed.
    #[serde(default)]
    pub(super) written: Vec<Written>,
}

/// When a file of the log was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(u64, i64, bool)", into = "(u64, i64, bool)")]
pub(crate) struct Written {
    /// So long it was then.
    pub(crate) length: u64,
    /// In microseconds since 1970.
    pub(crate) at: i64,
    /// What is after the length before was written just then, and not earlier.
    pub(crate) is_sure: bool,
}

impl From<(u64, i64, bool)> for Written {
    fn from((length, at, is_sure): (u64, i64, bool)) -> Self {
        Self { length, at, is_sure }
    }
}

impl From<Written> for (u64, i64, bool) {
    fn from(written: Written) -> Self {
        (written.length, written.at, written.is_sure)
    }
}

/// A file that is to be stored.
struct Wanted {
    path: PathBuf,
    before: u64,
}

impl<H: Hands> FamilyDriver<H> {
    pub(super) async fn keep_log(
        &self,
        assignment: &Assignment,
        log: &LogAssignment,
        span: LogSpan,
        repository: &dyn Repository,
    ) -> Result<Logged, Failure> {
        let (hands, store) = (&self.0, store_of(log)?);
        // One of its own: whoever looks at the engine does not wait for this.
        let session = Session::local();
        // The moment first: what was acknowledged before it is in the log by now.
        let until = Timestamp::now();
        let end = hands.logged_by(&session).await?;
        if span.stored == Some(end) {
            return Ok(Logged::Same(until));
        }
        let history = latest(History::read(&session, end).await?.ends());
        let from = match span.from {
            None => end,
            Some(place) => match joined(place, end, &history) {
                Some(from) => from,
                None => return Ok(Logged::Gap(format!("nobody has the log after {place}"))),
            },
        };
        let purged = session.query(hands.words.log.purged).await?;
        let purged = purged.first().and_then(|row| text(row, "purged")).unwrap_or_default();
        let Some((wanted, ends)) = until_written(hands, (from, end), &purged).await? else {
            return Ok(Logged::Gap(format!("the log after {from} is gone")));
        };
        require_room(ends)?;
        let staging = Staging::make_at(Path::new(STAGING), OS_USER)?;
        gather(&wanted, ends, H::written, staging.directory())?;
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
        Ok(Logged::Stored(stored))
    }
}

impl Node {
    async fn logged_by(&self, session: &Session) -> Result<Position, Failure> {
        let rows = session.query(self.words.logged).await?;
        let row = rows.first().ok_or_else(|| Failure::transient("the engine says nothing"))?;
        Ok((self.words.place)(row))
    }
}

/// The files that hold the log between two places, and where in the last one the second place is,
/// once it is on the disk: an engine counts a transaction before it has written it. None where the
/// first place is in no file any more.
async fn until_written(
    node: &Node,
    (from, end): (Position, Position),
    purged: &str,
) -> Result<Option<(Vec<Wanted>, u64)>, Failure> {
    let until = Instant::now() + WRITTEN_MAX;
    loop {
        let (format, purged) = (node.words.log, purged.to_owned());
        let look = move || look_for(all_binlogs()?, format, (from, end), &purged);
        let broke = |_| Err(Failure::transient("looking at the log broke"));
        match tokio::task::spawn_blocking(look).await.unwrap_or_else(broke)? {
            Looked::Gone => return Ok(None),
            Looked::Found(wanted, ends) => return Ok(Some((wanted, ends))),
            Looked::NotYet if Instant::now() > until => {
                return Err(Failure::transient("the log does not hold what the engine counts"));
            }
            Looked::NotYet => tokio::time::sleep(LOOK_EVERY).await,
        }
    }
}

enum Looked {
    Gone,
    NotYet,
    Found(Vec<Wanted>, u64),
}

fn look_for(
    mut files: Vec<PathBuf>,
    format: &LogFormat,
    (from, end): (Position, Position),
    purged: &str,
) -> Result<Looked, Failure> {
    let mut wanted: Vec<Wanted> = Vec::new();
    while let Some(path) = files.pop() {
        // One that was only just begun has nothing in it.
        let Some(before) = before(&path, format, purged)? else { continue };
        let is_first = before <= from.offset;
        wanted.push(Wanted { path, before });
        if is_first {
            break;
        }
    }
    if wanted.last().is_none_or(|first| first.before > from.offset) {
        return Ok(Looked::Gone);
    }
    // What was begun after the end is not looked at.
    let later = wanted.iter().take_while(|file| file.before >= end.offset).count();
    wanted.drain(..later.min(wanted.len() - 1));
    wanted.reverse();
    let Some(last) = wanted.last() else { return Ok(Looked::NotYet) };
    let held = transactions(&last.path, format, last.before)?;
    if held.last().map_or(last.before, |logged| logged.offset) < end.offset {
        return Ok(Looked::NotYet);
    }
    let upto = held.iter().rfind(|logged| logged.offset <= end.offset);
    let ends = upto.map_or(0, |logged| logged.ends);
    // It is told as stored, so it must outlive whatever happens to this machine.
    let synced = std::fs::File::open(&last.path).and_then(|file| file.sync_all());
    synced.map_err(|e| at(&last.path, &e))?;
    Ok(Looked::Found(wanted, ends))
}

/// Links the files, which are only ever written at their end, and copies the last one up to there.
fn gather(
    wanted: &[Wanted],
    ends: u64,
    written: fn(&Path) -> Vec<Written>,
    into: &Path,
) -> Result<(), Failure> {
    let mut contents = Contents::default();
    for (count, file) in wanted.iter().enumerate() {
        let name = file.path.file_name().unwrap_or_default();
        let to = into.join(name);
        let done = match count + 1 == wanted.len() {
            true => copy_until(&file.path, &to, ends),
            false => std::fs::hard_link(&file.path, &to),
        };
        done.map_err(|e| at(&to, &e))?;
        let name = name.to_string_lossy().into_owned();
        let written = written(&file.path);
        contents.files.push(Content { name, before: file.before, written });
    }
    let text = serde_json::to_vec(&contents).expect("plain data");
    OS_USER.write(&into.join(CONTENTS), &text).map(|_| ())
}

fn copy_until(from: &Path, to: &Path, ends: u64) -> std::io::Result<()> {
    let mut target = std::fs::File::create(to)?;
    std::io::copy(&mut std::fs::File::open(from)?.take(ends), &mut target)?;
    target.flush()
}

#[cfg(test)]
mod tests {
    use super::super::log_file::tests::{event, head, query};
    use super::super::log_file::{Begin, number};
    use super::*;

    /// A file begins with how many were before it; every transaction is one statement.
    static FORMAT: LogFormat = LogFormat {
        before_kind: 201,
        before: |body, _| number(body, 0, 8),
        purged: "",
        begin: |kind, _| {
            (kind == 200).then_some(Begin { offset: None, is_open: false, committed: None })
        },
    };

    fn file(directory: &Path, number: u64, before: u64, count: u64) -> PathBuf {
        let mut bytes = [head(), event(201, 7, &before.to_le_bytes())].concat();
        for _ in 0..count {
            bytes.extend(event(200, 7, &[]));
            bytes.extend(query("CREATE TABLE a (b int)"));
        }
        let path = directory.join(format!("binlog.{number:06}"));
        std::fs::write(&path, bytes).expect("written");
        path
    }

    /// The number of files, how many transactions were before the first, and how many the last one
    /// has when it is cut.
    fn look(files: &[PathBuf], from: u64, end: u64) -> Option<(usize, u64, usize)> {
        let place = |offset| Position { timeline: 1, offset };
        match look_for(files.to_vec(), &FORMAT, (place(from), place(end)), "").expect("read") {
            Looked::Gone => None,
            Looked::NotYet => Some((0, 0, 0)),
            Looked::Found(wanted, ends) => {
                let (first, last) = (wanted.first()?, wanted.last()?);
                let cut = last.path.with_extension("cut");
                copy_until(&last.path, &cut, ends).expect("copied");
                let held = transactions(&cut, &FORMAT, last.before).expect("read");
                Some((wanted.len(), first.before, held.len()))
            }
        }
    }

    #[test]
    fn the_files_are_found_that_hold_what_is_to_be_stored() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = |number, before, count| file(directory.path(), number, before, count);
        let files = [file(1, 10, 5), file(2, 15, 5), file(3, 20, 5)];
        assert_eq!(look(&files, 12, 13), Some((1, 10, 3)));
        assert_eq!(look(&files, 12, 23), Some((3, 10, 3)));
        assert_eq!(look(&files, 15, 20), Some((1, 15, 5)), "it begins where a file does");
        assert_eq!(look(&files, 20, 20), Some((1, 20, 0)), "there is nothing yet");
        assert_eq!(look(&files, 20, 26), Some((0, 0, 0)), "it is not written yet");
        assert_eq!(look(&files, 9, 23), None, "it is gone");
        std::fs::write(directory.path().join("binlog.000004"), b"").expect("begun");
        let begun = [files.as_slice(), &[directory.path().join("binlog.000004")]].concat();
        assert_eq!(look(&begun, 21, 25), Some((1, 20, 5)));
    }
}
