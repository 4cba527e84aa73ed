//! The second part of a backup, put together beside the data: control file, label, and the log from
//! the beginning of the backup to its end.
//!
//! The log is not copied but linked: the slot keeps the engine from using its files for something
//! else. Only the last segment is copied, and what it holds beyond the end is left out.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::{Ended, Fingerprint, OS_USER, Postgres, data, log_directory};
use crate::backup;
use crate::files::at;
use crate::postgres::log_end::segment_bytes;
use crate::postgres::segments::{copy_until, segment};
use crate::postgres::timelines;
use bellwether_contracts::Failure;

/// A control file that is being written is read again.
const CONTROL_TRIES: u32 = 10;

/// Gone when it is.
pub(super) struct Staging(backup::Staging);

impl Staging {
    pub(super) fn make() -> Result<Self, Failure> {
        let staging = Self(backup::Staging::make(OS_USER)?);
        OS_USER.own_directory(&staging.directory().join("global"))?;
        OS_USER.own_directory(&staging.directory().join("pg_wal"))?;
        Ok(staging)
    }

    pub(super) fn directory(&self) -> &Path {
        self.0.directory()
    }

    fn write(&self, name: &str, content: &[u8]) -> Result<(), Failure> {
        let path = self.directory().join(name);
        std::fs::write(&path, content).map_err(|e| at(&path, &e))?;
        let closed = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(&path, closed).map_err(|e| at(&path, &e))?;
        OS_USER.give(&path)
    }

    /// Copies the control file, whole.
    pub(super) async fn keep_control(&self, postgres: &Postgres) -> Result<(), Failure> {
        let path = data().join("global/pg_control");
        for _ in 0..CONTROL_TRIES {
            let content = std::fs::read(&path).map_err(|e| at(&path, &e))?;
            self.write("global/pg_control", &content)?;
            let mut look = postgres.command("pg_controldata");
            look.arg(self.directory());
            let said = postgres.run(&mut look, "pg_controldata").await?;
            if !said.contains("CRC checksum does not match") {
                return Ok(());
            }
        }
        Err(Failure::transient("the control file cannot be read in one piece"))
    }

    /// Keeps the log from the beginning of the backup to its end; the latest timeline in it.
    pub(super) fn keep_log(&self, label: &str, end: u64) -> Result<u64, Failure> {
        let (first_name, begin) = beginning(label)
            .ok_or_else(|| Failure::permanent("the label of the backup cannot be read"))?;
        let log = log_directory();
        let bytes = segment_bytes(&log);
        let (first, last) = (begin / bytes, end.saturating_sub(1) / bytes);
        let first_timeline = segment(&first_name, bytes).map_or(1, |(timeline, _)| timeline);
        let mut kept = std::collections::BTreeSet::new();
        let mut latest = first_timeline;
        let entries = std::fs::read_dir(&log).map_err(|e| at(&log, &e))?;
        for entry in entries.filter_map(Result::ok) {
            let name = entry.file_name().to_string_lossy().into_owned();
            let from = entry.path();
            let to = self.directory().join("pg_wal").join(&name);
            if name.ends_with(".history") && !timelines::is_reserved(&from) {
                std::fs::copy(&from, &to).map_err(|e| at(&to, &e))?;
                OS_USER.give(&to)?;
            }
            let Some((timeline, number)) = segment(&name, bytes) else { continue };
            if timeline < first_timeline || number < first || number > last {
                continue;
            }
            if number == last && !end.is_multiple_of(bytes) {
                copy_until(&from, &to, end % bytes)?;
            } else {
                std::fs::hard_link(&from, &to).map_err(|e| at(&to, &e))?;
            }
            latest = latest.max(timeline);
            kept.insert(number);
        }
        match (first..=last).find(|number| !kept.contains(number)) {
            None => Ok(latest),
            Some(_) => Err(Failure::transient("log that the backup needs is gone")),
        }
    }

    pub(super) fn finish(&self, ended: &Ended, tables: &Fingerprint) -> Result<(), Failure> {
        self.write("backup_label", ended.label.as_bytes())?;
        if !ended.tablespaces.is_empty() {
            self.write("tablespace_map", ended.tablespaces.as_bytes())?;
        }
        self.0.keep(OS_USER, tables)
    }
}

/// The first segment of the log that is needed, and the place in the log.
fn beginning(label: &str) -> Option<(String, u64)> {
    let line = label.lines().find_map(|line| line.strip_prefix("START WAL LOCATION: "))?;
    let (place, rest) = line.split_once(" (file ")?;
    Some((rest.trim_end_matches(')').to_owned(), super::parse_lsn(place)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LABEL: &str = "START WAL LOCATION: 0/3000028 (file 00000002000000000000000C)\n\
                         CHECKPOINT LOCATION: 0/3000060\nBACKUP METHOD: streamed\n\
                         BACKUP FROM: standby\nSTART TIMELINE: 2\n";

    #[test]
    fn a_label_says_where_the_log_begins() {
        let (name, place) = beginning(LABEL).expect("read");
        assert_eq!((name.as_str(), place), ("00000002000000000000000C", 0x300_0028));
        assert_eq!(segment(&name, 4 << 20), Some((2, 12)));
        assert_eq!(place / (4 << 20), 12);
        assert_eq!(segment("000000010000000100000000", 16 << 20), Some((1, 256)));
        assert_eq!(segment("00000002.history", 4 << 20), None);
    }
}
