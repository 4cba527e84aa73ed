//! Everything that is stored, in memory.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::{Object, Stored};

#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) revision: u64,
    pub(crate) body: Arc<serde_json::Value>,
}

#[derive(Default)]
pub(crate) struct Cache {
    pub(crate) revision: u64,
    kinds: HashMap<String, BTreeMap<String, Entry>>,
}

impl Cache {
    pub(crate) fn entry(&self, kind: &str, key: &str) -> Option<&Entry> {
        self.kinds.get(kind)?.get(key)
    }

    pub(crate) fn set(&mut self, kind: &str, key: &str, entry: Entry) {
        self.kinds.entry(kind.to_owned()).or_default().insert(key.to_owned(), entry);
    }

    pub(crate) fn remove(&mut self, kind: &str, key: &str) {
        if let Some(entries) = self.kinds.get_mut(kind) {
            entries.remove(key);
        }
    }

    pub(crate) fn find<T: Object>(&self, key: &str) -> Option<Stored<T>> {
        self.entry(T::KIND, key).map(read)
    }

    pub(crate) fn list<T: Object>(&self) -> Vec<Stored<T>> {
        self.kinds.get(T::KIND).into_iter().flat_map(BTreeMap::values).map(read).collect()
    }
}

fn read<T: Object>(entry: &Entry) -> Stored<T> {
    // Written by this program from the same type; an older version's form is read by serde defaults.
    let object = T::deserialize(&*entry.body)
        .unwrap_or_else(|error| panic!("a stored {} cannot be read: {error}", T::KIND));
    Stored { revision: entry.revision, object }
}
