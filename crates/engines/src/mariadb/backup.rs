//! Copies for backups, by `mariadb-backup`.

use std::path::Path;

use bellwether_contracts::Failure;
use bellwether_model::Timestamp;

use super::seed::{BEGINS_AT, begins_at};
use super::{Mariadb, gtid};
use crate::files::remove;
use crate::mysql_family::backup::{Copied, written_at};
use crate::mysql_family::place::{data_in, root, socket_file, temporary};
use crate::mysql_family::{OS_USER, place};

/// Where it keeps what it has not copied yet.
const SCRATCH: &str = "backup";

impl Mariadb {
    /// Copies the running engine's data into that directory and makes it ready to be started.
    pub(super) async fn copy_beside(&self, directory: &Path) -> Result<Copied, Failure> {
        OS_USER.own_directory(place::temporary())?;
        let scratch = temporary().join(SCRATCH);
        remove(&scratch)?;
        OS_USER.own_directory(&scratch)?;
        // As the superuser, whom the engine's socket lets in.
        let mut copy = tokio::process::Command::new("/usr/bin/nice");
        copy.args(["-n", "19", "/usr/bin/mariadb-backup", "--no-defaults", "--backup"])
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("TZ", "UTC")
            .arg("--user=root")
            .arg(format!("--socket={}", socket_file().display()))
            .arg(format!("--datadir={}", data_in(root()).display()))
            .arg(format!("--target-dir={}", directory.display()))
            .arg(format!("--tmpdir={}", scratch.display()));
        self.processes.run(&mut copy, "the data cannot be copied").await?;
        // Written while no transaction was let commit.
        let at = BEGINS_AT.iter().find_map(|name| written_at(&directory.join(name)));
        let position = gtid::position(&begins_at(directory)?);
        crate::backup::give_all(OS_USER, directory)?;
        OS_USER.own_directory(directory)?;
        let mut prepare = self.command("nice");
        prepare
            .args(["-n", "19", "/usr/bin/mariadb-backup", "--no-defaults", "--prepare"])
            .arg(format!("--target-dir={}", directory.display()));
        self.processes.run(&mut prepare, "the copy cannot be made ready").await?;
        remove(&scratch)?;
        Ok(Copied { at: at.unwrap_or_else(Timestamp::now), position })
    }
}
