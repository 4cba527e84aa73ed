//! The secrets of clusters, sealed.

use bellwether_model::ClusterId;
use serde::{Deserialize, Serialize};

use crate::{Object, Sealed, Store};

pub const USER_PASSWORD: &str = "user-password";
pub const REPLICATION_PASSWORD: &str = "replication-password";
pub const REWIND_PASSWORD: &str = "rewind-password";
pub const PEER_KEY: &str = "peer-key";

/// The name of the secret that a login's password is; `first` is the application's user.
#[must_use]
pub fn of_login(first: &str, login: &str) -> String {
    if login == first { USER_PASSWORD.to_owned() } else { format!("login/{login}") }
}

/// The password of a login, where it has one.
#[must_use]
pub fn login_password(
    store: &Store,
    cluster: &ClusterId,
    first: &str,
    login: &str,
) -> Option<String> {
    let secret = Secret::open(store, cluster, &of_login(first, login))?;
    String::from_utf8(secret).ok()
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Secret {
    pub cluster: ClusterId,
    pub name: String,
    pub sealed: Sealed,
}

impl Object for Secret {
    const KIND: &'static str = "secret";

    fn key(&self) -> String {
        Self::key_of(&self.cluster, &self.name)
    }
}

impl Secret {
    #[must_use]
    pub fn key_of(cluster: &ClusterId, name: &str) -> String {
        format!("{cluster}/{name}")
    }

    /// Seals a secret of a cluster; the caller saves it.
    #[must_use]
    pub fn seal(store: &Store, cluster: &ClusterId, name: &str, secret: &[u8]) -> Self {
        let sealed = store.seal(&Self::key_of(cluster, name), secret);
        Self { cluster: cluster.clone(), name: name.to_owned(), sealed }
    }

    /// Opens a secret of a cluster, where there is one.
    #[must_use]
    pub fn open(store: &Store, cluster: &ClusterId, name: &str) -> Option<Vec<u8>> {
        let key = Self::key_of(cluster, name);
        let secret = store.find::<Self>(&key)?;
        match store.unseal(&key, &secret.object.sealed) {
            Ok(plain) => Some(plain),
            Err(error) => {
                tracing::error!("the secret `{key}` cannot be opened: {error}");
                None
            }
        }
    }

    /// The keys of everything sealed for a cluster.
    #[must_use]
    pub fn keys_of_cluster(store: &Store, cluster: &ClusterId) -> Vec<String> {
        let secrets = store.list_where(|secret: &Self| secret.cluster == *cluster);
        secrets.iter().map(|secret| secret.object.key()).collect()
    }
}
