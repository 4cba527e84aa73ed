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
use crate::problem::FieldProblem;
use crate::time::Timestamp;

/// More would be a directory of people, not of programs.
pub const USERS_MAX: usize = 100;
pub const DATABASES_MAX: usize = 100;

/// MySQL's names of users have 32 characters, and the second login adds two.
const USER_NAME_LENGTH_MAX: usize = 30;

/// PostgreSQL's names have 63, and the roles of a database add a prefix.
const DATABASE_NAME_LENGTH_MAX: usize = 40;

const PATTERN_LENGTH_MAX: usize = 100;

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
    /// Also where the former login is used, or where that is not known.
    #[serde(default)]
    pub even_if_used: bool,
}

/// Names that are the engines' own, or mean something to them.
const RESERVED: [&str; 21] = [
    "all",
    "current_role",
    "current_user",
    "default",
    "event_scheduler",
    "information_schema",
    "mariadb",
    "mysql",
    "none",
    "performance_schema",
    "postgres",
    "public",
    "replication",
    "root",
    "sameuser",
    "session_user",
    "sys",
    "template0",
    "template1",
    "test",
    "user",
];

/// How names begin that are the engines' or ours.
const RESERVED_PREFIXES: [&str; 3] = ["pg_", "bellwether", "bw_"];

/// Says what is wrong with a new user's name.
///
/// # Errors
/// A sentence that names the rule the text breaks.
pub fn check_user_name(name: &str) -> Result<(), String> {
    check_name(name, USER_NAME_LENGTH_MAX)?;
    if name.ends_with(SECOND) {
        return Err(format!("`{name}` ends in `{SECOND}`, which second logins do"));
    }
    Ok(())
}

/// Says what is wrong with a new database's name.
///
/// # Errors
/// A sentence that names the rule the text breaks.
pub fn check_database_name(name: &str) -> Result<(), String> {
    check_name(name, DATABASE_NAME_LENGTH_MAX)
}

fn check_name(name: &str, length_max: usize) -> Result<(), String> {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let starts_well = name.starts_with(|c: char| c.is_ascii_lowercase());
    if !starts_well || name.len() > length_max || !name.chars().all(is_plain) {
        return Err(format!(
            "use 1 to {length_max} lower-case letters, digits and underscores, beginning with a \
             letter"
        ));
    }
    let is_reserved = RESERVED.contains(&name)
        || RESERVED_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    if is_reserved {
        return Err(format!("`{name}` is reserved for the engine or for Bellwether"));
    }
    Ok(())
}

/// What is wrong with what a user shall be allowed. `databases` are those that are there; none
/// where the engine knows patterns of keys instead.
#[must_use]
pub fn check_grants(grants: &[Grant], databases: Option<&[String]>) -> Vec<FieldProblem> {
    let mut problems = Vec::new();
    if grants.len() > DATABASES_MAX {
        problems.push(problem("grants", format!("use at most {DATABASES_MAX}")));
    }
    for (index, grant) in grants.iter().enumerate() {
        let wrong = match databases {
            Some(databases) if databases.contains(&grant.on) => None,
            Some(databases) => {
                let (on, there) = (&grant.on, databases.join(", "));
                Some(format!("there is no database `{on}`; there are {there}"))
            }
            None => check_pattern(grant).err(),
        };
        let is_twice = grants[..index].iter().any(|other| other.on == grant.on);
        let wrong = wrong.or_else(|| is_twice.then(|| "it is there twice".to_owned()));
        problems.extend(wrong.map(|words| problem(&format!("grants[{index}].on"), words)));
        let differs = databases.is_none() && grant.rights != grants[0].rights;
        if differs {
            let words = "patterns of keys of one user have the same rights; make two users";
            problems.push(problem(&format!("grants[{index}].rights"), words.to_owned()));
        }
    }
    problems
}

fn problem(field: &str, message: String) -> FieldProblem {
    FieldProblem { field: field.to_owned(), message }
}

fn check_pattern(grant: &Grant) -> Result<(), String> {
    let on = &grant.on;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || ":_-.*?[]{}/@+#,".contains(c);
    if on.is_empty() || on.len() > PATTERN_LENGTH_MAX || !on.chars().all(is_plain) {
        return Err(format!(
            "a pattern of keys, such as `orders:*`, has 1 to {PATTERN_LENGTH_MAX} letters, digits \
             and `: _ - . * ? [ ] {{ }} / @ + # ,`"
        ));
    }
    if grant.rights == Rights::Owner && on != "*" {
        // It may empty the whole keyspace, which no pattern limits.
        return Err("who owns keys owns all of them: use `*`, or other rights".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(on: &str, rights: Rights) -> Grant {
        Grant { on: on.to_owned(), rights }
    }

    #[test]
    fn names_of_the_engines_and_of_ours_are_refused() {
        for good in ["shop", "a", "orders_2", &"a".repeat(30)] {
            assert_eq!(check_user_name(good), Ok(()), "{good}");
        }
        let bad = [
            "", "Shop", "1a", "a-b", "a b", "ä", "a'b", "postgres", "root", "pg_monitor", "public",
            "bellwether_probe", "bw_1", "default", "shop_b",
        ];
        for bad in bad {
            assert!(check_user_name(bad).is_err(), "{bad}");
        }
        assert!(check_user_name(&"a".repeat(31)).is_err());
        assert_eq!(check_database_name("shop_b"), Ok(()));
        assert_eq!(check_database_name(&"a".repeat(40)), Ok(()));
        assert!(check_database_name("information_schema").is_err());
    }

    #[test]
    fn what_a_user_may_is_about_what_is_there() {
        let databases = ["app".to_owned(), "shop".to_owned()];
        let fields = |grants: &[Grant], databases: Option<&[String]>| -> Vec<String> {
            check_grants(grants, databases).into_iter().map(|problem| problem.field).collect()
        };
        let (read, own) = (Rights::ReadOnly, Rights::Owner);
        assert!(fields(&[grant("app", read), grant("shop", own)], Some(&databases)).is_empty());
        let wrong = [grant("app", read), grant("other", read), grant("app", own)];
        assert_eq!(fields(&wrong, Some(&databases)), ["grants[1].on", "grants[2].on"]);
        assert!(fields(&[grant("a:*", read), grant("b:*", read)], None).is_empty());
        assert!(fields(&[grant("*", own)], None).is_empty());
        let wrong = [grant("a b", read), grant("b:*", own)];
        assert_eq!(fields(&wrong, None), ["grants[0].on", "grants[1].on", "grants[1].rights"]);
    }

    #[test]
    fn a_rotation_leads_from_one_login_to_the_other_and_back() {
        let mut logins = Logins::default();
        assert_eq!((logins.current.name("shop").as_str(), logins.former()), ("shop", None));
        logins.rotate(Timestamp::from_millis(1));
        assert_eq!(logins.current.name("shop"), "shop_b");
        assert!(logins.counts(Login::First) && logins.counts(Login::Second));
        logins.rotating_since = None;
        assert!(!logins.counts(Login::First));
        logins.rotate(Timestamp::from_millis(2));
        assert_eq!((logins.current, logins.former()), (Login::First, Some(Login::Second)));
    }
}
