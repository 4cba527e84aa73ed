//! The one meeting place: small typed objects with revisions, a feed of their changes, sealed
//! secrets, and the board of what agents reported last.
//!
//! Control-plane state is one table of `(kind, key, revision, body)`. Everything is kept in memory
//! too: reads never touch the disk, writes are durable before they are visible. History that grows
//! (the audit log) is append-only, beside that table. Secrets are sealed before they reach it.

pub mod audit;
pub mod backups;
mod cache;
pub mod clusters;
mod error;
pub mod idempotency;
pub mod join_tokens;
pub mod lineage;
pub mod live;
pub mod logs;
pub mod memory;
pub mod nodes;
pub mod operations;
pub mod projects;
pub mod repositories;
pub mod seal;
pub mod secrets;
pub mod settings;
mod sqlite;
pub mod tokens;
mod txn;
pub mod users;
pub mod views;
mod writer;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock, RwLock};
use std::thread::JoinHandle;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::{broadcast, oneshot};

pub use audit::AuditEntry;
pub use error::Error;
pub use live::{Live, Seen};
pub use memory::Image;
pub use seal::Sealed;
pub use txn::Txn;

use bellwether_model::engine::{Capabilities, EngineProfile, LogFacts};
use bellwether_model::{Cluster, Node, Operation, Timestamp};
use cache::{Cache, Entry};
use writer::{Job, Writer};

/// Something that is stored: a kind, and a key within it.
pub trait Object: Serialize + DeserializeOwned + Clone + Send + Sync + 'static {
    /// Stored: never renamed.
    const KIND: &'static str;

    fn key(&self) -> String;
}

/// An object and the revision it was saved at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored<T> {
    pub revision: u64,
    pub object: T,
}

/// One object was saved or deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub revision: u64,
    pub kind: String,
    pub key: String,
    pub deleted: bool,
}

/// Where the store lives.
#[derive(Clone, Debug)]
pub struct Options {
    /// Holds the database, the key of the seals and the lock; made when missing.
    pub directory: PathBuf,
}

/// A cheap handle of the store.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    cache: Arc<RwLock<Cache>>,
    changes: broadcast::Sender<Change>,
    backing: Backing,
    key: seal::Key,
    live: Live,
    /// Of every engine that this server can run, by name: its log, and whether it can be backed up.
    engines: OnceLock<BTreeMap<String, (LogFacts, Capabilities)>>,
}

/// What makes a commit durable.
enum Backing {
    Disk(Disk),
    Memory(memory::Memory),
}

struct Disk {
    /// None only while it is being dropped.
    writer: Option<std::sync::mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
    reader: sqlite::AuditReader,
    /// Held as long as the store is open: one server to a directory.
    _lock: std::fs::File,
}

impl Store {
    /// Opens the store, or makes it.
    ///
    /// # Errors
    /// When the directory cannot be used, another server uses it, or the database is damaged.
    pub fn open(options: Options) -> Result<Self, Error> {
        let directory = options.directory;
        sqlite::prepare_directory(&directory)?;
        let lock = sqlite::lock(&directory)?;
        let path = directory.join("bellwether.db");
        let key = seal::Key::open(&directory, sqlite::exists(&path))?;
        let connection = sqlite::open(&path)?;
        sqlite::sync_directory(&directory)?;
        let cache = sqlite::load(&connection)?;
        check(&cache)?;
        let cache = Arc::new(RwLock::new(cache));
        let (changes, _) = broadcast::channel(4096);
        let (writer, thread) = Writer::start(connection, cache.clone(), changes.clone());
        let backing = Backing::Disk(Disk {
            writer: Some(writer),
            thread: Some(thread),
            reader: sqlite::AuditReader::new(path),
            _lock: lock,
        });
        Ok(Self::new(cache, changes, backing, key))
    }

    fn new(
        cache: Arc<RwLock<Cache>>,
        changes: broadcast::Sender<Change>,
        backing: Backing,
        key: seal::Key,
    ) -> Self {
        let inner =
            Inner { cache, changes, backing, key, live: Live::default(), engines: OnceLock::new() };
        Self { inner: Arc::new(inner) }
    }

    /// The wall clock, as everything that is stored is stamped.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match &self.inner.backing {
            Backing::Disk(_) => Timestamp::now(),
            Backing::Memory(memory) => memory.now(),
        }
    }

    /// Takes what decisions look at of every engine; once, by whoever starts the server.
    pub fn know_engines(&self, engines: &[EngineProfile]) {
        let facts = |engine: &EngineProfile| (engine.log, engine.capabilities);
        let known = engines.iter().map(|engine| (engine.name.clone(), facts(engine))).collect();
        let _ = self.inner.engines.set(known);
    }

    /// What the places in that engine's log mean.
    #[must_use]
    pub fn log_facts(&self, engine: &str) -> LogFacts {
        let known = self.inner.engines.get().and_then(|engines| engines.get(engine));
        known.map(|(log, _)| *log).unwrap_or_default()
    }

    /// Whether a backup can take the place of that engine's data.
    #[must_use]
    pub fn can_replace(&self, engine: &str) -> bool {
        let known = self.inner.engines.get().and_then(|engines| engines.get(engine));
        known.is_some_and(|(_, can)| can.restores_in_place)
    }

    /// Whether that engine can be backed up.
    #[must_use]
    pub fn can_back_up(&self, engine: &str) -> bool {
        let known = self.inner.engines.get().and_then(|engines| engines.get(engine));
        known.is_some_and(|(_, can)| can.backups)
    }

    /// The object of that key, where there is one.
    #[must_use]
    pub fn find<T: Object>(&self, key: &str) -> Option<Stored<T>> {
        self.cache(|cache| cache.entry(T::KIND, key).cloned()).map(|entry| entry.stored())
    }

    /// The object of that key.
    ///
    /// # Errors
    /// `NotFound` names the kind and the key.
    pub fn get<T: Object>(&self, key: &str) -> Result<Stored<T>, Error> {
        self.find(key).ok_or_else(|| Error::NotFound { kind: T::KIND.into(), key: key.into() })
    }

    /// Every object of a kind, by key.
    #[must_use]
    pub fn list<T: Object>(&self) -> Vec<Stored<T>> {
        self.list_where(|_| true)
    }

    /// The objects of a kind that are wanted, by key.
    #[must_use]
    pub fn list_where<T: Object>(&self, is_wanted: impl Fn(&T) -> bool) -> Vec<Stored<T>> {
        self.cache(|cache| {
            let entries = cache.entries(T::KIND).map(|(_, entry)| entry);
            entries.filter(|entry| is_wanted(&entry.object::<T>())).map(Entry::stored).collect()
        })
    }

    /// Shows every object of a kind, by key, without copying any. Nobody can write meanwhile.
    pub(crate) fn show<T: Object>(&self, mut look: impl FnMut(&T)) {
        self.cache(|cache| {
            cache.entries(T::KIND).for_each(|(_, entry)| look(&entry.object::<T>()));
        });
    }

    /// Saves all of it or nothing; durable and visible when it returns. The revision of the store.
    ///
    /// # Errors
    /// `Conflict` names the first object that is not as the transaction expects it.
    pub async fn commit(&self, txn: Txn) -> Result<u64, Error> {
        if txn.is_empty() {
            return Ok(self.revision());
        }
        let txn = if txn.inserts(Operation::KIND) { operations::prune(self, txn) } else { txn };
        match &self.inner.backing {
            Backing::Disk(disk) => disk.send(|answer| Job::Commit { txn, answer }).await?,
            Backing::Memory(memory) => memory.commit(&self.inner, txn).await,
        }
    }

    /// Counts commits; never decreases.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.cache(|cache| cache.revision)
    }

    /// Every change from now on, in order. Who lags is told so and looks at everything anew.
    #[must_use]
    pub fn watch(&self) -> broadcast::Receiver<Change> {
        self.inner.changes.subscribe()
    }

    /// Seals a secret for a purpose: it opens only for the same.
    #[must_use]
    pub fn seal(&self, context: &str, secret: &[u8]) -> Sealed {
        self.inner.key.seal(context, secret)
    }

    /// Opens a sealed secret.
    ///
    /// # Errors
    /// When it was sealed for another purpose, with another key, or was changed.
    pub fn unseal(&self, context: &str, sealed: &Sealed) -> Result<Vec<u8>, Error> {
        self.inner.key.open_sealed(context, sealed)
    }

    /// What agents reported last; in memory only.
    #[must_use]
    pub fn live(&self) -> &Live {
        &self.inner.live
    }

    /// Appends to the audit log; durable when it returns.
    ///
    /// # Errors
    /// When the disk refuses.
    pub async fn append_audit(&self, entry: AuditEntry) -> Result<(), Error> {
        match &self.inner.backing {
            Backing::Disk(disk) => disk.send(|answer| Job::Audit { entry, answer }).await?,
            Backing::Memory(_) => Ok(()),
        }
    }

    /// The newest entries of the audit log, before that id when one is given.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn list_audit(&self, limit: usize, before: Option<i64>) -> Result<Vec<AuditEntry>, Error> {
        match &self.inner.backing {
            Backing::Disk(disk) => disk.reader.list(limit, before),
            Backing::Memory(_) => Ok(Vec::new()),
        }
    }

    /// Hands every entry of the audit log out, the oldest first, until it is not wanted any more.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn walk_audit(&self, each: impl FnMut(AuditEntry) -> bool) -> Result<(), Error> {
        match &self.inner.backing {
            Backing::Disk(disk) => disk.reader.walk(each),
            Backing::Memory(_) => Ok(()),
        }
    }

    fn cache<R>(&self, read: impl FnOnce(&Cache) -> R) -> R {
        read(&self.inner.cache.read().expect("nothing panics while it is held"))
    }
}

impl Disk {
    async fn send<R>(&self, job: impl FnOnce(oneshot::Sender<R>) -> Job) -> Result<R, Error> {
        let (answer, result) = oneshot::channel();
        let writer = self.writer.as_ref().ok_or(Error::Closed)?;
        writer.send(job(answer)).map_err(|_| Error::Closed)?;
        result.await.map_err(|_| Error::Closed)
    }
}

impl Drop for Disk {
    /// What waits is written before the lock is given back: two writers on one database would each
    /// keep a memory of their own.
    fn drop(&mut self) {
        drop(self.writer.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the writer was reported when it happened.
            let _ = thread.join();
        }
    }
}

/// Reads everything once, so that what cannot be read stops the start and nothing later.
fn check(cache: &Cache) -> Result<(), Error> {
    fn kind<T: Object>(cache: &Cache) -> Result<(), Error> {
        for (key, entry) in cache.entries(T::KIND) {
            let damaged = |error| Error::Damaged(format!("the {} `{key}`: {error}", T::KIND));
            entry.body.read::<T>().map_err(damaged)?;
        }
        Ok(())
    }
    kind::<Cluster>(cache)?;
    kind::<Node>(cache)?;
    kind::<Operation>(cache)?;
    kind::<clusters::NameClaim>(cache)?;
    kind::<idempotency::Idempotency>(cache)?;
    kind::<join_tokens::JoinToken>(cache)?;
    kind::<lineage::Lineage>(cache)?;
    kind::<secrets::Secret>(cache)?;
    kind::<settings::ServerSettings>(cache)?;
    kind::<projects::Project>(cache)?;
    kind::<tokens::Token>(cache)?;
    kind::<repositories::SealedRepository>(cache)?;
    kind::<bellwether_model::Backup>(cache)?;
    kind::<users::NameClaim>(cache)?;
    kind::<users::IdentityClaim>(cache)?;
    kind::<users::User>(cache)
}
