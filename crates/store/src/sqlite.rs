//! SQLite behind the store: one writer thread that commits what waits together, so that many small
//! commits share one flush to the disk.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, RwLock};

use rusqlite::{Connection, params};
use tokio::sync::{broadcast, oneshot};

use crate::audit::AuditEntry;
use crate::cache::{Cache, Entry};
use crate::txn::{Expect, Txn};
use crate::{Change, Error};

/// Numbered, forward only; never changed once released.
const MIGRATIONS: &[&str] = &["
    CREATE TABLE objects (
        kind TEXT NOT NULL, key TEXT NOT NULL, revision INTEGER NOT NULL, body TEXT NOT NULL,
        PRIMARY KEY (kind, key)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
    INSERT INTO meta VALUES ('revision', 0);
    CREATE TABLE audit (
        id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, body TEXT NOT NULL
    ) STRICT;
"];

/// At most so many jobs share one commit.
const BATCH_MAX: usize = 128;

pub(crate) enum Job {
    Commit { txn: Txn, answer: oneshot::Sender<Result<u64, Error>> },
    Audit { entry: AuditEntry, answer: oneshot::Sender<Result<(), Error>> },
}

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

pub(crate) fn open(path: &Path) -> Result<Connection, Error> {
    let mut connection = Connection::open(path)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    let check: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if check != "ok" {
        return Err(Error::Damaged(check));
    }
    migrate(&mut connection)?;
    Ok(connection)
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
        let body: String = row.get(3)?;
        let body = serde_json::from_str(&body)
            .map_err(|error| Error::Damaged(format!("the {kind} `{key}`: {error}")))?;
        let revision = row.get::<_, i64>(2)? as u64;
        cache.set(&kind, &key, Entry { revision, body: Arc::new(body) });
    }
    Ok(cache)
}

pub(crate) fn start_writer(
    connection: Connection,
    cache: Arc<RwLock<Cache>>,
    changes: broadcast::Sender<Change>,
) -> Sender<Job> {
    let (sender, jobs) = std::sync::mpsc::channel();
    std::thread::Builder::new()
        .name("store-writer".to_owned())
        .spawn(move || Writer { connection, cache, changes }.run(&jobs))
        .expect("the system gives a thread");
    sender
}

struct Writer {
    connection: Connection,
    cache: Arc<RwLock<Cache>>,
    changes: broadcast::Sender<Change>,
}

/// What a job of a batch answers once the batch is on the disk.
type Answer = Box<dyn FnOnce(Result<(), &Error>)>;

impl Writer {
    fn run(mut self, jobs: &Receiver<Job>) {
        while let Ok(first) = jobs.recv() {
            let mut batch = vec![first];
            while batch.len() < BATCH_MAX
                && let Ok(next) = jobs.try_recv()
            {
                batch.push(next);
            }
            self.write(batch);
        }
    }

    /// Commits a batch; nobody hears of it, and nobody sees it, before it is on the disk.
    fn write(&mut self, batch: Vec<Job>) {
        let mut staged = Staged::default();
        let mut answers: Vec<Answer> = Vec::new();
        let result = (|| {
            let transaction = self.connection.transaction()?;
            let base = self.cache.read().expect("nothing panics while it is held").revision;
            staged.revision = base;
            for job in batch {
                match job {
                    Job::Commit { txn, answer } => {
                        let cache = self.cache.read().expect("nothing panics while it is held");
                        match staged.apply(&cache, txn) {
                            Ok(revision) => answers.push(Box::new(move |result| {
                                let result = result.map(|()| revision);
                                let _ = answer.send(result.map_err(|e| copy(e)));
                            })),
                            Err(conflict) => {
                                let _ = answer.send(Err(conflict));
                            }
                        }
                    }
                    Job::Audit { entry, answer } => {
                        let body = serde_json::to_string(&entry).expect("plain data");
                        transaction.execute(
                            "INSERT INTO audit (at, body) VALUES (?1, ?2)",
                            params![entry.at.as_millis(), body],
                        )?;
                        answers.push(Box::new(move |result| {
                            let _ = answer.send(result.map_err(|e| copy(e)));
                        }));
                    }
                }
            }
            staged.save(&transaction)?;
            transaction.commit()?;
            Ok::<(), Error>(())
        })();
        if result.is_ok() {
            staged.publish(&self.cache, &self.changes);
        }
        for answer in answers {
            answer(result.as_ref().map(|()| ()));
        }
    }
}

fn copy(error: &Error) -> Error {
    Error::Damaged(error.to_string())
}

/// Writes that are decided and not yet on the disk.
#[derive(Default)]
struct Staged {
    revision: u64,
    writes: Vec<(Change, Option<Arc<serde_json::Value>>)>,
}

impl Staged {
    fn revision_of(&self, cache: &Cache, kind: &str, key: &str) -> Option<u64> {
        let staged =
            self.writes.iter().rev().find(|(change, _)| change.kind == kind && change.key == key);
        match staged {
            Some((change, _)) => (!change.deleted).then_some(change.revision),
            None => cache.entry(kind, key).map(|entry| entry.revision),
        }
    }

    fn apply(&mut self, cache: &Cache, txn: Txn) -> Result<u64, Error> {
        for write in &txn.writes {
            let now = self.revision_of(cache, write.kind, &write.key);
            let is_as_expected = match write.expect {
                Expect::Anything => true,
                Expect::Absent => now.is_none(),
                Expect::Revision(revision) => now == Some(revision),
            };
            if !is_as_expected {
                return Err(Error::Conflict { kind: write.kind.into(), key: write.key.clone() });
            }
        }
        self.revision += 1;
        for write in txn.writes {
            let change = Change {
                revision: self.revision,
                kind: write.kind.to_owned(),
                key: write.key,
                deleted: write.body.is_none(),
            };
            self.writes.push((change, write.body.map(Arc::new)));
        }
        Ok(self.revision)
    }

    fn save(&self, transaction: &rusqlite::Transaction<'_>) -> Result<(), Error> {
        let mut put = transaction.prepare_cached(
            "INSERT INTO objects (kind, key, revision, body) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (kind, key) DO UPDATE SET revision = ?3, body = ?4",
        )?;
        let mut delete =
            transaction.prepare_cached("DELETE FROM objects WHERE kind = ?1 AND key = ?2")?;
        for (change, body) in &self.writes {
            match body {
                Some(body) => put.execute(params![
                    change.kind,
                    change.key,
                    change.revision as i64,
                    body.to_string()
                ])?,
                None => delete.execute(params![change.kind, change.key])?,
            };
        }
        transaction.execute(
            "UPDATE meta SET value = ?1 WHERE name = 'revision'",
            [self.revision as i64],
        )?;
        Ok(())
    }

    fn publish(self, cache: &RwLock<Cache>, changes: &broadcast::Sender<Change>) {
        let mut cache = cache.write().expect("nothing panics while it is held");
        for (change, body) in &self.writes {
            match body {
                Some(body) => {
                    let entry = Entry { revision: change.revision, body: body.clone() };
                    cache.set(&change.kind, &change.key, entry);
                }
                None => cache.remove(&change.kind, &change.key),
            }
        }
        cache.revision = self.revision;
        drop(cache);
        for (change, _) in self.writes {
            // Nobody watches: nobody needs to know.
            let _ = changes.send(change);
        }
    }
}

/// Reads the audit log on a connection of its own.
pub(crate) struct AuditReader {
    path: PathBuf,
}

impl AuditReader {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    pub(crate) fn list(&self, limit: usize, before: Option<i64>) -> Result<Vec<AuditEntry>, Error> {
        let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
        let connection = Connection::open_with_flags(&self.path, flags)?;
        let mut statement = connection
            .prepare("SELECT id, body FROM audit WHERE id < ?1 ORDER BY id DESC LIMIT ?2")?;
        let before = before.unwrap_or(i64::MAX);
        let rows = statement.query_map(params![before, limit as i64], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))
        })?;
        let mut entries = Vec::new();
        for row in rows {
            let (id, body) = row?;
            let mut entry: AuditEntry = serde_json::from_str(&body)
                .map_err(|error| Error::Damaged(format!("the audit entry {id}: {error}")))?;
            entry.id = id;
            entries.push(entry);
        }
        Ok(entries)
    }
}
