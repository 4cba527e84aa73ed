//! Users of the server.

use bellwether_model::access::Access;
use bellwether_model::{Timestamp, UserId};
use serde::{Deserialize, Serialize};

use crate::{Object, Sealed, Store, Stored};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct User {
    pub id: UserId,
    pub name: String,
    /// Argon2id, in its own text form.
    pub password_hash: String,
    pub must_change_password: bool,
    pub created_at: Timestamp,
    /// Whoever was there before there were roles could do everything.
    #[serde(default = "Access::owner")]
    pub access: Access,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second_factor: Option<SecondFactor>,
    /// Of somebody who signs in through an identity provider, and has no password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
}

/// Whom an identity provider has said that a user is, when they last signed in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Identity {
    pub issuer: String,
    /// The provider's own key of them, which is never given to another.
    pub subject: String,
    /// Verified by the provider.
    pub email: Option<String>,
    pub groups: Vec<String>,
    pub confirmed_at: Timestamp,
}

impl Identity {
    /// What a user is found by.
    #[must_use]
    pub fn key(&self) -> String {
        crate::tokens::hash(&format!("{}\n{}", self.issuer, self.subject))
    }
}

/// Inserted with a user of an identity provider and deleted with it: nobody becomes two.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct IdentityClaim {
    pub key: String,
    pub user: UserId,
}

impl Object for IdentityClaim {
    const KIND: &'static str = "user-identity";

    fn key(&self) -> String {
        self.key.clone()
    }
}

/// Codes of an application that a user signs in with, beside the password.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SecondFactor {
    pub secret: Sealed,
    /// The first code was given: it counts from then on.
    pub is_confirmed: bool,
    /// Of the last code that was taken: each is good once.
    pub last_step: u64,
    /// Hashes of the codes for when the application is lost.
    pub recovery: Vec<String>,
}

impl User {
    /// Whether signing in takes a code.
    #[must_use]
    pub fn has_second_factor(&self) -> bool {
        self.second_factor.as_ref().is_some_and(|factor| factor.is_confirmed)
    }
}

impl Object for User {
    const KIND: &'static str = "user";

    fn key(&self) -> String {
        self.id.to_string()
    }
}

/// Inserted with a user and deleted with it: no two users have one name. Users from before there
/// were several have none.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NameClaim {
    pub name: String,
    pub user: UserId,
}

impl Object for NameClaim {
    const KIND: &'static str = "user-name";

    fn key(&self) -> String {
        self.name.clone()
    }
}

#[must_use]
pub fn find_by_name(store: &Store, name: &str) -> Option<Stored<User>> {
    store.list_where(|user: &User| user.name == name).pop()
}
