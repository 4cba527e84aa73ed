//! A backup becomes this node's data, or is set aside to take its place. Users are no data here:
//! they stay who they are.

use std::path::Path;

use bellwether_contracts::repository::Progress;
use bellwether_contracts::{Failure, Repository};
use bellwether_protocol::Assignment;
use bellwether_protocol::assignment::RestoreAssignment;
use tracing::info;

use super::backup::KEPT;
use super::place::{BROUGHT, PRIMARY, brought, is_whole};
use super::{Redis, data, former_data, log_of, new_data};
use crate::backup::{FINGERPRINT, RETURNED, bring, require_room, sync_disk};
use crate::files::{DATA, at, exchange, remove, remove_file, sync_directory};

/// The files that make up data which begins with what was saved.
const BASE: &str = "appendonly.aof.1.base.rdb";
const MANIFEST: (&str, &str) =
    ("appendonly.aof.manifest", "file appendonly.aof.1.base.rdb seq 1 type b\n");

impl Redis {
    /// Brings the data back into a new directory and puts it in place when it is complete.
    pub(super) async fn bring_back(
        &self,
        assignment: &Assignment,
        restore: &RestoreAssignment,
        repository: &dyn Repository,
        progress: Progress<'_>,
    ) -> Result<(), Failure> {
        self.kill_everything().await?;
        remove(data())?;
        self.fetch(restore, repository, progress).await?;
        self.write_config(assignment)?;
        sync_disk()?;
        std::fs::rename(new_data(), data()).map_err(|e| at(data(), &e))?;
        sync_directory(Path::new(DATA))?;
        info!("restored: backup {}", restore.facts.id);
        Ok(())
    }

    /// Brings a backup's data into the new directory: nobody's, that has no place in any stream.
    /// What the engine has is not touched.
    async fn fetch(
        &self,
        restore: &RestoreAssignment,
        repository: &dyn Repository,
        progress: Progress<'_>,
    ) -> Result<(), Failure> {
        remove(new_data())?;
        let user = self.kind.user();
        let returned = bring(restore, repository, progress, user).await?;
        let log_directory = log_of(new_data());
        user.own_directory(new_data())?;
        user.own_directory(&log_directory)?;
        for (from, to) in [
            (returned.join(KEPT), log_directory.join(BASE)),
            (returned.join(FINGERPRINT), new_data().join(FINGERPRINT)),
        ] {
            std::fs::rename(&from, &to).map_err(|e| at(&from, &e))?;
        }
        user.write_durably(&log_directory.join(MANIFEST.0), MANIFEST.1)?;
        remove(Path::new(RETURNED))
    }

    /// Sets a backup's data aside, complete, while the engine goes on with its own; without a
    /// backup, makes what is aside ready to be that again.
    pub(super) async fn set_aside(
        &self,
        token: &str,
        source: Option<(&RestoreAssignment, &dyn Repository)>,
        progress: Progress<'_>,
    ) -> Result<(), Failure> {
        let user = self.kind.user();
        let Some((restore, repository)) = source else {
            if !is_whole(former_data()) {
                return Err(Failure::permanent("the data that was replaced is not here any more"));
            }
            // A replica's, which its promotion alone makes a primary's.
            remove_file(&former_data().join(PRIMARY))?;
            return user.write_durably(&former_data().join(BROUGHT), token);
        };
        remove(former_data())?;
        require_room(restore.facts.size)?;
        self.fetch(restore, repository, progress).await?;
        user.write_durably(&new_data().join(BROUGHT), token)?;
        sync_disk()?;
        std::fs::rename(new_data(), former_data()).map_err(|e| at(former_data(), &e))?;
        sync_directory(Path::new(DATA))
    }

    /// Puts what is aside under this token in the place of the data, which is aside then.
    pub(super) async fn exchange_data(
        &self,
        assignment: &Assignment,
        token: &str,
    ) -> Result<(), Failure> {
        self.kill_everything().await?;
        let bears = |directory| brought(directory).is_some_and(|found| found == token);
        if !bears(data()) {
            if !bears(former_data()) {
                return Err(Failure::permanent("what was to take the data's place is not here"));
            }
            exchange(former_data(), data())?;
        }
        self.forget_seen();
        self.write_config(assignment)?;
        info!("the data was exchanged with what was aside");
        Ok(())
    }
}
