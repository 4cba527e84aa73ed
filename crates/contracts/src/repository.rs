//! A repository of backups, as the engines' hands and the server use it. Deduplication and
//! encryption are the tool's behind it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bellwether_model::{BackupId, Timestamp};
use bellwether_protocol::repository::Access;

use crate::Failure;

/// Told bytes done and bytes in all.
pub type Progress<'a> = &'a (dyn Fn(u64, u64) + Send + Sync);

/// Opens a repository; the mains hand it in.
pub type OpenRepository = Arc<dyn Fn(&Access) -> Arc<dyn Repository> + Send + Sync>;

/// Where backups are kept. Every method may be called again after it was interrupted.
#[async_trait]
pub trait Repository: Send + Sync {
    /// Whether this machine has the tool that it takes.
    fn is_here(&self) -> bool;

    /// Reaches it and tries its key; makes it where there is none and `make` is set.
    async fn open(&self, make: bool) -> Result<(), Failure>;

    /// Stores a directory as one part of a backup.
    async fn put(&self, part: &Part, progress: Progress<'_>) -> Result<Stored, Failure>;

    /// Brings a part back; what was the directory becomes `into`.
    async fn get(
        &self,
        archive: &Archive,
        into: &Path,
        progress: Progress<'_>,
    ) -> Result<(), Failure>;

    /// Writes parts as one tar file: one lies over the other, and all below a directory of that
    /// name. It ends early where nobody takes what is written any more.
    async fn export(
        &self,
        archives: &[Archive],
        name: &str,
        out: Box<dyn std::io::Write + Send>,
    ) -> Result<(), Failure>;

    /// Everything in it, the oldest first.
    async fn list(&self) -> Result<Vec<Archive>, Failure>;

    /// Removes archives and what only they need.
    async fn remove(&self, archives: &[String]) -> Result<(), Failure>;

    /// Reads everything that is stored and compares it with its digests.
    async fn verify(&self) -> Result<(), Failure>;
}

/// A directory to store.
#[derive(Clone, Debug)]
pub struct Part {
    pub backup: BackupId,
    /// Which part of the backup, for example `data`.
    pub name: &'static str,
    pub directory: PathBuf,
    /// Patterns of what is left out, below the directory.
    pub leave_out: Vec<String>,
    /// Who stores it: a node's name.
    pub host: String,
    /// Bytes in all, as far as it is known.
    pub size: u64,
    /// Kilobytes a second at most; 0 for no limit.
    pub rate_kib: u64,
    /// What is told of the backup to whoever lists the repository.
    pub facts: String,
}

/// What was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The tool's name of it.
    pub archive: String,
    /// Bytes in the directory.
    pub size: u64,
    /// Bytes that it added to the repository.
    pub added: u64,
}

/// A part of a backup, as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Archive {
    /// The tool's name of it.
    pub id: String,
    pub backup: BackupId,
    pub part: String,
    pub facts: String,
    /// The directory it was made from.
    pub directory: PathBuf,
    pub made_at: Timestamp,
}
