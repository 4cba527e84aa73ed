//! Backups: a copy of the data directory as of one moment, made beside the running engine by its
//! own means, and stored. It has no log and no configuration of the node that it was made on.

use std::path::PathBuf;
use std::time::Duration;

use bellwether_contracts::repository::Progress;
use bellwether_contracts::{Failure, Repository};
use bellwether_model::Timestamp;
use bellwether_model::backup::BackupResult;
use bellwether_model::replication::Position;
use bellwether_model::restore::Checked;
use bellwether_protocol::Assignment;
use bellwether_protocol::assignment::BackupAssignment;

use super::OS_USER;
use super::driver::{FamilyDriver, Hands};
use super::fingerprint::Fingerprint;
use super::place::{Mark, data_in, root};
use crate::backup::{Begun, Held, Staging, fingerprint, require_room, store};
use crate::files::size_of;

/// Tables are read for so long, before the copy and after it.
const FINGERPRINT_MAX: Duration = Duration::from_secs(10);

/// Tables are read for so long to be compared.
const COMPARE_MAX: Duration = Duration::from_secs(600);

/// The copy within what is stored.
pub(super) const COPY: &str = "db";

/// What a copy holds.
pub(crate) struct Copied {
    pub(crate) at: Timestamp,
    pub(crate) position: Position,
}

impl<H: Hands> FamilyDriver<H> {
    pub(super) async fn take_backup(
        &self,
        assignment: &Assignment,
        backup: &BackupAssignment,
        repository: &dyn Repository,
        progress: Progress<'_>,
    ) -> Result<BackupResult, Failure> {
        let hands = &self.0;
        let begun = Begun::now();
        repository.open(true).await?;
        let size = tokio::task::spawn_blocking(|| size_of(&data_in(root()))).await.unwrap_or(0);
        require_room(size)?;
        let staging = Staging::make(OS_USER)?;
        let before = Fingerprint::take(hands, FINGERPRINT_MAX).await?;
        let copied = hands.copy_here(&staging.directory().join(COPY)).await?;
        let after = Fingerprint::take(hands, FINGERPRINT_MAX).await?;
        staging.keep(OS_USER, &before.through(&after))?;
        let held = Held {
            from_primary: !Mark::Replica.is_set(),
            taken_at: copied.at,
            position: copied.position,
            engine_version: hands.probe().await.figures.version,
        };
        store(assignment, backup, (repository, progress), &staging, (begun, held)).await
    }

    /// Reads every table and its indexes, and compares what tables hold with what they held.
    pub(super) async fn look_through(&self) -> Result<Checked, Failure> {
        let hands = &self.0;
        let before: Fingerprint = fingerprint(root())?;
        let now = Fingerprint::take(hands, COMPARE_MAX).await?;
        let mut wrong = before.differences(&now);
        wrong.extend(hands.damaged_tables().await?);
        let bytes = size_of(&data_in(root()));
        Ok(Checked { compared: before.exact(), of: "tables".to_owned(), bytes, wrong })
    }
}

/// When a file was written last.
pub(crate) fn written_at(path: &PathBuf) -> Option<Timestamp> {
    let at = std::fs::metadata(path).and_then(|known| known.modified()).ok()?;
    let since = at.duration_since(std::time::UNIX_EPOCH).ok()?;
    i64::try_from(since.as_millis()).ok().map(Timestamp::from_millis)
}
