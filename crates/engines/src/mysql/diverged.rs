//! What only this node's log holds, kept aside before its data is made fit to follow.

use bellwether_contracts::Failure;
use bellwether_model::Term;
use bellwether_model::replication::Position;
use tracing::warn;

use super::Mysql;
use super::binlog::Logged;
use super::gtid::Set;
use crate::mysql_family::diverged::Found;
use crate::mysql_family::node::binlogs;

impl Mysql {
    /// The last transactions of the log that are not among those, the oldest first.
    pub(super) async fn only_here(&self, theirs: &Set) -> Result<Vec<Logged>, Failure> {
        let mut found = Vec::new();
        for file in binlogs()? {
            let content = self.read_log(&file).await?;
            let own = content.transactions.into_iter();
            found.extend(own.filter(|logged| !theirs.holds(&Set::parse(&logged.id))));
        }
        Ok(found)
    }

    /// Keeps them. Whatever goes wrong is said, and keeps no node from coming back.
    pub(super) async fn keep_diverged(&self, term: Term, only_here: &[Logged]) {
        if let Err(failure) = self.try_to_keep(term, only_here).await {
            warn!("what only this node holds cannot be kept: {failure}");
        }
        self.note_diverged();
    }

    async fn try_to_keep(&self, term: Term, only_here: &[Logged]) -> Result<(), Failure> {
        let all = self.logged_in_files().await?.count();
        let count = only_here.len() as u64;
        let timeline = self.last_position().map_or(0, |position| position.timeline);
        let ids: Vec<&str> = only_here.iter().map(|logged| &*logged.id).collect();
        let files = binlogs()?;
        let mut show = self.command("mysqlbinlog");
        show.args(["--no-defaults", "--base64-output=decode-rows", "--verbose"])
            .arg(format!("--include-gtids={}", ids.join(",")))
            .args(&files);
        let found = Found {
            from: Position { timeline, offset: all.saturating_sub(count) },
            to: Position { timeline, offset: all },
            transactions: count,
            first_commit: only_here.first().map(|logged| logged.moment.clone()),
            last_commit: only_here.last().map(|logged| logged.moment.clone()),
        };
        self.keep(term, found, &files, show).await
    }
}
