//! A store without a disk, for simulations and tests: what would be on the disk is an image that
//! outlives the store, time is told by whoever opens it, and a commit takes as long as they say.

use std::pin::Pin;
use std::sync::{Arc, RwLock};

use bellwether_model::Timestamp;
use tokio::sync::{Mutex, broadcast};

use crate::cache::Cache;
use crate::writer::Staged;
use crate::{Backing, Error, Inner, Store, Txn, seal};

/// What is on the "disk": survives the store, and may be put back later.
#[derive(Clone, Default)]
pub struct Image(Cache);

/// What a store in memory needs from outside.
pub trait Surroundings: Send + Sync {
    /// The wall clock.
    fn now(&self) -> Timestamp;

    /// Ends when what is being committed reaches the disk.
    fn writing(&self) -> Moment;

    /// Ends when who committed hears of it.
    fn answering(&self) -> Moment;
}

/// Something to wait for.
pub type Moment = Pin<Box<dyn Future<Output = ()> + Send>>;

pub(crate) struct Memory {
    surroundings: Arc<dyn Surroundings>,
    /// Commits are made one after the other.
    turn: Mutex<()>,
}

impl Memory {
    pub(crate) fn now(&self) -> Timestamp {
        self.surroundings.now()
    }

    /// Who is dropped while it waits has saved nothing; who is dropped before the answer has.
    pub(crate) async fn commit(&self, inner: &Inner, txn: Txn) -> Result<u64, Error> {
        let _turn = self.turn.lock().await;
        self.surroundings.writing().await;
        let revision = {
            let cache = inner.cache.read().expect("nothing panics while it is held");
            let mut staged = Staged::after(cache.revision);
            let revision = staged.apply(&cache, txn)?;
            drop(cache);
            staged.publish(&inner.cache, &inner.changes);
            revision
        };
        self.surroundings.answering().await;
        Ok(revision)
    }
}

impl Store {
    /// Opens a store over what an image holds.
    #[must_use]
    pub fn in_memory(image: Image, surroundings: Arc<dyn Surroundings>) -> Self {
        let (changes, _) = broadcast::channel(4096);
        let backing = Backing::Memory(Memory { surroundings, turn: Mutex::default() });
        let key = seal::Key::from_bytes([7; 32]);
        Self::new(Arc::new(RwLock::new(image.0)), changes, backing, key)
    }

    /// What is durable now.
    #[must_use]
    pub fn image(&self) -> Image {
        Image(self.cache(Clone::clone))
    }
}
