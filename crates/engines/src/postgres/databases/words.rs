//! The statements that give the engine databases and users.
//!
//! A database has three roles that nobody logs in as: one owns it and what is made in it, one may
//! change data, one may read. Logins are members of them and own nothing, so that any login can be
//! turned off or dropped without touching data: who owns a database acts as its owner from the
//! beginning of a session.

use bellwether_model::database::Rights;

use crate::postgres::sessions::scram;

/// What the engine keeps with the logins that are ours to turn off.
pub(super) const LOGIN_MARK: &str = "bellwether login";

/// What the engine keeps with a database of ours.
pub(super) fn database_mark(id: &str) -> String {
    format!("bellwether database {id}")
}

/// Whether a database with that mark is one of ours, also of a cluster that it was restored from.
pub(super) fn is_of_ours(mark: Option<&str>) -> bool {
    mark.is_some_and(|mark| mark.starts_with("bellwether database "))
}

/// What the engine keeps with a user of ours that every cluster has: the version of what was asked
/// for that the data has.
pub(super) fn version_mark(version: u64) -> String {
    format!("bellwether databases {version}")
}

pub(super) fn version_of(mark: Option<&str>) -> u64 {
    let version = mark.and_then(|mark| mark.strip_prefix("bellwether databases "));
    version.and_then(|version| version.parse().ok()).unwrap_or(0)
}

pub(super) fn name(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

pub(super) fn text(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The roles of one database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Roles {
    pub(super) owner: String,
    pub(super) writer: String,
    pub(super) reader: String,
}

impl Roles {
    /// `owner` is the role that owns it, where that is not one of ours.
    pub(super) fn of(database: &str, owner: Option<&str>) -> Self {
        Self {
            owner: owner.map_or_else(|| format!("bellwether_owner_{database}"), str::to_owned),
            writer: format!("bellwether_write_{database}"),
            reader: format!("bellwether_read_{database}"),
        }
    }

    pub(super) fn with(&self, rights: Rights) -> &str {
        match rights {
            Rights::Owner => &self.owner,
            Rights::ReadWrite => &self.writer,
            Rights::ReadOnly => &self.reader,
        }
    }

    /// Makes those that are not there.
    pub(super) fn make(&self) -> String {
        [&self.owner, &self.writer, &self.reader].map(|role| make_role(role)).concat()
    }

    /// What they may do with the database itself.
    pub(super) fn admit(&self, database: &str) -> String {
        let (database, owner) = (name(database), name(&self.owner));
        let (writer, reader) = (name(&self.writer), name(&self.reader));
        format!(
            "GRANT ALL ON DATABASE {database} TO {owner}; \
             GRANT CONNECT, TEMPORARY ON DATABASE {database} TO {writer}, {reader}; "
        )
    }

    /// What they may do with what is in the database, also with what its owner makes later. Said in
    /// the database itself.
    pub(super) fn permit(&self, schemas: &[String]) -> String {
        let (owner, writer, reader) = (name(&self.owner), name(&self.writer), name(&self.reader));
        let later = format!("ALTER DEFAULT PRIVILEGES FOR ROLE {owner} GRANT");
        let mut all = format!(
            "{later} USAGE ON SCHEMAS TO {writer}, {reader}; \
             {later} SELECT ON TABLES TO {writer}, {reader}; \
             {later} INSERT, UPDATE, DELETE ON TABLES TO {writer}; \
             {later} SELECT ON SEQUENCES TO {writer}, {reader}; \
             {later} USAGE, UPDATE ON SEQUENCES TO {writer}; "
        );
        for schema in schemas {
            let schema = name(schema);
            all += &format!(
                "GRANT USAGE ON SCHEMA {schema} TO {writer}, {reader}; \
                 GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {writer}, {reader}; \
                 GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {writer}; \
                 GRANT SELECT ON ALL SEQUENCES IN SCHEMA {schema} TO {writer}, {reader}; \
                 GRANT USAGE, UPDATE ON ALL SEQUENCES IN SCHEMA {schema} TO {writer}; "
            );
        }
        all
    }
}

/// Lets nobody into a database who has no right of its own to come in.
pub(super) fn let_in_nobody_else(database: &str) -> String {
    format!("REVOKE ALL ON DATABASE {} FROM PUBLIC; ", name(database))
}

/// The same for a database that everybody came into so far: roles that were made in SQL keep that,
/// each by a right of its own.
pub(super) fn let_in_by_name(database: &str) -> String {
    format!(
        "DO $$ DECLARE role text; BEGIN \
         IF pg_catalog.has_database_privilege('public', {}, 'CONNECT') THEN \
         FOR role IN SELECT rolname FROM pg_catalog.pg_roles \
             WHERE NOT rolsuper AND rolname !~ '^(pg|bellwether)_' \
             AND pg_catalog.shobj_description(oid, 'pg_authid') IS DISTINCT FROM {} LOOP \
         EXECUTE pg_catalog.format('GRANT CONNECT, TEMPORARY ON DATABASE %I TO %I', {}, role); \
         END LOOP; END IF; END $$; {}",
        text(database),
        text(LOGIN_MARK),
        text(database),
        let_in_nobody_else(database)
    )
}

fn make_role(role: &str) -> String {
    format!(
        "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = {}) THEN \
         CREATE ROLE {} NOLOGIN; END IF; END $$; ",
        text(role),
        name(role)
    )
}

/// Makes a login that nobody can use yet, and marks it.
pub(super) fn make_login(login: &str) -> String {
    let comment = format!("COMMENT ON ROLE {} IS {}; ", name(login), text(LOGIN_MARK));
    make_role(login) + &comment
}

/// Lets clients in under it. The password stays as it is stored where it is this one: held sessions
/// show what was made of it.
pub(super) fn let_in(login: &str, password: &str, stored: Option<&str>) -> String {
    let login = name(login);
    if stored.is_some_and(|stored| scram::fits(stored, password)) {
        return format!("ALTER ROLE {login} LOGIN; ");
    }
    format!("ALTER ROLE {login} LOGIN PASSWORD {}; ", text(&scram::stored(password)))
}

/// Lets nobody in under it any more; sessions go on.
pub(super) fn let_nobody_in(login: &str) -> String {
    format!("ALTER ROLE {} NOLOGIN PASSWORD NULL; ", name(login))
}

/// Membership: what is missing is granted, what is not wanted is taken away.
pub(super) fn memberships(login: &str, has: &[String], wanted: &[String]) -> String {
    let grant = |role: &String| format!("GRANT {} TO {}; ", name(role), name(login));
    let revoke = |role: &String| format!("REVOKE {} FROM {}; ", name(role), name(login));
    let missing = wanted.iter().filter(|role| !has.contains(role)).map(grant);
    let surplus = has.iter().filter(|role| !wanted.contains(role)).map(revoke);
    missing.chain(surplus).collect()
}

/// As whom its sessions act in a database: as the owner, so that what they make is the owner's; or
/// as themselves.
pub(super) fn act_as(login: &str, database: &str, owner: Option<&str>) -> String {
    let (login, database) = (name(login), name(database));
    match owner {
        Some(owner) => {
            let owner = text(owner);
            format!("ALTER ROLE {login} IN DATABASE {database} SET role = {owner}; ")
        }
        None => format!("ALTER ROLE {login} IN DATABASE {database} RESET role; "),
    }
}

/// Ends its sessions, in one database or everywhere.
pub(super) fn end_sessions(login: &str, database: Option<&str>) -> String {
    let there = database.map(|database| format!(" AND datname = {}", text(database)));
    end(&format!("usename = {}{}", text(login), there.unwrap_or_default()))
}

/// Ends the sessions of which that is so.
pub(super) fn end(which: &str) -> String {
    format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {which}; ")
}

/// Sessions of clients that are of these logins, or of a role that is dropped: a replica hears of
/// that while they go on.
pub(super) fn are_of(logins: &[String]) -> String {
    let names: Vec<String> = logins.iter().map(|login| text(login)).collect();
    format!(
        "backend_type = 'client backend' AND (usename IN ({}) \
             OR (usename IS NULL AND usesysid IS NOT NULL))",
        names.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_texts_cannot_leave_their_quotes() {
        assert_eq!(name("a\"b"), "\"a\"\"b\"");
        assert_eq!(text("a'b"), "'a''b'");
    }

    #[test]
    fn a_password_that_fits_is_not_stored_anew() {
        let stored = scram::stored("secret");
        assert_eq!(let_in("shop", "secret", Some(&stored)), "ALTER ROLE \"shop\" LOGIN; ");
        for other in [Some("SCRAM-SHA-256$1:x$y:z"), Some(""), None] {
            assert!(let_in("shop", "secret", other).contains("PASSWORD 'SCRAM-SHA-256$4096:"));
        }
        assert!(let_in("shop", "other", Some(&stored)).contains("PASSWORD"));
    }

    #[test]
    fn memberships_become_those_that_are_wanted() {
        let roles = |all: &[&str]| all.iter().map(|role| (*role).to_owned()).collect::<Vec<_>>();
        let said = memberships("shop", &roles(&["a", "b"]), &roles(&["b", "c"]));
        assert_eq!(said, "GRANT \"c\" TO \"shop\"; REVOKE \"a\" FROM \"shop\"; ");
        assert_eq!(memberships("shop", &roles(&["a"]), &roles(&["a"])), "");
    }

    #[test]
    fn who_owns_a_database_acts_as_its_owner() {
        let roles = Roles::of("shop", None);
        let said = act_as("anna", "shop", Some(roles.with(Rights::Owner)));
        assert_eq!(
            said,
            "ALTER ROLE \"anna\" IN DATABASE \"shop\" SET role = 'bellwether_owner_shop'; "
        );
        assert_eq!(Roles::of("app", Some("app")).with(Rights::Owner), "app");
        assert_eq!(roles.with(Rights::ReadOnly), "bellwether_read_shop");
    }

    #[test]
    fn marks_tell_what_is_ours() {
        assert!(is_of_ours(Some(&database_mark("1"))));
        assert!(!is_of_ours(Some("the shop's data")) && !is_of_ours(None));
        assert_eq!(version_of(Some(&version_mark(7))), 7);
        assert_eq!((version_of(None), version_of(Some("other"))), (0, 0));
    }
}
