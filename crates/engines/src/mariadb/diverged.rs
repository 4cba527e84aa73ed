//! What only this node's log holds, kept aside before its data is copied anew.

use bellwether_contracts::Failure;
use bellwether_model::Term;
use bellwether_model::replication::Position;
use tracing::warn;

use super::binlog::Logged;
use super::{Mariadb, gtid};
use crate::mysql_family::diverged::Found;
use crate::mysql_family::history::History;
use crate::mysql_family::node::binlogs;

impl Mariadb {
    /// Keeps what only this node holds: what that history does not. Whatever goes wrong is said,
    /// and keeps no node from coming back.
    pub(super) async fn keep_diverged(&self, term: Term, history: &History) {
        if let Err(failure) = self.try_to_keep(term, history).await {
            warn!("what only this node holds cannot be kept: {failure}");
        }
        self.note_diverged();
    }

    async fn try_to_keep(&self, term: Term, history: &History) -> Result<(), Failure> {
        let files = binlogs()?;
        let all = self.transactions_in(&files).await?;
        let first = all.iter().position(|logged| !history.holds(logged.place));
        let Some(first) = first else { return Ok(()) };
        let only_here: &[Logged] = &all[first..];
        let (from, to) = (start_of(&all, first), end_of(only_here));
        let mut show = self.command("mariadb-binlog");
        show.args(["--no-defaults", "--base64-output=decode-rows", "--verbose"]);
        if from.offset > 0 {
            show.arg(format!("--start-position={}", gtid::id(from)));
        }
        show.args(&files);
        let found = Found {
            from,
            to,
            transactions: only_here.len() as u64,
            first_commit: only_here.first().map(|logged| logged.moment.clone()),
            last_commit: only_here.last().map(|logged| logged.moment.clone()),
        };
        self.keep(term, found, &files, show).await
    }
}

/// The place after which the log is this node's alone.
fn start_of(all: &[Logged], first: usize) -> Position {
    match first.checked_sub(1).and_then(|before| all.get(before)) {
        Some(before) => before.place,
        None => all.first().map_or(Position::default(), |logged| Position {
            timeline: logged.place.timeline,
            offset: logged.place.offset.saturating_sub(1),
        }),
    }
}

fn end_of(only_here: &[Logged]) -> Position {
    only_here.last().map(|logged| logged.place).unwrap_or_default()
}
