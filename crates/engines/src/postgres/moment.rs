//! A backup becomes what it was at a later moment: the log that leads there is brought, too, and
//! ends before the first transaction that was ended later.
//!
//! The engine's own `recovery_target_time` is not used. It ends with an error where nothing was
//! committed after the moment, and a promotion of its own would begin a timeline of a number that
//! is nobody's term. Log that ends at the moment is replayed to its end, as that of a backup is.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use bellwether_contracts::driver::Probe;
use bellwether_contracts::repository::{Archive, Progress};
use bellwether_contracts::{Failure, Repository};
use bellwether_model::Timestamp;
use bellwether_model::backup::BackupFacts;
use bellwether_model::log::LogPiece;
use bellwether_model::replication::Position;
use bellwether_protocol::assignment::RestoredLog;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tracing::info;

use super::driver::parse_lsn;
use super::kept_log::LOG_PART;
use super::log_end::segment_bytes;
use super::restore::put_to;
use super::segments::{complete, end_at, names};
use super::{OS_USER, Postgres, TIMELINE, data, new_data};
use crate::backup::{RETURNED, give_all, part};
use crate::files::remove;

/// Between two looks whether the log is replayed.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A stretch of one timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    timeline: u64,
    from: u64,
    to: u64,
}

impl Postgres {
    /// Brings the log to data that was brought back and is not in place yet.
    pub(super) async fn bring_log(
        &self,
        base: &BackupFacts,
        log: &RestoredLog,
        (archives, repository): (&[Archive], &dyn Repository),
        progress: Progress<'_>,
    ) -> Result<(), Failure> {
        let Some(last) = log.pieces.last() else {
            return Err(Failure::permanent("there is no log that leads to that moment"));
        };
        let (returned, directory) = (Path::new(RETURNED), new_data().join("pg_wal"));
        for piece in &log.pieces {
            remove(returned)?;
            repository.get(part(archives, &piece.id, LOG_PART)?, returned, progress).await?;
            put_to(returned, &directory)?;
            remove(returned)?;
        }
        // It is looked through as the engine's user.
        give_all(OS_USER, &directory)?;
        let bytes = segment_bytes(&directory);
        let wanted = names(base.position.offset, last.to, &last.history, bytes);
        if let Some(missing) = wanted.iter().find(|name| !directory.join(name).exists()) {
            let words = format!("the log that was kept has no {missing}");
            return Err(Failure::permanent(words));
        }
        complete(&directory, base.position.offset, (last.to, &last.history), bytes)?;
        let later = self.first_later(&directory, base.position, last, log.at).await?;
        let end = later.unwrap_or(last.to);
        // It ends on one of the timelines that the last piece goes back to, or on its own.
        let before = |known: &&Position| {
            known.offset <= end.offset && known.timeline != end.timeline
        };
        let history: Vec<Position> = last.history.iter().filter(before).copied().collect();
        end_at(&directory, end, &history, bytes)?;
        OS_USER.write_durably(&new_data().join(TIMELINE), &end.timeline.to_string())?;
        info!("the log is restored to {}, that is to {end}", log.at);
        Ok(())
    }

    /// Waits until the log that leads to a moment is replayed, where data was restored to one: that
    /// may take as long as it takes, and is no part of a promotion, which has to be quick.
    pub(super) async fn until_replayed(&self) -> Result<(), Failure> {
        while data().join(TIMELINE).exists() {
            let mut seen = Probe::default();
            if self.ask(&mut seen).await && seen.is_end_known {
                break;
            }
            if self.postmaster().is_none() {
                return Err(self.ended_saying("the engine ended while it replayed its log"));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    /// Where the first transaction is ended that was ended after that moment.
    async fn first_later(
        &self,
        directory: &Path,
        from: Position,
        last: &LogPiece,
        at: Timestamp,
    ) -> Result<Option<Position>, Failure> {
        for span in spans(from, last) {
            if let Some(offset) = self.first_later_in(directory, span, at).await? {
                return Ok(Some(Position { timeline: span.timeline, offset }));
            }
        }
        Ok(None)
    }

    /// `pg_waldump` stops where recovery would stop, at the first record that is none.
    async fn first_later_in(
        &self,
        directory: &Path,
        span: Span,
        at: Timestamp,
    ) -> Result<Option<u64>, Failure> {
        let place = |offset: u64| format!("{:X}/{:X}", offset >> 32, offset & 0xffff_ffff);
        let mut command = self.command("pg_waldump");
        command
            .env("TZ", "UTC")
            .arg("--path")
            .arg(directory)
            .arg(format!("--timeline={}", span.timeline))
            .arg(format!("--start={}", place(span.from)))
            .arg(format!("--end={}", place(span.to)))
            .arg("--rmgr=Transaction")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        let failed = |error: std::io::Error| Failure::permanent(format!("pg_waldump: {error}"));
        let mut child = command.spawn().map_err(failed)?;
        let Some(output) = child.stdout.take() else { return Ok(None) };
        let mut lines = BufReader::new(output).lines();
        while let Some(line) = lines.next_line().await.map_err(failed)? {
            match ended(&line) {
                Some((offset, ended_at)) if ended_at > at => return Ok(Some(offset)),
                _ => {}
            }
        }
        child.wait().await.map_err(failed)?;
        Ok(None)
    }
}

/// The timelines that lead from a place to the end of a piece.
fn spans(from: Position, last: &LogPiece) -> Vec<Span> {
    let ends = last.history.iter().chain([&last.to]);
    let mut begin = from.offset;
    let mut all = Vec::new();
    for end in ends.filter(|end| end.timeline >= from.timeline) {
        if end.offset > begin {
            all.push(Span { timeline: end.timeline, from: begin, to: end.offset });
            begin = end.offset;
        }
    }
    all
}

/// Where a transaction is ended, and when:
/// `rmgr: Transaction … lsn: 0/05021598, prev …, desc: COMMIT 2026-11-24 00:52:28.100000 UTC`.
/// Before the time of one that was prepared is its number: `COMMIT_PREPARED 742: 2026-…`.
fn ended(line: &str) -> Option<(u64, Timestamp)> {
    let offset = parse_lsn(line.split_once("lsn: ")?.1.split_once(',')?.0)?;
    let said = line.split_once("desc: ")?.1;
    let (what, rest) = said.split_once(' ')?;
    let time = match what {
        "COMMIT" | "ABORT" => rest,
        "COMMIT_PREPARED" | "ABORT_PREPARED" => {
            rest.split_once(": ").map_or(rest, |(_, time)| time)
        }
        _ => return None,
    };
    let mut words = time.split(' ');
    let (day, hour) = (words.next()?, words.next()?);
    let text = serde_json::Value::String(format!("{day}T{hour}Z"));
    Some((offset, serde_json::from_value(text).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(timeline: u64, offset: u64) -> Position {
        Position { timeline, offset }
    }

    #[test]
    fn the_end_of_a_transaction_is_read_with_its_time() {
        let line = |desc: &str| {
            let text = "rmgr: Transaction len (rec/tot):     34/    34, tx:        742, lsn: \
                        0/05021598, prev 0/05021560, desc: ";
            ended(&format!("{text}{desc}")).map(|(offset, at)| (offset, at.to_string()))
        };
        let told = Some((0x502_1598, "2026-11-24T00:52:28.1Z".to_owned()));
        assert_eq!(line("COMMIT 2026-11-24 00:52:28.100000 UTC"), told);
        assert_eq!(line("COMMIT 2026-11-24 00:52:28.100000 UTC; inval msgs: catcache 1"), told);
        assert_eq!(line("ABORT_PREPARED 77: 2026-11-24 00:52:28.100000 UTC"), told);
        assert_eq!(line("INVALIDATION ; inval msgs: catcache 1"), None);
    }

    #[test]
    fn the_log_is_looked_through_timeline_after_timeline() {
        let last = LogPiece {
            id: "p".into(),
            cluster: "c".into(),
            stretch: "s".into(),
            from: place(1, 400),
            to: place(7, 900),
            until: Timestamp::from_millis(0),
            history: vec![place(1, 450), place(5, 460)],
            size: 0,
        };
        let span = |timeline, from, to| Span { timeline, from, to };
        let all = [span(1, 100, 450), span(5, 450, 460), span(7, 460, 900)];
        assert_eq!(spans(place(1, 100), &last), all);
        assert_eq!(spans(place(7, 500), &last), [span(7, 500, 900)]);
        assert!(spans(place(7, 900), &last).is_empty());
    }
}
