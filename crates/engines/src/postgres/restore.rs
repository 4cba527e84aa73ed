//! A backup becomes this node's data.

use std::path::Path;
use std::time::Duration;

use bellwether_contracts::repository::Progress;
use bellwether_contracts::{Failure, Repository};
use bellwether_model::restore::Checked;
use bellwether_protocol::Assignment;
use bellwether_protocol::assignment::RestoreAssignment;
use tracing::info;

use super::backup::END_PART;
use super::fingerprint::Fingerprint;
use super::replication::write_signal;
use super::sessions::scram;
use super::{
    BROUGHT, FLOORS, OS_USER, PROBE_USER, Postgres, REPLICATION_USER, REWIND_USER, TIMELINE, data,
    databases, former_data, new_data, rewinding, socket,
};
use crate::backup::{DATA_PART, RETURNED, fingerprint, give_all, part, require_room, sync_disk};
use crate::files::{DATA, at, exchange, remove, remove_file, sync_directory};

/// In data that was restored: its users have the passwords of the cluster that it was taken from.
const RESTORED: &str = "bellwether_restored";

/// Tables are read for so long to be compared.
const FINGERPRINT_MAX: Duration = Duration::from_secs(600);

impl Postgres {
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
        remove_file(rewinding())?;
        self.fetch(restore, repository, progress).await?;
        self.write_config(assignment)?;
        self.write_upstream(assignment, None)?;
        sync_disk()?;
        std::fs::rename(new_data(), data()).map_err(|e| at(data(), &e))?;
        sync_directory(Path::new(DATA))?;
        info!("restored: backup {}", restore.facts.id);
        Ok(())
    }

    /// Brings a backup's data into the new directory, as a replica's that follows nobody. What the
    /// engine has is not touched.
    async fn fetch(
        &self,
        restore: &RestoreAssignment,
        repository: &dyn Repository,
        progress: Progress<'_>,
    ) -> Result<(), Failure> {
        for left in [new_data(), Path::new(RETURNED)] {
            remove(left)?;
        }
        OS_USER.own_directory(Path::new(DATA))?;
        repository.open(false).await?;
        let archives = repository.list().await?;
        let part = |name| part(&archives, &restore.facts.id, name);
        let (body, end) = (part(DATA_PART)?, part(END_PART)?);
        repository.get(body, new_data(), progress).await?;
        repository.get(end, Path::new(RETURNED), &|_, _| {}).await?;
        put_to(Path::new(RETURNED), new_data())?;
        remove(Path::new(RETURNED))?;
        self.check_version()?;
        give_all(OS_USER, new_data())?;
        OS_USER.own_directory(new_data())?;
        if let Some(log) = &restore.log {
            self.bring_log(&restore.facts, log, (&archives, repository), progress).await?;
        }
        OS_USER.write_durably(&new_data().join(RESTORED), restore.facts.id.as_str())?;
        write_signal(new_data())
    }

    /// Sets a backup's data aside, complete, while the engine goes on with its own; without a
    /// backup, makes what is aside ready to be that again.
    pub(super) async fn set_aside(
        &self,
        token: &str,
        source: Option<(&RestoreAssignment, &dyn Repository)>,
        progress: Progress<'_>,
    ) -> Result<(), Failure> {
        let Some((restore, repository)) = source else {
            if !former_data().exists() {
                return Err(Failure::permanent("the data that was replaced is not here any more"));
            }
            // Passwords may have changed since. Its promotion begins a history of its own.
            OS_USER.write_durably(&former_data().join(RESTORED), token)?;
            write_signal(former_data())?;
            return OS_USER.write_durably(&former_data().join(BROUGHT), token);
        };
        remove(former_data())?;
        require_room(restore.facts.size)?;
        self.fetch(restore, repository, progress).await?;
        OS_USER.write_durably(&new_data().join(BROUGHT), token)?;
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
        let bears = |directory: &Path| {
            std::fs::read_to_string(directory.join(BROUGHT)).is_ok_and(|found| found == token)
        };
        if !bears(data()) {
            if !bears(former_data()) {
                return Err(Failure::permanent("what was to take the data's place is not here"));
            }
            exchange(former_data(), data())?;
        }
        remove_file(rewinding())?;
        self.write_config(assignment)?;
        self.write_upstream(assignment, None)?;
        info!("the data was exchanged with what was aside");
        Ok(())
    }

    fn check_version(&self) -> Result<(), Failure> {
        let path = new_data().join("PG_VERSION");
        let version = std::fs::read_to_string(&path).map_err(|e| at(&path, &e))?;
        if version.trim() == self.version {
            return Ok(());
        }
        let (theirs, ours) = (version.trim(), &self.version);
        Err(Failure::permanent(format!("the backup is of version {theirs}, not {ours}")))
    }

    /// Gives the users of restored data the passwords of the cluster that it is now.
    pub(super) async fn adopt_restored(&self, assignment: &Assignment) -> Result<(), Failure> {
        let marker = data().join(RESTORED);
        if !marker.exists() {
            return Ok(());
        }
        let secrets = &assignment.secrets;
        let of = |user: &str, rights: &str, password: &str| {
            let stored = scram::stored(password);
            format!(
                "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{user}') THEN \
                 CREATE ROLE \"{user}\" {rights}; END IF; END $$; \
                 ALTER ROLE \"{user}\" LOGIN PASSWORD '{stored}'; "
            )
        };
        let mut statements = of(REPLICATION_USER, "REPLICATION", &secrets.replication_password);
        statements += &of(REWIND_USER, "", &secrets.rewind_password);
        statements += &of(&secrets.user, "CREATEDB", &secrets.user_password);
        if !secrets.probe_password.is_empty() {
            statements += &of(PROBE_USER, "NOINHERIT", &secrets.probe_password);
        }
        statements += &databases::turn_all_off();
        self.sql.execute(&statements, Duration::from_secs(10)).await?;
        remove_file(&data().join(FLOORS))?;
        remove_file(&data().join(TIMELINE))?;
        remove_file(&marker)?;
        sync_directory(data())
    }

    /// Reads everything that can be read of the data, and compares what it holds with what it held.
    pub(super) async fn look_through(&self) -> Result<Checked, Failure> {
        let before: Fingerprint = fingerprint(data())?;
        let now = Fingerprint::take(&self.moments().await?, FINGERPRINT_MAX).await;
        let mut wrong = before.differences(&now);
        let mut check = self.command("pg_amcheck");
        check
            .args(["--all", "--install-missing", "--heapallindexed", "--no-password"])
            .arg("--host")
            .arg(socket())
            .args(["--port", &self.port.to_string(), "--username", "postgres"]);
        if let Err(failure) = self.run(&mut check, "pg_amcheck").await {
            wrong.push(failure.text);
        }
        let bytes = self.look().await.figures.data_bytes.unwrap_or(0);
        Ok(Checked { compared: before.tables.len() as u64, bytes, wrong, of: "tables".to_owned() })
    }
}

/// Moves what is below one directory below another.
pub(super) fn put_to(from: &Path, to: &Path) -> Result<(), Failure> {
    for entry in std::fs::read_dir(from).map_err(|e| at(from, &e))? {
        let entry = entry.map_err(|e| at(from, &e))?;
        let target = to.join(entry.file_name());
        if entry.file_type().map_err(|e| at(from, &e))?.is_dir() {
            OS_USER.own_directory(&target)?;
            put_to(&entry.path(), &target)?;
        } else {
            std::fs::rename(entry.path(), &target).map_err(|e| at(&target, &e))?;
        }
    }
    Ok(())
}
