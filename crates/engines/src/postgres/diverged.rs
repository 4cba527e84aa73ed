//! What only this node's log holds, kept aside before its data is rewound or copied: the log from
//! where histories part, what `pg_waldump` makes of it, and a summary of both.
//!
//! Of the log so much is kept. Whatever goes wrong here is said, and keeps no node from coming
//! back.

use std::collections::HashSet;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use bellwether_contracts::Failure;
use bellwether_model::divergence::Divergence;
use bellwether_model::replication::Position;
use bellwether_model::{Term, Timestamp};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tracing::warn;

use super::driver::parse_lsn;
use super::log_end::segment_bytes;
use super::{OS_USER, PROBE_PREFIX, Postgres, log_directory};
use crate::files::{at, remove};
use crate::findings::{complete, directory, findings, read, text};
use crate::room;

/// Of the text so many bytes are kept.
const TEXT_BYTES_MAX: usize = 1 << 20;

/// Of the log at most so many bytes are kept.
const LOG_BYTES_MAX: u64 = 128 << 20;

/// Kinds of records that are told apart.
const KINDS_MAX: usize = 40;

/// Reading the log may take so long.
const READ_MAX: Duration = Duration::from_secs(120);

/// What `pg_waldump` told of a piece of the log.
#[derive(Default)]
struct Told {
    tally: Tally,
    text: Vec<u8>,
    is_text_cut: bool,
}

#[derive(Default)]
struct Tally {
    transactions: u64,
    first_commit: Option<String>,
    last_commit: Option<String>,
    records: std::collections::BTreeMap<String, u64>,
    /// Transactions of the prober that have not ended yet: nobody's data.
    probes: HashSet<String>,
}

impl Tally {
    /// A message that begins as the prober's do, or the end of its transaction.
    fn is_of_prober(&mut self, manager: &str, word: &str, line: &str) -> bool {
        let number = line.split_once(" tx: ").and_then(|(_, rest)| rest.split(',').next());
        let Some(number) = number.map(str::trim) else { return false };
        if manager == "LogicalMessage" && line.contains(&format!("prefix \"{PROBE_PREFIX}\"")) {
            return self.probes.insert(number.to_owned());
        }
        // A transaction that holds anything else is somebody's.
        self.probes.remove(number) && manager == "Transaction" && word == "COMMIT"
    }

    /// Takes in a line: `rmgr: Heap  len (rec/tot): … desc: INSERT off: 1 …`.
    /// Whether it is of interest to anybody: what only measures is nobody's.
    fn add(&mut self, line: &str) -> bool {
        let manager = line.strip_prefix("rmgr:").and_then(|rest| rest.split_whitespace().next());
        let description = line.split_once(" desc: ").map(|(_, description)| description);
        let (Some(manager), Some(description)) = (manager, description) else { return true };
        let word = description.split_whitespace().next().unwrap_or_default();
        if self.is_of_prober(manager, word, line) {
            return false;
        }
        let kind = format!("{manager} {word}");
        if self.records.len() < KINDS_MAX || self.records.contains_key(&kind) {
            *self.records.entry(kind).or_default() += 1;
        }
        if manager == "Transaction" && matches!(word, "COMMIT" | "COMMIT_PREPARED") {
            self.transactions += 1;
            // `COMMIT 2026-03-01 12:00:00.123456 UTC; inval msgs: …`
            let rest = description.split_once("20").map(|(_, rest)| format!("20{rest}"));
            let moment = rest.and_then(|rest| rest.split(" UTC").next().map(str::to_owned));
            self.first_commit = self.first_commit.take().or_else(|| moment.clone());
            self.last_commit = moment.or(self.last_commit.take());
        }
        true
    }
}

impl Postgres {
    /// Keeps what only this node holds, from where its history parts from the cluster's.
    pub(super) async fn keep_diverged(&self, term: Term, fork: Option<u64>) {
        let Some(fork) = fork else { return };
        if let Err(failure) = self.try_to_keep(term, fork).await {
            warn!("what only this node holds cannot be kept: {failure}");
        }
        let found = findings();
        *self.diverged.lock().expect("nothing panics while it is held") = found;
    }

    async fn try_to_keep(&self, term: Term, fork: u64) -> Result<(), Failure> {
        let directory = directory(term);
        let control = self.control().await?;
        let timeline: u64 = control.line("Latest checkpoint's TimeLineID").parse().unwrap_or(0);
        let end = parse_lsn(control.line("Latest checkpoint location")).unwrap_or(fork);
        let (from, to) =
            (Position { timeline, offset: fork }, Position { timeline, offset: end.max(fork) });
        // An attempt that was interrupted has kept it already.
        if read(&directory).is_some_and(|known| (known.from, known.to) == (from, to)) {
            return Ok(());
        }
        remove(&directory)?;
        std::fs::create_dir_all(&directory).map_err(|e| at(&directory, &e))?;
        let told = tokio::time::timeout(READ_MAX, self.read_log(from, to)).await;
        let (told, is_whole) = match told {
            Ok(Ok(told)) => (told, true),
            Ok(Err(failure)) => {
                warn!("the log that only this node holds cannot be read: {failure}");
                (Told::default(), false)
            }
            Err(_) => (Told::default(), false),
        };
        let count = told.tally.transactions;
        let (mut segments, mut is_cut) = (0, told.is_text_cut || !is_whole);
        if count > 0 || !is_whole {
            std::fs::write(text(&directory), &told.text).map_err(|e| at(&directory, &e))?;
            let (kept, is_all) = copy_segments(&directory, from, to)?;
            (segments, is_cut) = (kept, is_cut || !is_all);
        }
        let divergence = Divergence {
            term,
            found_at: Timestamp::now(),
            from,
            to,
            bytes: to.offset - from.offset,
            transactions: is_whole.then_some(count),
            first_commit: told.tally.first_commit,
            last_commit: told.tally.last_commit,
            records: told.tally.records,
            directory: directory.to_string_lossy().into_owned(),
            segments,
            is_cut,
        };
        complete(OS_USER, &divergence)
    }

    /// Reads the log by `pg_waldump`, line by line: it may be long.
    async fn read_log(&self, from: Position, to: Position) -> Result<Told, Failure> {
        let place = |offset: u64| format!("{:X}/{:X}", offset >> 32, offset & 0xffff_ffff);
        let mut child = self
            .command("pg_waldump")
            .arg("-p")
            .arg(log_directory())
            .args(["-t", &from.timeline.to_string()])
            .args(["-s", &place(from.offset), "-e", &place(to.offset)])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| Failure::permanent(format!("pg_waldump: {error}")))?;
        let mut told = Told::default();
        if let Some(output) = child.stdout.take() {
            let mut lines = BufReader::new(output).split(b'\n');
            while let Ok(Some(line)) = lines.next_segment().await {
                if !told.tally.add(&String::from_utf8_lossy(&line)) {
                    continue;
                }
                if told.text.len() + line.len() < TEXT_BYTES_MAX {
                    told.text.extend_from_slice(&line);
                    told.text.push(b'\n');
                } else {
                    told.is_text_cut = true;
                }
            }
        }
        let output = child.wait_with_output().await;
        let output = output.map_err(|error| Failure::transient(format!("pg_waldump: {error}")))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(Failure::permanent(format!("pg_waldump: {}", said.trim())));
        }
        if told.is_text_cut {
            told.text.extend_from_slice(b"... more follows in the log itself\n");
        }
        Ok(told)
    }
}

/// Copies the log aside; how many segments, and whether all. None are copied into the room that the
/// node's return needs: that is worth more than what only it holds is certain to be.
fn copy_segments(directory: &Path, from: Position, to: Position) -> Result<(u32, bool), Failure> {
    let log = log_directory();
    let size = segment_bytes(&log);
    let (first, last) = (segment(from.offset, size), segment(to.offset, size));
    let entries = std::fs::read_dir(&log).map_err(|e| at(&log, &e))?;
    let mut segments: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.len() == 24 && (&*first..=&*last).contains(&&name[8..]))
        .filter(|name| u64::from_str_radix(&name[..8], 16).is_ok_and(|t| t == from.timeline))
        .collect();
    segments.sort();
    let mut kept = 0;
    for name in segments.iter().take((LOG_BYTES_MAX / size) as usize) {
        let target = directory.join(name);
        if !room::has_room_for(size * 4) {
            break;
        }
        if let Err(error) = std::fs::copy(log.join(name), &target) {
            warn!("{name} could not be set aside: {error}");
            let _ = std::fs::remove_file(target);
            break;
        }
        kept += 1;
    }
    Ok((kept, kept as usize == segments.len()))
}

/// The name of the segment that holds this place, without its timeline.
fn segment(offset: u64, size: u64) -> String {
    format!("{:08X}{:08X}", offset >> 32, (offset & 0xffff_ffff) / size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_that_only_this_node_holds_is_found() {
        assert_eq!(segment(0x1_3a00_0060, 16 << 20), "000000010000003A");
        assert_eq!(segment(0x1_3a00_0060, 4 << 20), "00000001000000E8");
    }

    #[test]
    fn commits_are_counted_and_every_kind_of_record() {
        let mut tally = Tally::default();
        for line in [
            "rmgr: Heap        len (rec/tot):     59/    59, tx:        745, lsn: 0/03000108, prev \
             0/030000D0, desc: INSERT off: 1, flags: 0x08, blkref #0: rel 1663/16384/16390 blk 0",
            "rmgr: Transaction len (rec/tot):     46/    46, tx:        745, lsn: 0/03000148, prev \
             0/03000108, desc: COMMIT 2026-03-01 12:00:00.123456 UTC",
            "rmgr: Transaction len (rec/tot):     34/    34, tx:        746, lsn: 0/03000178, prev \
             0/03000148, desc: ABORT 2026-03-01 12:00:01.000000 UTC",
            "rmgr: Transaction len (rec/tot):     98/    98, tx:        747, lsn: 0/030001A0, prev \
             0/03000178, desc: COMMIT 2026-03-01 12:00:02.500000 UTC; inval msgs: catcache 55",
            "rmgr: LogicalMessage len (rec/tot):     82/    82, tx:        748, lsn: 0/030001F0, \
             prev 0/030001A0, desc: MESSAGE transactional, prefix \"bellwether probe\"; payload (0 \
             bytes): ",
            "rmgr: Transaction len (rec/tot):     34/    34, tx:        748, lsn: 0/03000248, prev \
             0/030001F0, desc: COMMIT 2026-03-01 12:00:03.500000 UTC",
            "pg_waldump: something else",
        ] {
            tally.add(line);
        }
        assert_eq!(tally.transactions, 2);
        assert_eq!(tally.first_commit.as_deref(), Some("2026-03-01 12:00:00.123456"));
        assert_eq!(tally.last_commit.as_deref(), Some("2026-03-01 12:00:02.500000"));
        let records: Vec<_> = tally.records.iter().map(|(k, n)| (k.as_str(), *n)).collect();
        let expected = [("Heap INSERT", 1), ("Transaction ABORT", 1), ("Transaction COMMIT", 2)];
        assert_eq!(records, expected);
    }
}
