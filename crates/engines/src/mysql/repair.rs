//! A former primary's data, made fit to follow. What no replica confirmed is in its log and not yet
//! committed: with the end of the log taken off, the engine's recovery rolls it back. Whether that
//! is all, the engine says itself: it knows what it committed without its log, too. Otherwise a
//! full copy is asked for.

use std::path::Path;

use bellwether_contracts::Failure;
use bellwether_contracts::driver::{DataState, Repair};
use bellwether_protocol::Assignment;
use bellwether_protocol::assignment::Member;
use tracing::{info, warn};

use super::Mysql;
use super::binlog::Logged;
use super::gtid::Set;
use crate::files::{at, remove_file};
use crate::mysql_family::OS_USER;
use crate::mysql_family::driver::Hands as _;
use crate::mysql_family::node::binlogs;
use crate::mysql_family::place::{Mark, data_state, log_in, root};
use crate::mysql_family::session::{Session, text};

impl Mysql {
    pub(super) async fn take_off_or_copy(
        &self,
        assignment: &Assignment,
        upstream: &Member,
    ) -> Result<Repair, Failure> {
        self.write_config(assignment)?;
        if !matches!(data_state(), DataState::Present { .. }) {
            return Ok(Repair::NeedsCopy);
        }
        let password = &assignment.secrets.replication_password;
        let theirs = executed(&Session::to_member(upstream, self.port, password)).await?;
        let only_here = self.only_here(&theirs).await?;
        if !only_here.is_empty() {
            self.keep_diverged(assignment.group.term, &only_here).await;
            take_off(&only_here)?;
        }
        if let Err(failure) = self.start(&[]).await {
            warn!("{failure}; a full copy is needed");
            return Ok(Repair::NeedsCopy);
        }
        let own = executed(&self.act).await;
        let is_part = own.is_ok_and(|own| theirs.holds(&own));
        self.stop_server().await?;
        if !is_part {
            warn!("this node's history is no part of the cluster's; a full copy is needed");
            return Ok(Repair::NeedsCopy);
        }
        Mark::Replica.set("")?;
        Mark::HandedOver.clear()?;
        if only_here.is_empty() {
            return Ok(Repair::CatchUp);
        }
        info!("the end of the log, which nobody was told of, is taken off");
        Ok(Repair::Rewound)
    }
}

/// Every transaction that an engine holds.
async fn executed(session: &Session) -> Result<Set, Failure> {
    let rows = session.query("SELECT @@global.gtid_executed AS executed").await?;
    let executed = rows.first().and_then(|row| text(row, "executed"));
    Ok(Set::parse(&executed.unwrap_or_default()))
}

/// Ends the log before the first of these, which are its last.
fn take_off(only_here: &[Logged]) -> Result<(), Failure> {
    let Some(first) = only_here.first() else { return Ok(()) };
    let file = std::fs::OpenOptions::new().write(true).open(&first.file);
    let cut = file.and_then(|file| {
        file.set_len(first.at)?;
        file.sync_all()
    });
    cut.map_err(|e| at(&first.file, &e))?;
    let (kept, later): (Vec<_>, Vec<_>) =
        binlogs()?.into_iter().partition(|file| *file <= first.file);
    for file in &later {
        remove_file(file)?;
    }
    let lines: Vec<String> = kept.iter().map(|file| format!("{}\n", file.display())).collect();
    let index: &Path = &log_in(root()).join("binlog.index");
    OS_USER.write(index, lines.concat().as_bytes()).map(|_| ())
}
