//! A transaction: what is expected, and what shall be.

use crate::{AuditEntry, Object, Stored};

/// What is expected of an object before the transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expect {
    Absent,
    Revision(u64),
    Anything,
}

pub(crate) struct Write {
    pub(crate) kind: &'static str,
    pub(crate) key: String,
    pub(crate) expect: Expect,
    /// JSON; none deletes.
    pub(crate) body: Option<String>,
}

/// All or nothing. Writes are checked in their order, each as if those before it had been made.
#[derive(Default)]
pub struct Txn {
    pub(crate) writes: Vec<Write>,
    pub(crate) audit: Vec<AuditEntry>,
    /// The revision of the store is above this afterwards.
    pub(crate) above: u64,
}

impl Txn {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty() && self.audit.is_empty()
    }

    /// Whether it makes a new object of that kind.
    pub(crate) fn inserts(&self, kind: &str) -> bool {
        self.writes.iter().any(|write| write.kind == kind && write.expect == Expect::Absent)
    }

    /// Saves a new object; there must be none of its key.
    #[must_use]
    pub fn insert<T: Object>(self, object: &T) -> Self {
        self.write(object, Expect::Absent)
    }

    /// Saves an object that was read; it must not have changed since.
    #[must_use]
    pub fn update<T: Object>(self, stored: &Stored<T>) -> Self {
        self.write(&stored.object, Expect::Revision(stored.revision))
    }

    /// Saves an object whatever is there.
    #[must_use]
    pub fn put<T: Object>(self, object: &T) -> Self {
        self.write(object, Expect::Anything)
    }

    /// Lets the store's revision be above that afterwards, whatever it was.
    #[must_use]
    pub fn above(self, revision: u64) -> Self {
        Self { above: revision, ..self }
    }

    /// Deletes an object, of that revision where one is given.
    #[must_use]
    pub fn delete<T: Object>(mut self, key: &str, revision: Option<u64>) -> Self {
        let expect = revision.map_or(Expect::Anything, Expect::Revision);
        self.writes.push(Write { kind: T::KIND, key: key.to_owned(), expect, body: None });
        self
    }

    /// Appends to the audit log, if and when the rest is saved.
    #[must_use]
    pub fn audit(mut self, entry: AuditEntry) -> Self {
        self.audit.push(entry);
        self
    }

    fn write<T: Object>(mut self, object: &T, expect: Expect) -> Self {
        let body = serde_json::to_string(object).expect("stored objects are plain data");
        debug_assert!(
            serde_json::from_str::<T>(&body).is_ok(),
            "a {} would be written in a form that cannot be read",
            T::KIND
        );
        self.writes.push(Write { kind: T::KIND, key: object.key(), expect, body: Some(body) });
        self
    }
}
