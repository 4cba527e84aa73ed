//! Repositories of backups, with what opens them, sealed.

use bellwether_model::RepositoryId;
use bellwether_model::repository::Repository;
use bellwether_protocol::repository::{Access, answer_seconds};
use serde::{Deserialize, Serialize};

use crate::{Object, Sealed, Store, Stored};

/// A repository and its secrets.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SealedRepository {
    pub repository: Repository,
    /// The secret of the access key, or the private SSH key.
    pub secret: Sealed,
    /// What everything in it is encrypted with.
    pub key: Sealed,
}

impl Object for SealedRepository {
    const KIND: &'static str = "repository";

    /// No two have one name at one time.
    fn key(&self) -> String {
        self.repository.name.clone()
    }
}

fn context(id: &RepositoryId, what: &str) -> String {
    format!("repository/{id}/{what}")
}

impl SealedRepository {
    /// Seals what opens a repository; the caller saves it.
    #[must_use]
    pub fn seal(store: &Store, repository: Repository, secret: &str, key: &str) -> Self {
        let seal =
            |what: &str, text: &str| store.seal(&context(&repository.id, what), text.as_bytes());
        let (secret, key) = (seal("secret", secret), seal("key", key));
        Self { repository, secret, key }
    }

    /// The way into it.
    #[must_use]
    pub fn access(&self, store: &Store) -> Option<Access> {
        let open = |what: &str, sealed: &Sealed| {
            let plain = store.unseal(&context(&self.repository.id, what), sealed);
            let plain = plain.inspect_err(|error| {
                tracing::error!("the {what} of a repository cannot be opened: {error}");
            });
            String::from_utf8(plain.ok()?).ok()
        };
        Some(Access {
            name: self.repository.name.clone(),
            place: self.repository.place.clone(),
            secret: open("secret", &self.secret)?,
            key: open("key", &self.key)?,
            answer_seconds: answer_seconds(),
            is_made: self.repository.checked_at.is_some(),
            is_trial: false,
        })
    }
}

/// The repository of this id or name.
#[must_use]
pub fn find(store: &Store, text: &str) -> Option<Stored<SealedRepository>> {
    store.find(text).or_else(|| {
        let of_id = |known: &SealedRepository| known.repository.id.as_str() == text;
        store.list_where(of_id).into_iter().next()
    })
}

/// The way into the repository of this id.
#[must_use]
pub fn access(store: &Store, id: &RepositoryId) -> Option<Access> {
    find(store, id.as_str())?.object.access(store)
}
