//! SQLite behind the store: the directory, its lock, the schema, and reading.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use crate::Error;
use crate::audit::{AuditEntry, link};
use crate::cache::{Body, Cache, Entry};

/// Numbered, forward only; never changed once released.
const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE objects (
        kind TEXT NOT NULL, key TEXT NOT NULL, revision INTEGER NOT NULL, body TEXT NOT NULL,
        PRIMARY KEY (kind, key)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
    INSERT INTO meta VALUES ('revision', 0);
    CREATE TABLE audit (
        id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, body TEXT NOT NULL
    ) STRICT;
",
    "
    ALTER TABLE audit ADD COLUMN hash TEXT NOT NULL DEFAULT '';
",
];

/// With this one the audit log became a chain: what was there before is chained then.
const CHAIN_FROM: usize = 1;

pub(crate) fn prepare_directory(directory: &Path) -> Result<(), Error> {
    use std::os::unix::fs::DirBuilderExt as _;
    let mut builder = std::fs::DirBuilder::new();
    builder
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .map_err(|source| Error::Path { path: directory.to_owned(), source })
}

/// Takes the directory for this process; the system gives it back when the process ends.
pub(crate) fn lock(directory: &Path) -> Result<File, Error> {
    let path = directory.join("lock");
    let file = File::create(&path).map_err(|source| Error::Path { path: path.clone(), source })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(Error::InUse(directory.to_owned())),
        Err(std::fs::TryLockError::Error(source)) => Err(Error::Path { path, source }),
    }
}

/// Makes the names of new files durable.
pub(crate) fn sync_directory(directory: &Path) -> Result<(), Error> {
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(|source| Error::Path { path: directory.to_owned(), source })
}

/// Whether there is a database with something in it.
pub(crate) fn exists(path: &Path) -> bool {
    path.metadata().is_ok_and(|file| file.len() > 0)
}

pub(crate) fn open(path: &Path) -> Result<Connection, Error> {
    make_private(path)?;
    let mut connection = Connection::open(path)?;
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    let check: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if check != "ok" {
        return Err(Error::Damaged(check));
    }
    migrate(&mut connection)?;
    Ok(connection)
}

/// For its owner alone, also in a directory that others may enter; SQLite gives its journal the
/// same mode.
fn make_private(path: &Path) -> Result<(), Error> {
    use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
    let io = |source| Error::Path { path: path.to_owned(), source };
    let mut options = std::fs::OpenOptions::new();
    let file =
        options.write(true).create(true).truncate(false).mode(0o600).open(path).map_err(io)?;
    file.set_permissions(std::fs::Permissions::from_mode(0o600)).map_err(io)
}

fn migrate(connection: &mut Connection) -> Result<(), Error> {
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let done = usize::try_from(version).unwrap_or(usize::MAX);
    if done > MIGRATIONS.len() {
        return Err(Error::TooNew(version));
    }
    for (index, migration) in MIGRATIONS.iter().enumerate().skip(done) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(migration)?;
        if index == CHAIN_FROM {
            chain_audit(&transaction)?;
        }
        transaction.pragma_update(None, "user_version", index as i64 + 1)?;
        transaction.commit()?;
    }
    Ok(())
}

pub(crate) fn load(connection: &Connection) -> Result<Cache, Error> {
    let mut cache = Cache::default();
    let revision: i64 =
        connection.query_row("SELECT value FROM meta WHERE name = 'revision'", [], |r| r.get(0))?;
    cache.revision = revision as u64;
    let mut statement = connection.prepare("SELECT kind, key, revision, body FROM objects")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (kind, key): (String, String) = (row.get(0)?, row.get(1)?);
        let revision = row.get::<_, i64>(2)? as u64;
        let body = Arc::new(Body::new(row.get(3)?));
        cache.set(&kind, &key, Entry { revision, body });
    }
    Ok(cache)
}

/// Chains what was written before there was a chain.
fn chain_audit(transaction: &Transaction<'_>) -> Result<(), Error> {
    let mut read = transaction.prepare("SELECT id, body, hash FROM audit ORDER BY id")?;
    let mut write = transaction.prepare("UPDATE audit SET hash = ?2 WHERE id = ?1")?;
    let mut rows = read.query([])?;
    let mut previous = String::new();
    while let Some(row) = rows.next()? {
        let entry = entry_of(row)?;
        previous = link(&previous, &entry);
        write.execute(params![entry.id, previous])?;
    }
    Ok(())
}

/// Appends to the audit log, each entry chained to the one before.
pub(crate) fn append_audit(
    transaction: &Transaction<'_>,
    entries: &[AuditEntry],
) -> Result<(), rusqlite::Error> {
    if entries.is_empty() {
        return Ok(());
    }
    let last = "SELECT hash FROM audit ORDER BY id DESC LIMIT 1";
    let last = transaction.prepare_cached(last)?.query_row([], |row| row.get(0)).optional()?;
    let mut previous: String = last.unwrap_or_default();
    let mut insert = transaction.prepare_cached("INSERT INTO audit (at, body) VALUES (?1, ?2)")?;
    let mut chain = transaction.prepare_cached("UPDATE audit SET hash = ?2 WHERE id = ?1")?;
    for entry in entries {
        let body = serde_json::to_string(entry).expect("plain data");
        let id = insert.insert(params![entry.at.as_millis(), body])?;
        previous = link(&previous, &AuditEntry { id, ..entry.clone() });
        chain.execute(params![id, previous])?;
    }
    Ok(())
}

/// An entry as the table has it: id, body, hash.
fn entry_of(row: &rusqlite::Row<'_>) -> Result<AuditEntry, Error> {
    let (id, body): (i64, String) = (row.get(0)?, row.get(1)?);
    let entry: AuditEntry = serde_json::from_str(&body)
        .map_err(|error| Error::Damaged(format!("the audit entry {id}: {error}")))?;
    Ok(AuditEntry { id, hash: row.get(2)?, ..entry })
}

/// Reads the audit log on a connection of its own.
pub(crate) struct AuditReader {
    path: PathBuf,
}

impl AuditReader {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    fn open(&self) -> Result<Connection, Error> {
        let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
        Ok(Connection::open_with_flags(&self.path, flags)?)
    }

    /// Hands every entry out, the oldest first, until it is not wanted any more.
    pub(crate) fn walk(&self, mut each: impl FnMut(AuditEntry) -> bool) -> Result<(), Error> {
        let connection = self.open()?;
        let mut statement = connection.prepare("SELECT id, body, hash FROM audit ORDER BY id")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            if !each(entry_of(row)?) {
                break;
            }
        }
        Ok(())
    }

    pub(crate) fn list(&self, limit: usize, before: Option<i64>) -> Result<Vec<AuditEntry>, Error> {
        let connection = self.open()?;
        let mut statement = connection
            .prepare("SELECT id, body, hash FROM audit WHERE id < ?1 ORDER BY id DESC LIMIT ?2")?;
        let before = before.unwrap_or(i64::MAX);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut rows = statement.query(params![before, limit])?;
        let mut entries = Vec::new();
        while let Some(row) = rows.next()? {
            entries.push(entry_of(row)?);
        }
        Ok(entries)
    }
}
