//! Users of the server.

use bellwether_model::{Timestamp, UserId};
use serde::{Deserialize, Serialize};

use crate::{Object, Store, Stored};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct User {
    pub id: UserId,
    pub name: String,
    /// Argon2id, in its own text form.
    pub password_hash: String,
    pub must_change_password: bool,
    pub created_at: Timestamp,
}

impl Object for User {
    const KIND: &'static str = "user";

    fn key(&self) -> String {
        self.id.to_string()
    }
}

#[must_use]
pub fn find_by_name(store: &Store, name: &str) -> Option<Stored<User>> {
    store.list_where(|user: &User| user.name == name).pop()
}
