//! Backups: a copy of the data directory as of one moment, made beside the running engine by its
//! own means, and stored. It has no log and no configuration of the node that it was made on.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bellwether_contracts::repository::Progress;
use bellwether_contracts::{Failure, Repository};
use bellwether_model::Timestamp;
use bellwether_model::backup::BackupResult;
use bellwether_model::replication::Position;
use bellwether_model::restore::Checked;
use bellwether_protocol::Assignment;
use bellwether_protocol::assignment::{BackupAssignment, RestoreAssignment};
use tracing::info;

use super::driver::{FamilyDriver, Hands};
use super::fingerprint::Fingerprint;
use super::place::{Mark, data_in, make_new, new_root, put_in_place, root};
use super::{OS_USER, REPLICATION_USER, quote};
use crate::backup::{Begun, FINGERPRINT, Held, Staging, bring, fingerprint, require_room, store};
use crate::backup::{RETURNED, sync_disk};
use crate::files::{at, remove, size_of};

/// Tables are read for so long, before the copy and after it.
const FINGERPRINT_MAX: Duration = Duration::from_secs(10);

/// Tables are read for so long to be compared.
const COMPARE_MAX: Duration = Duration::from_secs(600);

/// The copy within what is stored.
const COPY: &str = "db";

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

    /// Brings the data back into a new directory and puts it in place when it is complete.
    pub(super) async fn bring_back(
        &self,
        assignment: &Assignment,
        restore: &RestoreAssignment,
        repository: &dyn Repository,
        progress: Progress<'_>,
    ) -> Result<(), Failure> {
        let hands = &self.0;
        hands.note_members(assignment);
        hands.kill_server().await?;
        for left in [new_root(), root()] {
            remove(left)?;
        }
        let returned = bring(restore, repository, progress, OS_USER).await?;
        hands.write_config(assignment)?;
        make_new()?;
        let data = data_in(new_root());
        remove(&data)?;
        for (from, to) in [
            (returned.join(COPY), data),
            (returned.join(FINGERPRINT), new_root().join(FINGERPRINT)),
        ] {
            std::fs::rename(&from, &to).map_err(|e| at(&from, &e))?;
        }
        remove(Path::new(RETURNED))?;
        if let Some(log) = &restore.log {
            self.bring_log(&restore.facts, log, repository, progress).await?;
        }
        hands.adopt(assignment).await?;
        Mark::Replica.set_in(new_root(), "")?;
        sync_disk()?;
        Mark::Complete.set_in(new_root(), "")?;
        put_in_place(None)?;
        info!("restored: backup {}", restore.facts.id);
        Ok(())
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

/// What makes the users of restored data those of the cluster that it is now. The application's own
/// users stay as they were.
pub(crate) fn users(assignment: &Assignment) -> Vec<String> {
    let secrets = &assignment.secrets;
    let user = format!("{}@'%'", quote(&secrets.user));
    let pattern = secrets.database.replace('`', "``").replace('_', "\\_");
    let of = |user: &str, password: &str| {
        let password = quote(password);
        [
            format!("CREATE USER IF NOT EXISTS {user} IDENTIFIED BY {password} REQUIRE SSL"),
            format!("ALTER USER {user} IDENTIFIED BY {password} REQUIRE SSL ACCOUNT UNLOCK"),
        ]
    };
    let ours = format!("'{REPLICATION_USER}'@'%'");
    let mut all: Vec<String> = of(&ours, &secrets.replication_password).into();
    all.extend(of(&user, &secrets.user_password));
    all.push(format!("GRANT ALL PRIVILEGES ON `{pattern}`.* TO {user}"));
    all.push(format!("GRANT ALL PRIVILEGES ON `{pattern}\\_%`.* TO {user}"));
    all
}

/// When a file was written last.
pub(crate) fn written_at(path: &PathBuf) -> Option<Timestamp> {
    let at = std::fs::metadata(path).and_then(|known| known.modified()).ok()?;
    let since = at.duration_since(std::time::UNIX_EPOCH).ok()?;
    i64::try_from(since.as_millis()).ok().map(Timestamp::from_millis)
}
