//! Everything that is stored, in memory.

use std::any::Any;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};

use crate::{Object, Stored};

/// A saved object: its text as it is on the disk, and what was read from it.
pub(crate) struct Body {
    pub(crate) text: String,
    /// Read from the text at first use, never taken from the writer: what is found now is what will
    /// be found after a restart.
    object: OnceLock<Arc<dyn Any + Send + Sync>>,
}

#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) revision: u64,
    pub(crate) body: Arc<Body>,
}

#[derive(Clone, Default)]
pub(crate) struct Cache {
    pub(crate) revision: u64,
    kinds: HashMap<String, BTreeMap<String, Entry>>,
}

impl Cache {
    pub(crate) fn entry(&self, kind: &str, key: &str) -> Option<&Entry> {
        self.kinds.get(kind)?.get(key)
    }

    /// The objects of a kind by key.
    pub(crate) fn entries(&self, kind: &str) -> impl Iterator<Item = (&String, &Entry)> {
        self.kinds.get(kind).into_iter().flatten()
    }

    pub(crate) fn set(&mut self, kind: &str, key: &str, entry: Entry) {
        match self.kinds.get_mut(kind) {
            Some(entries) => entries.insert(key.to_owned(), entry),
            None => self.kinds.entry(kind.to_owned()).or_default().insert(key.to_owned(), entry),
        };
    }

    pub(crate) fn remove(&mut self, kind: &str, key: &str) {
        if let Some(entries) = self.kinds.get_mut(kind) {
            entries.remove(key);
        }
    }
}

impl Body {
    pub(crate) fn new(text: String) -> Self {
        Self { text, object: OnceLock::new() }
    }

    /// Reads the object, once.
    pub(crate) fn read<T: Object>(&self) -> Result<Arc<T>, serde_json::Error> {
        let known = self.object.get().cloned().and_then(|object| object.downcast::<T>().ok());
        if let Some(object) = known {
            return Ok(object);
        }
        let object = Arc::new(serde_json::from_str::<T>(&self.text)?);
        // When another thread was quicker, its object is the same.
        let _ = self.object.set(object.clone());
        Ok(object)
    }
}

impl Entry {
    pub(crate) fn object<T: Object>(&self) -> Arc<T> {
        // Everything was read once when the store was opened; what came since was written from `T`.
        self.body
            .read()
            .unwrap_or_else(|error| panic!("a stored {} cannot be read: {error}", T::KIND))
    }

    pub(crate) fn stored<T: Object>(&self) -> Stored<T> {
        Stored { revision: self.revision, object: (*self.object::<T>()).clone() }
    }
}
