//! What backups of every engine have in common: where one is put together, what is told of it, and
//! how its parts are found and brought back.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use bellwether_contracts::repository::{Archive, Part, Progress};
use bellwether_contracts::{Failure, Repository};
use bellwether_model::backup::{BackupFacts, BackupResult};
use bellwether_model::replication::Position;
use bellwether_model::{BackupId, Timestamp};
use bellwether_protocol::Assignment;
use bellwether_protocol::assignment::{BackupAssignment, RestoreAssignment};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tracing::info;

use crate::files::{DATA, User, at, remove, size_of};
use crate::room::has_room_for;

/// The part of a backup that is the data.
pub(crate) const DATA_PART: &str = "data";

/// Beside the data, on the same disk.
const STAGING: &str = "/data/backup";

/// A part of a backup that comes back, before it is put to the data.
pub(crate) const RETURNED: &str = "/data/restore";

/// What the data held when it was stored.
pub(crate) const FINGERPRINT: &str = "bellwether_fingerprint.json";

/// What is put together for a backup beside the data; gone when this is.
pub(crate) struct Staging(PathBuf);

impl Drop for Staging {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Staging {
    pub(crate) fn make(user: User) -> Result<Self, Failure> {
        Self::make_at(Path::new(STAGING), user)
    }

    pub(crate) fn make_at(path: &Path, user: User) -> Result<Self, Failure> {
        let staging = Self(path.to_owned());
        remove(&staging.0)?;
        user.own_directory(&staging.0)?;
        Ok(staging)
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.0
    }

    /// Keeps what the data held.
    pub(crate) fn keep(&self, user: User, fingerprint: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_vec(fingerprint).expect("plain data");
        user.write(&self.0.join(FINGERPRINT), &text).map(|_| ())
    }
}

/// When the work on a backup began.
pub(crate) struct Begun {
    pub(crate) at: Timestamp,
    instant: Instant,
}

impl Begun {
    pub(crate) fn now() -> Self {
        Self { at: Timestamp::now(), instant: Instant::now() }
    }

    pub(crate) fn took_ms(&self) -> u64 {
        u64::try_from(self.instant.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// What a backup holds, as its engine told it.
pub(crate) struct Held {
    pub(crate) from_primary: bool,
    pub(crate) taken_at: Timestamp,
    pub(crate) position: Position,
    pub(crate) engine_version: Option<String>,
}

/// What is known of a backup wherever it is found.
pub(crate) fn facts(
    assignment: &Assignment,
    backup: &BackupAssignment,
    begun: &Begun,
    held: Held,
    size: u64,
) -> BackupFacts {
    BackupFacts {
        id: backup.order.backup.clone(),
        cluster: assignment.cluster.clone(),
        cluster_name: assignment.cluster_name.clone(),
        spec: backup.spec.clone(),
        node_name: assignment.node_name.clone(),
        from_primary: held.from_primary,
        started_at: begun.at,
        taken_at: held.taken_at,
        position: held.position,
        engine_version: held.engine_version.unwrap_or_default(),
        size,
    }
}

/// Stores everything that was put together as the one part of a backup.
pub(crate) async fn store(
    assignment: &Assignment,
    backup: &BackupAssignment,
    (repository, progress): (&dyn Repository, Progress<'_>),
    staging: &Staging,
    (begun, held): (Begun, Held),
) -> Result<BackupResult, Failure> {
    let size = size_of(staging.directory());
    let facts = facts(assignment, backup, &begun, held, size);
    let part = Part {
        backup: backup.order.backup.clone(),
        name: DATA_PART,
        directory: staging.directory().to_owned(),
        leave_out: Vec::new(),
        host: assignment.node_name.clone(),
        size,
        rate_kib: backup.order.rate_kib,
        facts: serde_json::to_string(&facts).expect("plain data"),
    };
    let stored = repository.put(&part, progress).await?;
    let took_ms = begun.took_ms();
    info!("backup {}: {size} bytes, {took_ms} ms", facts.id);
    Ok(BackupResult { facts, stored: stored.added, took_ms, archives: vec![stored.archive] })
}

/// Whether so much can be put together beside the data.
pub(crate) fn require_room(bytes: u64) -> Result<(), Failure> {
    match has_room_for(bytes) {
        true => Ok(()),
        false => Err(Failure::needs_person(
            "the node's disk has no room for the copy that is stored; make it larger or free some",
        )),
    }
}

/// The last that was stored of that part of a backup.
pub(crate) fn part<'a>(
    archives: &'a [Archive],
    backup: &BackupId,
    name: &str,
) -> Result<&'a Archive, Failure> {
    let of = |archive: &&Archive| archive.backup == *backup && archive.part == name;
    archives.iter().rfind(of).ok_or_else(|| {
        Failure::needs_person(format!("the repository has no complete backup {backup}"))
    })
}

/// Brings a backup of one part back.
pub(crate) async fn bring(
    restore: &RestoreAssignment,
    repository: &dyn Repository,
    progress: Progress<'_>,
    user: User,
) -> Result<&'static Path, Failure> {
    let into = Path::new(RETURNED);
    remove(into)?;
    user.own_directory(Path::new(DATA))?;
    repository.open(false).await?;
    let archives = repository.list().await?;
    repository.get(part(&archives, &restore.facts.id, DATA_PART)?, into, progress).await?;
    give_all(user, into)?;
    user.own_directory(into)?;
    Ok(into)
}

/// What the data held when it was stored; `directory` has what came back.
pub(crate) fn fingerprint<T: DeserializeOwned>(directory: &Path) -> Result<T, Failure> {
    let path = directory.join(FINGERPRINT);
    let text = std::fs::read(&path).map_err(|e| at(&path, &e))?;
    serde_json::from_slice(&text)
        .map_err(|error| Failure::permanent(format!("{}: {error}", path.display())))
}

/// Everything belongs to the engine's user, whatever number that had where it was stored.
pub(crate) fn give_all(user: User, directory: &Path) -> Result<(), Failure> {
    for entry in std::fs::read_dir(directory).map_err(|e| at(directory, &e))? {
        let entry = entry.map_err(|e| at(directory, &e))?;
        let path = entry.path();
        user.give(&path)?;
        if entry.file_type().map_err(|e| at(&path, &e))?.is_dir() {
            let closed = std::fs::Permissions::from_mode(0o700);
            std::fs::set_permissions(&path, closed).map_err(|e| at(&path, &e))?;
            give_all(user, &path)?;
        }
    }
    Ok(())
}

/// Everything that was written is on the disk.
pub(crate) fn sync_disk() -> Result<(), Failure> {
    let path = Path::new(DATA);
    let directory = std::fs::File::open(path).map_err(|e| at(path, &e))?;
    rustix::fs::syncfs(directory).map_err(|error| at(path, &error.into()))
}
