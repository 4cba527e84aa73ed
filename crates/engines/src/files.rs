//! Files of an engine: owned by its user, closed to others, old or new after a crash, never half.

use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use bellwether_contracts::Failure;

/// Where the agent keeps what the authority signed.
pub(crate) const IDENTITY: &str = "/var/lib/bellwether/identity";

/// The node's disk.
pub(crate) const DATA: &str = "/data";

/// The operating system's user an engine runs as.
#[derive(Clone, Copy, Debug)]
pub(crate) struct User(pub(crate) &'static str);

impl User {
    /// Its numbers and its group's.
    pub(crate) fn ids(self) -> (u32, u32) {
        let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        let ids = passwd.lines().find_map(|line| {
            let mut fields = line.split(':');
            let (name, _, uid, gid) =
                (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
            (name == self.0).then_some((uid.parse().ok()?, gid.parse().ok()?))
        });
        // No such user: a number nobody has, so that starting fails instead of running as root.
        ids.unwrap_or((65_534, 65_534))
    }

    /// Gives it a file.
    pub(crate) fn give(self, path: &Path) -> Result<(), Failure> {
        let (uid, gid) = self.ids();
        std::os::unix::fs::chown(path, Some(uid), Some(gid)).map_err(|e| at(path, &e))
    }

    /// Makes a directory of its own, closed to others.
    pub(crate) fn own_directory(self, path: &Path) -> Result<(), Failure> {
        std::fs::create_dir_all(path).map_err(|e| at(path, &e))?;
        let closed = std::fs::Permissions::from_mode(0o700);
        std::fs::set_permissions(path, closed).map_err(|e| at(path, &e))?;
        self.give(path)
    }

    /// Replaces a file if its content differs; whether it did.
    pub(crate) fn write(self, path: &Path, content: &[u8]) -> Result<bool, Failure> {
        if std::fs::read(path).is_ok_and(|known| known == content) {
            return Ok(false);
        }
        let new = path.with_extension("new");
        let _ = std::fs::remove_file(&new);
        let mut options = std::fs::OpenOptions::new();
        let file = options.write(true).create_new(true).mode(0o600).open(&new);
        let mut file = file.map_err(|e| at(&new, &e))?;
        file.write_all(content).map_err(|e| at(&new, &e))?;
        file.set_permissions(std::fs::Permissions::from_mode(0o600)).map_err(|e| at(&new, &e))?;
        self.give(&new)?;
        file.sync_all().map_err(|e| at(&new, &e))?;
        std::fs::rename(&new, path).map_err(|e| at(path, &e))?;
        Ok(true)
    }

    /// Makes a file with this text that a power cut does not undo.
    pub(crate) fn write_durably(self, path: &Path, text: &str) -> Result<(), Failure> {
        let mut options = std::fs::OpenOptions::new();
        let file = options.create(true).write(true).truncate(true).mode(0o600).open(path);
        let written = file.and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        });
        written.map_err(|e| at(path, &e))?;
        self.give(path)?;
        sync_directory(path.parent().unwrap_or(path))
    }

    /// Copies the node's certificate, its key and the authority's to that directory; whether an
    /// engine that runs has yet to be told (`note_identity`).
    pub(crate) fn take_identity(self, directory: &Path) -> Result<bool, Failure> {
        for name in ["engine.pem", "engine.key", "ca.pem"] {
            let from = Path::new(IDENTITY).join(name);
            let content = std::fs::read(&from).map_err(|e| at(&from, &e))?;
            self.write(&directory.join(name), &content)?;
        }
        let told = std::fs::read(directory.join(TOLD)).ok();
        let mark = mark_of(directory).map_err(|e| at(directory, &e))?;
        Ok(told.is_none_or(|told| told != mark))
    }

    /// The engine has the certificate in that directory.
    pub(crate) fn note_identity(self, directory: &Path) -> Result<(), Failure> {
        let mark = mark_of(directory).map_err(|e| at(directory, &e))?;
        self.write(&directory.join(TOLD), &mark).map(drop)
    }
}

/// Which certificate and authorities the running engine was told of last, lest one be forgotten
/// when the telling fails.
const TOLD: &str = "engine.told";

fn mark_of(directory: &Path) -> std::io::Result<Vec<u8>> {
    let mut told = std::fs::read(directory.join("engine.pem"))?;
    told.extend(std::fs::read(directory.join("ca.pem"))?);
    Ok(ring::digest::digest(&ring::digest::SHA256, &told).as_ref().to_vec())
}

/// Two directories take each other's place, at one blow. Where there is none to exchange with, the
/// one that is there moves.
pub(crate) fn exchange(one: &Path, other: &Path) -> Result<(), Failure> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    let flags = if other.exists() { RenameFlags::EXCHANGE } else { RenameFlags::empty() };
    renameat_with(CWD, one, CWD, other, flags).map_err(|error| at(one, &error.into()))?;
    sync_directory(Path::new(DATA))
}

/// What was renamed, made or removed in it is not undone by a power cut.
pub(crate) fn sync_directory(directory: &Path) -> Result<(), Failure> {
    let synced = std::fs::File::open(directory).and_then(|directory| directory.sync_all());
    synced.map_err(|e| at(directory, &e))
}

pub(crate) fn remove_file(path: &Path) -> Result<(), Failure> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(at(path, &error)),
        _ => Ok(()),
    }
}

/// Removes a directory with everything in it.
pub(crate) fn remove(path: &Path) -> Result<(), Failure> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(at(path, &error)),
        _ => Ok(()),
    }
}

/// Bytes of a directory's files.
pub(crate) fn size_of(directory: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(directory) else { return 0 };
    let size = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(known) if known.is_dir() => size_of(&entry.path()),
        Ok(known) => known.len(),
        Err(_) => 0,
    };
    entries.flatten().map(size).sum()
}

/// A failure of the file system, in words.
pub(crate) fn at(path: &Path, error: &std::io::Error) -> Failure {
    match error.kind() {
        ErrorKind::StorageFull => Failure::needs_person(format!(
            "the node's disk is full ({}); make it larger or free some space",
            path.display()
        )),
        _ => Failure::transient(format!("{}: {error}", path.display())),
    }
}
