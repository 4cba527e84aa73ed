//! When what is in the log was written: MariaDB's log tells only the second in which a statement
//! was begun, so the kernel is asked, as the files grow.
//!
//! For every file of the log there is one beside it, which tells at what length it was when. It is
//! part of the data, and goes when the log's file goes.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::mem::MaybeUninit;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify;
use tracing::warn;

use crate::mysql_family::OS_USER;
use crate::mysql_family::kept_log::Written;
use crate::mysql_family::node::{all_binlogs, is_numbered};
use crate::mysql_family::place::{log_in, root};

/// Where it is noted, beside the log.
const TIMES: &str = "times";

/// What grows within this time is told as one.
const TOGETHER: Duration = Duration::from_millis(2);

/// The log is looked for so often, where there is none.
const AGAIN: Duration = Duration::from_millis(500);

/// Names of files, as the kernel tells them.
const NAMES_BYTES: usize = 4096;

/// Looks at the log until it is dropped.
pub(super) struct Watch(Arc<AtomicBool>);

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Watch {
    pub(super) fn begin() -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let told = is_over.clone();
        std::thread::spawn(move || {
            while !told.load(Ordering::Relaxed) {
                if let Err(error) = look(&told)
                    && error.kind() != std::io::ErrorKind::NotFound
                {
                    warn!("it is not seen when the log is written: {error}");
                }
                std::thread::sleep(AGAIN);
            }
        });
        Self(is_over)
    }
}

/// What is known of when a file of the log was written.
pub(super) fn written(log: &Path) -> Vec<Written> {
    let text = std::fs::read_to_string(beside(log)).unwrap_or_default();
    text.lines().filter_map(parse).collect()
}

/// Notes every growth of the log, until its directory is another one.
fn look(is_over: &AtomicBool) -> std::io::Result<()> {
    let directory = log_in(root());
    let number = std::fs::metadata(&directory)?.ino();
    let notify = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK)?;
    inotify::add_watch(&notify, &directory, inotify::WatchFlags::MODIFY)?;
    let times = root().join(TIMES);
    OS_USER.own_directory(&times).map_err(std::io::Error::other)?;
    let mut notes = Notes::default();
    if let Some(last) = all_binlogs().ok().and_then(|mut logs| logs.pop()) {
        notes.note(&last)?;
    }
    let mut names = [MaybeUninit::uninit(); NAMES_BYTES];
    while !is_over.load(Ordering::Relaxed) {
        let mut wanted = [PollFd::new(&notify, PollFlags::IN)];
        let limit = Timespec { tv_sec: 0, tv_nsec: AGAIN.subsec_nanos().into() };
        if poll(&mut wanted, Some(&limit))? == 0 {
            if std::fs::metadata(&directory)?.ino() != number {
                return Ok(());
            }
            continue;
        }
        let mut grown: Vec<PathBuf> = Vec::new();
        let mut events = inotify::Reader::new(&notify, &mut names);
        while let Ok(event) = events.next() {
            let name = event.file_name().and_then(|name| name.to_str().ok());
            let path = directory.join(name.unwrap_or_default());
            if is_numbered(&path, "binlog") && !grown.contains(&path) {
                grown.push(path);
            }
        }
        for path in grown {
            notes.note(&path)?;
        }
        std::thread::sleep(TOGETHER);
    }
    Ok(())
}

/// Where it is noted when a file of the log was written.
fn beside(log: &Path) -> PathBuf {
    root().join(TIMES).join(log.file_name().unwrap_or_default())
}

/// What was seen since this was begun: of each file its number in the file system, and its length.
#[derive(Default)]
struct Notes(BTreeMap<PathBuf, (u64, u64)>);

impl Notes {
    fn note(&mut self, log: &Path) -> std::io::Result<()> {
        let seen = match std::fs::metadata(log) {
            Ok(seen) => seen,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        let at = seen.mtime() * 1_000_000 + seen.mtime_nsec() / 1_000;
        let (number, length) = (seen.ino(), seen.len());
        // A file that comes while this looks is seen from its beginning.
        let is_sure = !self.0.is_empty();
        let known = self.0.get(log).copied();
        match known {
            None => self.forget_others()?,
            Some((former, _)) if former != number => keep_until(log, 0)?,
            Some(_) => {}
        }
        if known.is_none_or(|(_, known)| known > length) {
            keep_until(log, length)?;
        }
        if known != Some((number, length)) {
            let written = Written { length, at, is_sure };
            let mut options = std::fs::OpenOptions::new();
            let mut file = options.create(true).append(true).open(beside(log))?;
            file.write_all(line(&written).as_bytes())?;
        }
        self.0.insert(log.to_owned(), (number, length));
        Ok(())
    }

    /// Removes what was noted of files that are no more.
    fn forget_others(&mut self) -> std::io::Result<()> {
        self.0.retain(|log, _| log.exists());
        for entry in std::fs::read_dir(root().join(TIMES))? {
            let note = entry?.path();
            if !log_in(root()).join(note.file_name().unwrap_or_default()).exists() {
                std::fs::remove_file(note)?;
            }
        }
        Ok(())
    }
}

/// What was noted of a file before is not kept beyond that length: it was cut, or is another one.
fn keep_until(log: &Path, length: u64) -> std::io::Result<()> {
    let noted = written(log);
    if noted.iter().all(|noted| noted.length <= length) {
        return Ok(());
    }
    let kept = noted.iter().filter(|noted| noted.length <= length);
    std::fs::write(beside(log), kept.map(line).collect::<String>())
}

fn line(written: &Written) -> String {
    format!("{} {} {}\n", written.length, written.at, u8::from(written.is_sure))
}

fn parse(line: &str) -> Option<Written> {
    let mut words = line.split(' ');
    Some(Written {
        length: words.next()?.parse().ok()?,
        at: words.next()?.parse().ok()?,
        is_sure: words.next()? == "1",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_noted_is_read_again() {
        let written = Written { length: 1_070, at: 1_764_158_193_000_001, is_sure: true };
        assert_eq!(parse(line(&written).trim_end()), Some(written));
        assert_eq!(parse("1070 17641"), None, "it was not written to its end");
    }
}
