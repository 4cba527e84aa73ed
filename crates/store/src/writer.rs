//! The one writer: a thread that commits what waits together, so that many small commits share one
//! flush to the disk.

use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, RwLock};
use std::thread::JoinHandle;

use rusqlite::{Connection, ErrorCode, params};
use tokio::sync::{broadcast, oneshot};

use crate::audit::AuditEntry;
use crate::cache::{Body, Cache, Entry};
use crate::txn::{Expect, Txn, Write};
use crate::{Change, Error, sqlite};

/// At most so many jobs share one commit.
const BATCH_MAX: usize = 128;

pub(crate) enum Job {
    Commit { txn: Txn, answer: oneshot::Sender<Result<u64, Error>> },
    Audit { entry: AuditEntry, answer: oneshot::Sender<Result<(), Error>> },
}

pub(crate) struct Writer {
    connection: Connection,
    cache: Arc<RwLock<Cache>>,
    changes: broadcast::Sender<Change>,
    /// Why nothing more is written: what the disk holds is no longer certain.
    broken: Option<String>,
}

/// What a job is told once its batch is on the disk.
enum Answer {
    Commit(oneshot::Sender<Result<u64, Error>>, Result<u64, Error>),
    Audit(oneshot::Sender<Result<(), Error>>),
}

/// Writes that are decided and not yet on the disk.
pub(crate) struct Staged {
    revision: u64,
    writes: Vec<(Change, Option<Arc<Body>>)>,
    audit: Vec<AuditEntry>,
}

impl Writer {
    /// Writes until nobody can ask any more.
    pub(crate) fn start(
        connection: Connection,
        cache: Arc<RwLock<Cache>>,
        changes: broadcast::Sender<Change>,
    ) -> (Sender<Job>, JoinHandle<()>) {
        let (sender, jobs) = std::sync::mpsc::channel();
        let mut writer = Self { connection, cache, changes, broken: None };
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || writer.run(&jobs))
            .expect("the system gives a thread");
        (sender, thread)
    }

    fn run(&mut self, jobs: &Receiver<Job>) {
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
        let (staged, answers) = self.stage(batch);
        let result = self.save(&staged);
        if result.is_ok() {
            staged.publish(&self.cache, &self.changes);
        }
        // Refusals wait too: who looks again after a conflict sees what it was about.
        for answer in answers {
            answer.give(result.as_ref().map(|_| ()));
        }
    }

    fn stage(&self, batch: Vec<Job>) -> (Staged, Vec<Answer>) {
        let cache = self.cache.read().expect("nothing panics while it is held");
        let mut staged = Staged::after(cache.revision);
        let answers = batch.into_iter().map(|job| match job {
            Job::Commit { txn, answer } => Answer::Commit(answer, staged.apply(&cache, txn)),
            Job::Audit { entry, answer } => {
                staged.audit.push(entry);
                Answer::Audit(answer)
            }
        });
        let answers = answers.collect();
        (staged, answers)
    }

    fn save(&mut self, staged: &Staged) -> Result<(), String> {
        if staged.writes.is_empty() && staged.audit.is_empty() {
            return Ok(());
        }
        if let Some(why) = &self.broken {
            return Err(why.clone());
        }
        staged.save(&mut self.connection).map_err(|error| {
            // After a failed flush the system may forget that the data never reached the disk: a
            // later success would prove nothing.
            if matches!(
                error.sqlite_error_code(),
                Some(ErrorCode::SystemIoFailure | ErrorCode::DatabaseCorrupt)
            ) {
                let why = format!(
                    "the disk failed earlier ({error}); nothing is saved until the server is \
                     restarted"
                );
                tracing::error!("{why}");
                self.broken = Some(why);
            }
            error.to_string()
        })
    }
}

impl Answer {
    /// Who no longer waits for the answer does not need it.
    fn give(self, saved: Result<(), &String>) {
        let saved = saved.map_err(|why| Error::NotSaved(why.clone()));
        match self {
            Self::Commit(answer, Ok(revision)) => {
                let _ = answer.send(saved.map(|()| revision));
            }
            Self::Commit(answer, Err(refusal)) => {
                let _ = answer.send(Err(refusal));
            }
            Self::Audit(answer) => {
                let _ = answer.send(saved);
            }
        }
    }
}

impl Staged {
    pub(crate) fn after(revision: u64) -> Self {
        Self { revision, writes: Vec::new(), audit: Vec::new() }
    }

    /// The revision an object has before this write: of the same transaction, of the same batch, or
    /// as it is stored.
    fn revision_of(&self, cache: &Cache, earlier: &[Write], write: &Write) -> Option<u64> {
        let (kind, key) = (write.kind, write.key.as_str());
        if let Some(same) = earlier.iter().rev().find(|w| w.kind == kind && w.key == key) {
            return same.body.is_some().then_some(self.revision + 1);
        }
        let staged =
            self.writes.iter().rev().find(|(change, _)| change.kind == kind && change.key == key);
        match staged {
            Some((change, _)) => (!change.deleted).then_some(change.revision),
            None => cache.entry(kind, key).map(|entry| entry.revision),
        }
    }

    pub(crate) fn apply(&mut self, cache: &Cache, txn: Txn) -> Result<u64, Error> {
        for (index, write) in txn.writes.iter().enumerate() {
            let now = self.revision_of(cache, &txn.writes[..index], write);
            let is_as_expected = match write.expect {
                Expect::Anything => true,
                Expect::Absent => now.is_none(),
                Expect::Revision(revision) => now == Some(revision),
            };
            if !is_as_expected {
                return Err(Error::Conflict { kind: write.kind.into(), key: write.key.clone() });
            }
        }
        self.revision = self.revision.max(txn.above);
        self.audit.extend(txn.audit);
        self.revision += 1;
        for write in txn.writes {
            let change = Change {
                revision: self.revision,
                kind: write.kind.to_owned(),
                key: write.key,
                deleted: write.body.is_none(),
            };
            self.writes.push((change, write.body.map(|text| Arc::new(Body::new(text)))));
        }
        Ok(self.revision)
    }

    fn save(&self, connection: &mut Connection) -> Result<(), rusqlite::Error> {
        let transaction = connection.transaction()?;
        {
            let mut put = transaction.prepare_cached(
                "INSERT INTO objects (kind, key, revision, body) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (kind, key) DO UPDATE SET revision = ?3, body = ?4",
            )?;
            let mut delete =
                transaction.prepare_cached("DELETE FROM objects WHERE kind = ?1 AND key = ?2")?;
            for (Change { revision, kind, key, .. }, body) in &self.writes {
                match body {
                    Some(body) => put.execute(params![kind, key, *revision as i64, body.text])?,
                    None => delete.execute(params![kind, key])?,
                };
            }
            sqlite::append_audit(&transaction, &self.audit)?;
            transaction
                .prepare_cached("UPDATE meta SET value = ?1 WHERE name = 'revision'")?
                .execute([self.revision as i64])?;
        }
        transaction.commit()
    }

    pub(crate) fn publish(self, cache: &RwLock<Cache>, changes: &broadcast::Sender<Change>) {
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
