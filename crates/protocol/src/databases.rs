//! Databases and their users: what an agent is told to have, and what it says of them.

use bellwether_model::database::Grant;
use serde::{Deserialize, Serialize};

/// What the engine shall have beside what is made with the cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WantedDatabases {
    /// Counts changes; reports name the one that was seen to. 0: nothing was ever asked for.
    pub version: u64,
    pub databases: Vec<WantedDatabase>,
    /// The application's user first.
    pub users: Vec<WantedUser>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WantedDatabase {
    /// Of this one alone; the engine keeps it with the database where it can.
    pub id: String,
    pub name: String,
    /// It shall not be there any more.
    pub dropped: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WantedUser {
    pub name: String,
    /// The application's, whose rights are as they were made with the cluster.
    pub is_first: bool,
    pub grants: Vec<Grant>,
    pub logins: Vec<WantedLogin>,
    /// It shall not be there any more.
    pub dropped: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WantedLogin {
    pub name: String,
    /// None: nobody is let in under it.
    pub password: Option<Password>,
    /// Its sessions shall end.
    #[serde(default)]
    pub ends: bool,
}

/// `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Password(pub String);

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(..)")
    }
}

impl WantedDatabases {
    /// The names of all logins that may be there.
    pub fn logins(&self) -> impl Iterator<Item = &str> {
        self.users.iter().flat_map(|user| &user.logins).map(|login| login.name.as_str())
    }

    /// The logins of which somebody asks who uses them: those of rotations under way, and those
    /// whose sessions shall end.
    #[must_use]
    pub fn watched(&self) -> Vec<String> {
        let is_rotating =
            |user: &&WantedUser| user.logins.iter().all(|login| login.password.is_some());
        let rotating = self.users.iter().filter(is_rotating).flat_map(|user| &user.logins);
        rotating.map(|login| login.name.clone()).chain(self.ending()).collect()
    }

    /// The logins whose sessions shall end.
    #[must_use]
    pub fn ending(&self) -> Vec<String> {
        let logins = self.users.iter().flat_map(|user| &user.logins);
        logins.filter(|login| login.ends).map(|login| login.name.clone()).collect()
    }

    /// Everything that was asked for, refused for the same reason.
    #[must_use]
    pub fn all_refused(&self, why: &str) -> Vec<Refused> {
        let refused = |kind: Kind, name: &String| {
            let (name, why) = (name.clone(), why.to_owned());
            Refused { kind, name, why }
        };
        let databases = self.databases.iter().map(|one| refused(Kind::Database, &one.name));
        databases.chain(self.users.iter().map(|one| refused(Kind::User, &one.name))).collect()
    }
}

/// What an agent says of databases and users.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabasesReport {
    /// The version that this engine has, but for what is refused; none where it has it from its
    /// primary.
    pub version: Option<u64>,
    /// What could not be made as it shall be, and why.
    pub refused: Vec<Refused>,
    /// Who uses which login now; none: that is not known.
    pub logins: Option<Vec<LoginUse>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    pub kind: Kind,
    pub name: String,
    /// Without any of the data.
    pub why: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Database,
    User,
}

/// Sessions under one login that come from the same place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginUse {
    pub login: String,
    /// As the engine sees it; empty where it does not say.
    pub address: String,
    /// What the client calls itself.
    pub application: String,
    pub count: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_sent_and_not_shown() {
        let (name, password) = ("shop".to_owned(), Some(Password("secret".to_owned())));
        let login = WantedLogin { name, password, ends: false };
        assert!(!format!("{login:?}").contains("secret"));
        let text = serde_json::to_string(&login).expect("written");
        assert_eq!(text, r#"{"name":"shop","password":"secret","ends":false}"#);
        assert_eq!(serde_json::from_str::<WantedLogin>(&text).expect("read"), login);
    }

    #[test]
    fn logins_are_watched_while_two_are_valid_or_sessions_shall_end() {
        let login = |name: &str, is_valid: bool, ends: bool| WantedLogin {
            name: name.to_owned(),
            password: is_valid.then(|| Password("secret".to_owned())),
            ends,
        };
        let user = |name: &str, logins: Vec<WantedLogin>| WantedUser {
            name: name.to_owned(),
            is_first: false,
            grants: Vec::new(),
            logins,
            dropped: false,
        };
        let wanted = WantedDatabases {
            users: vec![
                user("a", vec![login("a", true, false), login("a_b", false, false)]),
                user("b", vec![login("b", true, false), login("b_b", true, false)]),
                user("c", vec![login("c", false, true), login("c_b", true, false)]),
            ],
            ..WantedDatabases::default()
        };
        assert_eq!(wanted.watched(), ["b", "b_b", "c"]);
        assert_eq!(wanted.ending(), ["c"]);
    }
}
