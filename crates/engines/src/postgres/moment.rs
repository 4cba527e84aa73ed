//! A backup becomes what it was at a later moment: the log that leads there is brought, too, and
//! ends before the first transaction that was ended later.
//!
//! The engine's own `recovery_target_time` is not used. It ends with an error where nothing was
//! committed after the moment, and a promotion of its own would begin a timeline of a number that
//! is nobody's term. Log that ends at the moment is replayed to its end, as that of a backup is.

use std::collections::BTreeMap;
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
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tracing::info;

use super::driver::parse_lsn;
use super::log_end::segment_bytes;
use super::restore::put_to;
use super::segments::{complete, end_at, names};
use super::{FLOORS, OS_USER, Postgres, TIMELINE, data, new_data};
use crate::backup::{RETURNED, give_all, part};
use crate::files::remove;
use crate::kept_log::LOG_PART;

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
        let before =
            |known: &&Position| known.offset <= end.offset && known.timeline != end.timeline;
        let history: Vec<Position> = last.history.iter().filter(before).copied().collect();
        end_at(&directory, end, &history, bytes)?;
        let replayed = spans(base.position, last, end);
        let most = self.settings_in(&directory, replayed).await?;
        let lines: Vec<String> = most.iter().map(|(name, most)| format!("{name} {most}")).collect();
        OS_USER.write_durably(&new_data().join(FLOORS), &lines.join("\n"))?;
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
        for span in spans(from, last, last.to) {
            if let Some(offset) = self.first_later_in(directory, span, at).await? {
                return Ok(Some(Position { timeline: span.timeline, offset }));
            }
        }
        Ok(None)
    }

    async fn first_later_in(
        &self,
        directory: &Path,
        span: Span,
        at: Timestamp,
    ) -> Result<Option<u64>, Failure> {
        let mut found = None;
        let is_later = |line: &str| {
            found = ended(line).filter(|(_, ended_at)| *ended_at > at).map(|(offset, _)| offset);
            found.is_some()
        };
        self.dump_log(directory, span, "Transaction", is_later).await?;
        Ok(found)
    }

    /// The most that the primary had of each setting in which whoever replays its log must not be
    /// below it, as far as it was changed in that log.
    async fn settings_in(
        &self,
        directory: &Path,
        spans: Vec<Span>,
    ) -> Result<BTreeMap<String, u64>, Failure> {
        let mut most: BTreeMap<String, u64> = BTreeMap::new();
        for span in spans {
            let look = |line: &str| {
                for (name, value) in changed(line) {
                    let known = most.entry(name.to_owned()).or_default();
                    *known = value.max(*known);
                }
                false
            };
            self.dump_log(directory, span, "XLOG", look).await?;
        }
        Ok(most)
    }

    /// Shows every record of one kind, as `pg_waldump` tells it, until one was enough. It stops
    /// where recovery would: log that ends before it should is damaged, and no moment is restored
    /// from it.
    async fn dump_log(
        &self,
        directory: &Path,
        span: Span,
        kind: &str,
        mut is_enough: impl FnMut(&str) -> bool + Send,
    ) -> Result<(), Failure> {
        let place = |offset: u64| format!("{:X}/{:X}", offset >> 32, offset & 0xffff_ffff);
        let mut command = self.command("pg_waldump");
        command
            .env("TZ", "UTC")
            .arg("--path")
            .arg(directory)
            .arg(format!("--timeline={}", span.timeline))
            .arg(format!("--start={}", place(span.from)))
            .arg(format!("--end={}", place(span.to)))
            .arg(format!("--rmgr={kind}"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let failed = |error: std::io::Error| Failure::permanent(format!("pg_waldump: {error}"));
        let mut child = command.spawn().map_err(failed)?;
        let (output, errors) = (child.stdout.take(), child.stderr.take());
        if let Some(output) = output {
            let mut lines = BufReader::new(output).lines();
            while let Some(line) = lines.next_line().await.map_err(failed)? {
                if is_enough(&line) {
                    return Ok(());
                }
            }
        }
        let mut said = String::new();
        if let Some(mut errors) = errors {
            errors.read_to_string(&mut said).await.map_err(failed)?;
        }
        let status = child.wait().await.map_err(failed)?;
        // There may be no more in it than the end of a record.
        if status.success() || said.contains("could not find a valid record") {
            return Ok(());
        }
        let said = said.trim();
        Err(Failure::permanent(format!("the log that was kept cannot be read: {said}")))
    }
}

/// The timelines that lead from a place to another one, in the history that a piece ends.
fn spans(from: Position, last: &LogPiece, to: Position) -> Vec<Span> {
    let ends = last.history.iter().chain([&last.to]);
    let mut begin = from.offset;
    let mut all = Vec::new();
    for end in ends.filter(|end| end.timeline >= from.timeline) {
        let until = end.offset.min(to.offset);
        if until > begin {
            all.push(Span { timeline: end.timeline, from: begin, to: until });
            begin = until;
        }
    }
    all
}

/// The settings that a line tells a change of, by the names in it:
/// `… desc: PARAMETER_CHANGE max_connections=100 max_worker_processes=8 …`.
fn changed(line: &str) -> Vec<(&str, u64)> {
    let Some((_, told)) = line.split_once("desc: PARAMETER_CHANGE ") else { return Vec::new() };
    let pairs = told.split(' ').filter_map(|pair| pair.split_once('='));
    pairs.filter_map(|(name, value)| Some((name, value.parse().ok()?))).collect()
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
    fn a_change_of_settings_is_read() {
        let line = "rmgr: XLOG        len (rec/tot):     54/    54, tx:          0, lsn: \
                    0/03000028, prev 0/02000110, desc: PARAMETER_CHANGE max_connections=200 \
                    max_worker_processes=8 max_wal_senders=16 wal_level=replica";
        let told = [("max_connections", 200), ("max_worker_processes", 8), ("max_wal_senders", 16)];
        assert_eq!(changed(line), told);
        assert!(changed("desc: NEXTOID 24576").is_empty());
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
        assert_eq!(spans(place(1, 100), &last, last.to), all);
        assert_eq!(spans(place(1, 100), &last, place(1, 300)), [span(1, 100, 300)]);
        assert_eq!(spans(place(7, 500), &last, last.to), [span(7, 500, 900)]);
        assert!(spans(place(7, 900), &last, last.to).is_empty());
    }
}
