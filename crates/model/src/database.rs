//! Databases and the users who may use them, as people ask for them; what people make in SQL and
//! the engine's own are none of these.
//!
//! A user has two names to log in with, of which one counts at a time: its own, and that with `_b`.
//! A rotation makes the other one count too, with a password of its own, and finishing it turns the
//! former one off. So both are valid meanwhile, no client is cut off, and every engine tells whose
//! sessions are under way: who still uses the former password is known, not guessed.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::id::DatabaseId;
use crate::time::Timestamp;

mod check;

pub use check::{check_database_name, check_grants, check_user_name};

/// More would be a directory of people, not of programs.
pub const USERS_MAX: usize = 100;
pub const DATABASES_MAX: usize = 100;

/// What the second login adds to the name of its user.
const SECOND: &str = "_b";

/// What a cluster was asked to have. Written by the API; the control loop takes out what is gone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Databases {
    /// Counts changes; agents report which one they have seen to. 0: nothing was ever asked for.
    pub version: u64,
    pub databases: Vec<Database>,
    pub users: Vec<DatabaseUser>,
    /// How the application's user logs in, who is made with the cluster.
    pub first: Logins,
}

/// A database beside the one that is made with the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Database {
    /// What is dropped is this one, not another that has its name later.
    pub id: DatabaseId,
    pub name: String,
    pub created_at: Timestamp,
    /// It shall go, and is here until it is known to be gone.
    #[serde(default)]
    pub dropped: bool,
}

/// A user beside the one that is made with the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DatabaseUser {
    pub name: String,
    pub created_at: Timestamp,
    pub grants: Vec<Grant>,
    pub logins: Logins,
    /// It shall go, and is here until it is known to be gone.
    #[serde(default)]
    pub dropped: bool,
}

/// What a user may do with a database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// A database, or a pattern of keys where the engine has no databases by name.
    pub on: String,
    pub rights: Rights,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Rights {
    /// Reads data.
    ReadOnly,
    /// Reads and changes data.
    ReadWrite,
    /// Also makes, changes and drops tables and the like.
    Owner,
}

impl Rights {
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::ReadOnly => "read_only",
            Self::ReadWrite => "read_write",
            Self::Owner => "owner",
        }
    }
}

/// Which of the two logins of a user count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Logins {
    pub current: Login,
    /// Since when the other one is to be replaced, which counts until then; none: it is off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotating_since: Option<Timestamp>,
    /// The sessions of the other one, which is off, shall end: a person has said so.
    #[serde(default)]
    pub ends_sessions: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Login {
    #[default]
    First,
    Second,
}

impl Login {
    /// The name that a client gives.
    #[must_use]
    pub fn name(self, user: &str) -> String {
        match self {
            Self::First => user.to_owned(),
            Self::Second => format!("{user}{SECOND}"),
        }
    }

    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::First => Self::Second,
            Self::Second => Self::First,
        }
    }
}

impl Logins {
    /// The login that a rotation under way replaces.
    #[must_use]
    pub fn former(self) -> Option<Login> {
        self.rotating_since.map(|_| self.current.other())
    }

    /// Whether a client is let in under it.
    #[must_use]
    pub fn counts(self, login: Login) -> bool {
        login == self.current || self.former() == Some(login)
    }

    /// The other one counts from now on, beside the one that did.
    pub fn rotate(&mut self, now: Timestamp) {
        self.current = self.current.other();
        self.rotating_since = Some(now);
        self.ends_sessions = false;
    }

    /// A rotation under way is turned round: the login that was to be replaced stays, and the one
    /// that was to take its place is the one that ends. Both count until then.
    pub fn turn_back(&mut self, now: Timestamp) {
        self.rotate(now);
    }

    /// The former one is off from now on; its sessions go on, unless they shall end.
    pub fn end_rotation(&mut self, ends_sessions: bool) {
        self.rotating_since = None;
        self.ends_sessions = ends_sessions;
    }
}

impl Databases {
    #[must_use]
    pub fn database(&self, name: &str) -> Option<&Database> {
        self.databases.iter().find(|database| database.name == name)
    }

    #[must_use]
    pub fn user(&self, name: &str) -> Option<&DatabaseUser> {
        self.users.iter().find(|user| user.name == name)
    }

    /// How that user logs in; `first` is the name of the application's.
    #[must_use]
    pub fn logins(&self, name: &str, first: &str) -> Option<Logins> {
        if name == first {
            return Some(self.first);
        }
        self.user(name).filter(|user| !user.dropped).map(|user| user.logins)
    }

    /// The same, to be changed.
    pub fn logins_mut(&mut self, name: &str, first: &str) -> Option<&mut Logins> {
        if name == first {
            return Some(&mut self.first);
        }
        let users = self.users.iter_mut();
        users.filter(|user| !user.dropped).find(|user| user.name == name).map(|u| &mut u.logins)
    }
}

/// A database as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DatabaseView {
    pub name: String,
    /// It was made with the cluster, and stays.
    pub is_first: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    pub state: DatabaseState,
    /// Why it is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// How far what was asked for is so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DatabaseState {
    /// The engine has it as it was asked for.
    InForce,
    /// Nobody has said so yet.
    Pending,
    /// The engine could not; it is tried again.
    Refused,
    Dropping,
}

impl DatabaseState {
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::InForce => "in force",
            Self::Pending => "pending",
            Self::Refused => "refused",
            Self::Dropping => "dropping",
        }
    }
}

/// A user as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DatabaseUserView {
    pub name: String,
    /// What clients log in as now: the name, or the name with `_b`.
    pub login: String,
    /// There when it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// It was made with the cluster, and stays.
    pub is_first: bool,
    pub grants: Vec<Grant>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    pub state: DatabaseState,
    /// Why it is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// A rotation that is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation: Option<Rotation>,
    /// There when a rotation was just ended although the former login may be used: how many of its
    /// sessions are known of, which end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sessions_ended: Option<u32>,
}

/// A rotation that is under way: the former login counts until it is finished.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Rotation {
    pub since: Timestamp,
    /// The login that is to be replaced.
    pub former: String,
    /// Who uses the former login now.
    pub sessions: Vec<LoginSessions>,
    /// Nodes that have not said lately who is connected.
    pub unknown: Vec<String>,
}

/// Sessions of one login that come from the same place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
pub struct LoginSessions {
    /// The node whose engine has them.
    pub node: String,
    /// Where they come from as the engine sees it; for what a node's endpoint leads, `endpoint of`
    /// that node.
    pub from: String,
    /// What the client calls itself, where it does.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub application: String,
    pub count: u32,
}

/// `POST /v1/clusters/{cluster}/databases`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDatabase {
    /// 1 to 40 lower-case letters, digits and underscores, beginning with a letter.
    pub name: String,
}

/// `POST /v1/clusters/{cluster}/database-users`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDatabaseUser {
    /// 1 to 30 lower-case letters, digits and underscores, beginning with a letter.
    pub name: String,
    #[serde(default)]
    pub grants: Vec<Grant>,
}

/// `PATCH /v1/clusters/{cluster}/database-users/{database_user}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DatabaseUserChange {
    /// All of them: what is left out is taken away.
    pub grants: Vec<Grant>,
}

/// `POST /v1/clusters/{cluster}/database-users/{database_user}/rotation/end`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RotationEnd {
    /// Also where the former login is used, or where that is not known; its sessions end.
    #[serde(default)]
    pub even_if_used: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rotation_leads_from_one_login_to_the_other_and_back() {
        let mut logins = Logins::default();
        assert_eq!((logins.current.name("shop").as_str(), logins.former()), ("shop", None));
        logins.rotate(Timestamp::from_millis(1));
        assert_eq!(logins.current.name("shop"), "shop_b");
        assert!(logins.counts(Login::First) && logins.counts(Login::Second));
        logins.end_rotation(true);
        assert!(!logins.counts(Login::First) && logins.ends_sessions);
        logins.rotate(Timestamp::from_millis(2));
        assert_eq!((logins.current, logins.former()), (Login::First, Some(Login::Second)));
        assert!(!logins.ends_sessions, "both are valid again");
        logins.turn_back(Timestamp::from_millis(3));
        assert_eq!((logins.current, logins.former()), (Login::Second, Some(Login::First)));
    }
}
