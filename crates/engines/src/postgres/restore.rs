//! A backup becomes this node's data.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use bellwether_contracts::repository::{Archive, Progress};
use bellwether_contracts::{Failure, Repository};
use bellwether_model::restore::Checked;
use bellwether_protocol::Assignment;
use bellwether_protocol::assignment::RestoreAssignment;
use tracing::info;

use super::backup::{DATA_PART, END_PART, FINGERPRINT};
use super::fingerprint::Fingerprint;
use super::replication::write_signal;
use super::sessions::scram;
use super::{
    OS_USER, PROBE_USER, Postgres, REPLICATION_USER, REWIND_USER, data, new_data, rewinding, socket,
};
use crate::files::{DATA, at, remove, remove_file, sync_directory};

/// In data that was restored: its users have the passwords of the cluster that it was taken from.
const RESTORED: &str = "bellwether_restored";

/// The second part of a backup, before it is put to the first.
const END: &str = "/data/restore";

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
        for left in [new_data(), data(), Path::new(END)] {
            remove(left)?;
        }
        remove_file(rewinding())?;
        OS_USER.own_directory(Path::new(DATA))?;
        repository.open(false).await?;
        let archives = repository.list().await?;
        let part = |name: &str| {
            let of =
                |archive: &&Archive| archive.backup == restore.facts.id && archive.part == name;
            archives.iter().rfind(of).ok_or_else(|| {
                let id = &restore.facts.id;
                Failure::needs_person(format!("the repository has no complete backup {id}"))
            })
        };
        let (body, end) = (part(DATA_PART)?, part(END_PART)?);
        repository.get(body, new_data(), progress).await?;
        repository.get(end, Path::new(END), &|_, _| {}).await?;
        put_to(Path::new(END), new_data())?;
        remove(Path::new(END))?;
        self.check_version()?;
        give_all(new_data())?;
        OS_USER.own_directory(new_data())?;
        OS_USER.write_durably(&new_data().join(RESTORED), restore.facts.id.as_str())?;
        write_signal(new_data())?;
        self.write_config(assignment)?;
        self.write_upstream(assignment, None)?;
        sync_disk()?;
        std::fs::rename(new_data(), data()).map_err(|e| at(data(), &e))?;
        sync_directory(Path::new(DATA))?;
        info!("restored: backup {}", restore.facts.id);
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
        self.sql.execute(&statements, Duration::from_secs(10)).await?;
        remove_file(&marker)?;
        sync_directory(data())
    }

    /// Reads everything that can be read of the data, and compares what it holds with what it held.
    pub(super) async fn look_through(&self) -> Result<Checked, Failure> {
        let path = data().join(FINGERPRINT);
        let text = std::fs::read(&path).map_err(|e| at(&path, &e))?;
        let before: Fingerprint = serde_json::from_slice(&text)
            .map_err(|error| Failure::permanent(format!("{}: {error}", path.display())))?;
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
        Ok(Checked { compared: before.tables.len() as u64, bytes, wrong })
    }
}

/// Moves what is below one directory below another.
fn put_to(from: &Path, to: &Path) -> Result<(), Failure> {
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

/// Everything belongs to the engine's user, whatever number that had where it was stored.
fn give_all(directory: &Path) -> Result<(), Failure> {
    for entry in std::fs::read_dir(directory).map_err(|e| at(directory, &e))? {
        let entry = entry.map_err(|e| at(directory, &e))?;
        let path = entry.path();
        OS_USER.give(&path)?;
        if entry.file_type().map_err(|e| at(&path, &e))?.is_dir() {
            let closed = std::fs::Permissions::from_mode(0o700);
            std::fs::set_permissions(&path, closed).map_err(|e| at(&path, &e))?;
            give_all(&path)?;
        }
    }
    Ok(())
}

fn sync_disk() -> Result<(), Failure> {
    let path = Path::new(DATA);
    let directory = std::fs::File::open(path).map_err(|e| at(path, &e))?;
    rustix::fs::syncfs(directory).map_err(|error| at(path, &error.into()))
}
