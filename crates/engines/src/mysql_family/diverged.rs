//! What only this node's log holds, kept aside: the files of the log, what a program makes of them,
//! and a summary of both.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use bellwether_contracts::Failure;
use bellwether_model::divergence::Divergence;
use bellwether_model::replication::Position;
use bellwether_model::{Term, Timestamp};
use tokio::io::AsyncReadExt as _;
use tokio::process::Command;

use super::OS_USER;
use super::node::Node;
use crate::files::{at, remove};
use crate::findings::{complete, directory, read, text};
use crate::room::has_room_for;

/// Of the text so many bytes are kept.
const TEXT_BYTES_MAX: u64 = 1 << 20;

/// Reading the log may take so long.
const READ_MAX: Duration = Duration::from_secs(120);

/// What was found.
pub(crate) struct Found {
    pub(crate) from: Position,
    pub(crate) to: Position,
    pub(crate) transactions: u64,
    pub(crate) first_commit: Option<String>,
    pub(crate) last_commit: Option<String>,
}

impl Node {
    /// Keeps it. `show` prints the records.
    pub(crate) async fn keep(
        &self,
        term: Term,
        found: Found,
        files: &[PathBuf],
        show: Command,
    ) -> Result<(), Failure> {
        let directory = directory(term);
        let (from, to) = (found.from, found.to);
        // An attempt that was interrupted has kept it already.
        if read(&directory).is_some_and(|known| (known.from, known.to) == (from, to)) {
            return Ok(());
        }
        remove(&directory)?;
        OS_USER.own_directory(&directory)?;
        let is_text_whole = write_text(&text(&directory), show).await?;
        let (segments, is_all) = copy_logs(&directory, files)?;
        let divergence = Divergence {
            term,
            found_at: Timestamp::now(),
            from,
            to,
            bytes: 0,
            transactions: Some(found.transactions),
            first_commit: found.first_commit,
            last_commit: found.last_commit,
            records: std::collections::BTreeMap::new(),
            directory: directory.to_string_lossy().into_owned(),
            segments,
            is_cut: !is_all || !is_text_whole,
        };
        complete(OS_USER, &divergence)
    }
}

/// Writes what a program prints of the log; whether all of it.
async fn write_text(path: &Path, mut show: Command) -> Result<bool, Failure> {
    let broken = |error: std::io::Error| Failure::transient(format!("the records: {error}"));
    let mut child = show
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(broken)?;
    let mut shown = Vec::new();
    if let Some(output) = child.stdout.take() {
        let mut output = output.take(TEXT_BYTES_MAX + 1);
        let read = tokio::time::timeout(READ_MAX, output.read_to_end(&mut shown)).await;
        read.map_err(|_| Failure::transient("reading the log does not end"))?.map_err(broken)?;
    }
    let is_whole = shown.len() as u64 <= TEXT_BYTES_MAX;
    shown.truncate(TEXT_BYTES_MAX as usize);
    OS_USER.write(path, &shown)?;
    Ok(is_whole)
}

/// Copies the log aside, the newest files first; how many, and whether all. None are copied into
/// the room that the node's return needs.
fn copy_logs(directory: &Path, files: &[PathBuf]) -> Result<(u32, bool), Failure> {
    let mut kept = 0;
    for file in files.iter().rev() {
        let size = std::fs::metadata(file).map_err(|e| at(file, &e))?.len();
        if !has_room_for(size * 4) {
            break;
        }
        let target = directory.join(file.file_name().unwrap_or_default());
        std::fs::copy(file, &target).map_err(|e| at(&target, &e))?;
        kept += 1;
    }
    Ok((kept, kept as usize == files.len()))
}
