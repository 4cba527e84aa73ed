//! Where the log of a stopped engine ends, by `pg_waldump`: it prints every record from a known
//! place on, and stops at the first that is none.

use std::path::Path;
use std::process::Stdio;

use bellwether_contracts::Failure;
use bellwether_model::replication::Position;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};

use super::{Postgres, data, log_directory};

/// Of a page of the log, as every package makes them.
const PAGE: u64 = 8192;

/// Of a segment of the log of a new database, in MiB. With a promotion the new primary copies one
/// and every replica makes one, while writes wait; the engine's own choice is 16.
pub(super) const SEGMENT_MIB: u64 = 4;

/// The header of a page, and of the first page of a segment
/// (`src/include/access/xlog_internal.h`).
const PAGE_HEADER: u64 = 24;
const SEGMENT_HEADER: u64 = 40;

impl Postgres {
    pub(super) async fn find_log_end(&self, from: Position) -> Result<Position, Failure> {
        let mut command = self.command("pg_waldump");
        command
            .arg("--path")
            .arg(data().join("pg_wal"))
            .arg(format!("--timeline={}", from.timeline))
            .arg(format!("--start={:X}/{:X}", from.offset >> 32, from.offset & 0xffff_ffff))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child =
            command.spawn().map_err(|error| Failure::permanent(format!("pg_waldump: {error}")))?;
        let (out, err) = (child.stdout.take(), child.stderr.take());
        let said = async {
            let mut said = String::new();
            if let Some(mut err) = err {
                let _ = err.read_to_string(&mut said).await;
            }
            said
        };
        let segment = segment_bytes(&log_directory());
        let last = async {
            let mut last = None;
            if let Some(out) = out {
                let mut lines = BufReader::new(out).lines();
                while let Ok(Some(line)) = lines.next_line().await {
                    last = end_of_record(&line, segment).or(last);
                }
            }
            last
        };
        let (last, said) = tokio::join!(last, said);
        let _ = child.wait().await;
        match last {
            Some(offset) => Ok(Position { offset: offset.max(from.offset), ..from }),
            None if said.contains("could not find a valid record") => Ok(from),
            None => Err(Failure::transient(format!("pg_waldump: {}", said.trim()))),
        }
    }
}

/// Bytes of each segment of the log there: that was chosen when the database was made.
pub(super) fn segment_bytes(log: &Path) -> u64 {
    let is_segment = |name: &str| name.len() == 24 && name.bytes().all(|b| b.is_ascii_hexdigit());
    let entries = std::fs::read_dir(log).into_iter().flatten().flatten();
    let mut segments = entries.filter(|entry| entry.file_name().to_str().is_some_and(is_segment));
    let size = segments.find_map(|entry| Some(entry.metadata().ok()?.len()));
    size.filter(|size| size.is_power_of_two()).unwrap_or(SEGMENT_MIB << 20)
}

/// Where the record of this line ends: `rmgr: … len (rec/tot): 59/ 59, tx: …, lsn: 0/50215D0, …`.
fn end_of_record(line: &str, segment: u64) -> Option<u64> {
    let length = line.split_once("len (rec/tot):")?.1.split_once('/')?.1;
    let length: u64 = length.split_once(',')?.0.trim().parse().ok()?;
    let (high, low) = line.split_once("lsn: ")?.1.split_once(',')?.0.split_once('/')?;
    let hex = |text: &str| u64::from_str_radix(text.trim(), 16).ok();
    Some(end(hex(high)? << 32 | hex(low)?, length, segment))
}

/// Where a record ends that begins there: headers of pages lie between its parts, and the next one
/// begins at a multiple of 8.
fn end(begin: u64, length: u64, segment: u64) -> u64 {
    let (mut at, mut left) = (begin, length);
    loop {
        let room = PAGE - at % PAGE;
        if left <= room {
            return (at + left).next_multiple_of(8);
        }
        left -= room;
        at += room;
        at += if at % segment == 0 { SEGMENT_HEADER } else { PAGE_HEADER };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEGMENT: u64 = 16 << 20;

    #[test]
    fn the_end_of_a_line_of_pg_waldump() {
        let line = "rmgr: Transaction len (rec/tot):     34/    34, tx:        742, lsn: \
                    0/05021598, prev 0/05021560, desc: COMMIT 2026-11-24 00:52:28.1 UTC";
        assert_eq!(end_of_record(line, SEGMENT), Some(0x0502_15C0));
        assert_eq!(end_of_record("pg_waldump: error: x", SEGMENT), None);
    }

    #[test]
    fn a_record_across_pages_has_their_headers_in_it() {
        assert_eq!(end(8192 - 16, 16, SEGMENT), 8192, "it fills the page");
        assert_eq!(end(8192 - 16, 40, SEGMENT), 8192 + 24 + 24);
        assert_eq!(end(SEGMENT - 8, 16, SEGMENT), SEGMENT + 40 + 8);
        assert_eq!(
            end(8192 - 8, 8 + 8168 + 8, SEGMENT),
            2 * 8192 + 24 + 8,
            "a page and a bit more"
        );
    }

    #[test]
    fn the_size_of_segments_is_read_off_one() {
        let log = tempfile::tempdir().expect("a directory");
        assert_eq!(segment_bytes(log.path()), 4 << 20);
        std::fs::write(log.path().join("00000002.history"), "1").expect("written");
        let segment = std::fs::File::create(log.path().join("00000001000000000000003A"));
        segment.and_then(|file| file.set_len(16 << 20)).expect("made");
        assert_eq!(segment_bytes(log.path()), 16 << 20);
    }
}
