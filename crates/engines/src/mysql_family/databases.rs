//! Databases and their users, as they were asked for. All of it is data, which replicas have from
//! their primary. What is ours is written down in a table of ours: neither engine keeps remarks
//! with databases and users alike.

use std::collections::BTreeMap;
use std::time::Duration;

use bellwether_contracts::Failure;
use bellwether_contracts::driver::Kept;
use bellwether_model::database::{Grant, Rights};
use bellwether_protocol::Assignment;
use bellwether_protocol::databases::{
    Kind, LoginUse, WantedDatabase, WantedDatabases, WantedLogin, WantedUser,
};
use mysql_async::Row;
use tracing::{info, warn};

use super::session::{Session, number, text};
use super::words::Words;
use super::{clients, quote};

/// A statement waits for a replica's confirmation like any other.
const STATEMENT_MAX: Duration = Duration::from_secs(60);

const TABLE: &str = "CREATE TABLE IF NOT EXISTS bellwether.kept (kind VARCHAR(16) NOT NULL, \
                     name VARCHAR(64) NOT NULL, mark VARCHAR(64) NOT NULL, \
                     PRIMARY KEY (kind, name)) ENGINE = InnoDB";

/// Kinds of rows: the version of what was asked for that the data has, databases with their ids,
/// logins with a digest of their passwords.
const VERSION: &str = "version";
const DATABASE: &str = "database";
const LOGIN: &str = "login";

/// What changes data.
const WRITING: [&str; 6] =
    ["INSERT", "UPDATE", "DELETE", "EXECUTE", "LOCK TABLES", "CREATE TEMPORARY TABLES"];

/// What makes and changes tables and the like.
const OWNING: [&str; 10] = [
    "CREATE",
    "DROP",
    "REFERENCES",
    "INDEX",
    "ALTER",
    "CREATE VIEW",
    "CREATE ROUTINE",
    "ALTER ROUTINE",
    "EVENT",
    "TRIGGER",
];

/// A connection of its own: nobody else waits for what takes long.
struct Hands {
    session: Session,
    words: &'static Words,
    /// Rows of our table, by kind and name.
    kept: BTreeMap<(String, String), String>,
}

/// Gives the engine what was asked for; what cannot be is told, and keeps nothing else waiting.
pub(super) async fn give(words: &'static Words, assignment: &Assignment) -> Result<Kept, Failure> {
    let wanted = &assignment.databases;
    let mut hands = Hands { session: Session::local(), words, kept: BTreeMap::new() };
    hands.look().await?;
    let seen = hands.mark(VERSION, "").and_then(|mark| mark.parse().ok()).unwrap_or(0);
    if seen > wanted.version {
        return Ok(Kept::later(seen, wanted));
    }
    let mut kept = Kept { version: wanted.version, ..Kept::default() };
    hands.turn_others_off(wanted).await?;
    for user in wanted.users.iter().filter(|user| user.dropped) {
        kept.note(Kind::User, &user.name, hands.drop_user(user).await);
    }
    for database in wanted.databases.iter().filter(|database| database.dropped) {
        kept.note(Kind::Database, &database.name, hands.drop_database(database).await);
    }
    for database in wanted.databases.iter().filter(|database| !database.dropped) {
        kept.note(Kind::Database, &database.name, hands.make_database(database).await);
    }
    let first = &assignment.secrets.database;
    for user in wanted.users.iter().filter(|user| !user.dropped) {
        kept.note(Kind::User, &user.name, hands.give_user(user, first).await);
    }
    hands.set_mark(VERSION, "", &wanted.version.to_string()).await?;
    Ok(kept)
}

/// Who uses these logins now.
pub(super) async fn uses(session: &Session, logins: &[String]) -> Result<Vec<LoginUse>, Failure> {
    if logins.is_empty() {
        return Ok(Vec::new());
    }
    let question = format!(
        "SELECT p.USER AS login, p.HOST AS host, COUNT(*) AS count \
         FROM information_schema.PROCESSLIST p WHERE {} GROUP BY p.USER, p.HOST",
        are_of(logins)
    );
    let mut all: BTreeMap<(String, String), u32> = BTreeMap::new();
    for row in session.query(&question).await? {
        let login = text(&row, "login").unwrap_or_default();
        let host = text(&row, "host").unwrap_or_default();
        let count = number(&row, "count").and_then(|count| u32::try_from(count).ok());
        *all.entry((login, address(&host).to_owned())).or_default() += count.unwrap_or(0);
    }
    let read =
        |((login, address), count)| LoginUse { login, address, application: String::new(), count };
    Ok(all.into_iter().map(read).collect())
}

/// Sessions that are of these logins.
pub(super) fn are_of(logins: &[String]) -> String {
    let names: Vec<String> = logins.iter().map(|login| quote(login)).collect();
    format!("p.USER IN ({})", names.join(", "))
}

/// Without the port, where there is one.
fn address(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((address, port)) if port.parse::<u16>().is_ok() => address.trim_matches(['[', ']']),
        _ => host,
    }
}

impl Hands {
    async fn run(&self, statements: &[String]) -> Result<(), Failure> {
        let statements: Vec<&str> = statements.iter().map(String::as_str).collect();
        self.session.execute_within(&statements, STATEMENT_MAX).await
    }

    async fn is_there(&self, question: &str) -> Result<bool, Failure> {
        Ok(!self.session.query_within(question, STATEMENT_MAX).await?.is_empty())
    }

    /// Reads what is ours.
    async fn look(&mut self) -> Result<(), Failure> {
        let there = "SELECT 1 FROM information_schema.TABLES \
                     WHERE TABLE_SCHEMA = 'bellwether' AND TABLE_NAME = 'kept'";
        if !self.is_there(there).await? {
            self.run(&[TABLE.to_owned()]).await?;
        }
        let rows = self.session.query("SELECT kind, name, mark FROM bellwether.kept").await?;
        let read = |row: &Row| {
            let word = |column: &str| text(row, column).unwrap_or_default();
            ((word("kind"), word("name")), word("mark"))
        };
        self.kept = rows.iter().map(read).collect();
        Ok(())
    }

    fn mark(&self, kind: &str, name: &str) -> Option<&str> {
        self.kept.get(&(kind.to_owned(), name.to_owned())).map(String::as_str)
    }

    async fn set_mark(&mut self, kind: &str, name: &str, mark: &str) -> Result<(), Failure> {
        if self.mark(kind, name) == Some(mark) {
            return Ok(());
        }
        let values = [kind, name, mark].map(quote).join(", ");
        self.run(&[format!("REPLACE INTO bellwether.kept (kind, name, mark) VALUES ({values})")])
            .await?;
        self.kept.insert((kind.to_owned(), name.to_owned()), mark.to_owned());
        Ok(())
    }

    async fn forget(&mut self, kind: &str, name: &str) -> Result<(), Failure> {
        let (k, n) = (quote(kind), quote(name));
        self.run(&[format!("DELETE FROM bellwether.kept WHERE kind = {k} AND name = {n}")]).await?;
        self.kept.remove(&(kind.to_owned(), name.to_owned()));
        Ok(())
    }

    async fn has_user(&self, login: &str) -> Result<bool, Failure> {
        let name = quote(login);
        let question = format!("SELECT 1 FROM mysql.user WHERE User = {name} AND Host = '%'");
        self.is_there(&question).await
    }

    /// Logins of ours that nobody asks for: their end may have been lost with a primary.
    async fn turn_others_off(&self, wanted: &WantedDatabases) -> Result<(), Failure> {
        let ours = self.kept.keys().filter(|(kind, _)| kind == LOGIN).map(|(_, name)| name);
        for login in ours.filter(|login| wanted.logins().all(|other| other != *login)) {
            if self.has_user(login).await? {
                warn!("the login {login} is turned off: nobody asks for it");
                self.run(&[format!("ALTER USER {} ACCOUNT LOCK", account(login))]).await?;
            }
        }
        Ok(())
    }

    async fn make_database(&mut self, database: &WantedDatabase) -> Result<(), Failure> {
        let name = &database.name;
        let question = format!(
            "SELECT 1 FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = {}",
            quote(name)
        );
        if self.mark(DATABASE, name).is_none() && self.is_there(&question).await? {
            return Err(Failure::needs_person(
                "there is a database of that name, which was made in SQL; drop it or take another \
                 name",
            ));
        }
        // Written down first: one that is made is known to be ours.
        self.set_mark(DATABASE, name, &database.id).await?;
        self.run(&[format!("CREATE DATABASE IF NOT EXISTS `{name}`")]).await
    }

    /// Drops the very database that was to be dropped, not another of its name.
    async fn drop_database(&mut self, database: &WantedDatabase) -> Result<(), Failure> {
        let name = &database.name;
        if self.mark(DATABASE, name) != Some(&database.id) {
            info!("the database {name} is another than the one to drop, or is gone");
            return Ok(());
        }
        info!("dropping the database {name}");
        self.run(&[format!("DROP DATABASE IF EXISTS `{name}`")]).await?;
        self.forget(DATABASE, name).await
    }

    /// `first`: the database that is made with the cluster.
    async fn give_user(&mut self, user: &WantedUser, first: &str) -> Result<(), Failure> {
        for login in &user.logins {
            let is_made_with_cluster = user.is_first && login.name == user.name;
            let is_ours = self.mark(LOGIN, &login.name).is_some();
            let is_there = self.has_user(&login.name).await?;
            if is_there && !is_ours && !is_made_with_cluster {
                let login = &login.name;
                return Err(Failure::needs_person(format!(
                    "there is a user {login}, who was made in SQL; rename or drop it"
                )));
            }
            if !is_there && login.password.is_none() {
                continue;
            }
            self.give_password(login, is_there).await?;
            // Also where nobody is let in any more: sessions that go on have the same rights.
            if !is_made_with_cluster {
                self.give_rights(user, &login.name, first).await?;
            }
            let lock = if login.password.is_some() { "UNLOCK" } else { "LOCK" };
            self.run(&[format!("ALTER USER {} ACCOUNT {lock}", account(&login.name))]).await?;
        }
        Ok(())
    }

    /// Its digest tells whether the engine has it already.
    async fn give_password(&mut self, login: &WantedLogin, is_there: bool) -> Result<(), Failure> {
        let Some(password) = &login.password else { return Ok(()) };
        let digest = ring::digest::digest(&ring::digest::SHA256, password.0.as_bytes());
        let digits: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        if is_there && self.mark(LOGIN, &login.name) == Some(&digits) {
            return Ok(());
        }
        if self.mark(LOGIN, &login.name).is_none() {
            // Written down first: one that is made is known to be ours.
            self.set_mark(LOGIN, &login.name, "").await?;
        }
        let (account, quoted) = (account(&login.name), quote(&password.0));
        let statement = match is_there {
            true => format!("ALTER USER {account} IDENTIFIED BY {quoted} REQUIRE SSL"),
            false => {
                format!("CREATE USER {account} IDENTIFIED BY {quoted} REQUIRE SSL ACCOUNT LOCK")
            }
        };
        // What the engine says may repeat the statement.
        let done = self.run(&[statement]).await;
        done.map_err(|_| Failure::transient("the engine does not take its password"))?;
        self.set_mark(LOGIN, &login.name, &digits).await
    }

    async fn give_rights(
        &self,
        user: &WantedUser,
        login: &str,
        first: &str,
    ) -> Result<(), Failure> {
        let owner = |pattern: String| (pattern, Rights::Owner);
        let wanted: Vec<(String, Rights)> = if user.is_first {
            // As its first login, which was made with the cluster.
            let name = pattern(first);
            vec![owner(name.clone()), owner(format!("{name}\\_%"))]
        } else {
            user.grants.iter().map(|Grant { on, rights }| (pattern(on), *rights)).collect()
        };
        let question =
            format!("SELECT Db AS name FROM mysql.db WHERE User = {} AND Host = '%'", quote(login));
        let rows = self.session.query(&question).await?;
        let has: Vec<String> = rows.iter().filter_map(|row| text(row, "name")).collect();
        let ways = (self.words.revoke, self.words.further_rights);
        self.run(&rights(ways, &account(login), &has, &wanted)).await
    }

    /// Drops the logins of a user and ends its sessions.
    async fn drop_user(&mut self, user: &WantedUser) -> Result<(), Failure> {
        for login in &user.logins {
            if self.mark(LOGIN, &login.name).is_none() {
                continue;
            }
            info!("dropping the login {}", login.name);
            self.run(&[format!("DROP USER IF EXISTS {}", account(&login.name))]).await?;
            clients::end_of(&self.session, &are_of(std::slice::from_ref(&login.name))).await?;
            self.forget(LOGIN, &login.name).await?;
        }
        Ok(())
    }
}

/// What makes the logins of restored data nobody's: their passwords are those of the cluster that
/// was backed up. `lock` locks those whose names are in our table.
pub(crate) fn turn_all_off(lock: &str) -> Vec<String> {
    vec![
        TABLE.to_owned(),
        lock.to_owned(),
        format!("DELETE FROM bellwether.kept WHERE kind = '{VERSION}'"),
        "FLUSH PRIVILEGES".to_owned(),
    ]
}

fn account(login: &str) -> String {
    format!("{}@'%'", quote(login))
}

/// A database's name where the engines take a pattern.
fn pattern(database: &str) -> String {
    database.replace('`', "``").replace('_', "\\_")
}

/// What gives an account exactly these rights: those that stay are never taken away.
fn rights(
    (revoke, further): (&str, &[&str]),
    account: &str,
    has: &[String],
    wanted: &[(String, Rights)],
) -> Vec<String> {
    let mut all = Vec::new();
    for (pattern, rights) in wanted {
        let (given, taken): (Vec<&str>, Vec<&str>) = match rights {
            Rights::Owner => (vec!["ALL PRIVILEGES"], Vec::new()),
            Rights::ReadWrite => {
                let given = ["SELECT", "SHOW VIEW"].into_iter().chain(WRITING).collect();
                (given, OWNING.iter().chain(further).copied().collect())
            }
            Rights::ReadOnly => {
                let taken = WRITING.iter().chain(&OWNING).chain(further).copied().collect();
                (vec!["SELECT", "SHOW VIEW"], taken)
            }
        };
        all.push(format!("GRANT {} ON `{pattern}`.* TO {account}", given.join(", ")));
        if !taken.is_empty() && has.contains(pattern) {
            all.push(format!("{revoke} {} ON `{pattern}`.* FROM {account}", taken.join(", ")));
        }
    }
    let surplus = has.iter().filter(|name| wanted.iter().all(|(pattern, _)| pattern != *name));
    all.extend(surplus.map(|name| format!("{revoke} ALL PRIVILEGES ON `{name}`.* FROM {account}")));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_become_those_that_are_wanted_and_none_is_missing_meanwhile() {
        let has = ["shop".to_owned(), "old\\_one".to_owned()];
        let wanted = [("shop".to_owned(), Rights::ReadOnly), ("app".to_owned(), Rights::Owner)];
        let all = rights(("REVOKE", &["DELETE HISTORY"]), "'a'@'%'", &has, &wanted);
        assert_eq!(all[0], "GRANT SELECT, SHOW VIEW ON `shop`.* TO 'a'@'%'");
        assert!(all[1].starts_with("REVOKE INSERT, UPDATE, DELETE, "), "{}", all[1]);
        assert!(all[1].ends_with("TRIGGER, DELETE HISTORY ON `shop`.* FROM 'a'@'%'"), "{}", all[1]);
        assert_eq!(all[2], "GRANT ALL PRIVILEGES ON `app`.* TO 'a'@'%'");
        assert_eq!(all[3..], ["REVOKE ALL PRIVILEGES ON `old\\_one`.* FROM 'a'@'%'"]);
    }

    #[test]
    fn a_port_is_no_part_of_an_address() {
        assert_eq!(address("10.0.0.9:5000"), "10.0.0.9");
        assert_eq!(address("localhost"), "localhost");
        assert_eq!(address("fd00:1::2:40000"), "fd00:1::2");
    }

    #[test]
    fn an_underscore_in_a_name_is_no_pattern() {
        assert_eq!(pattern("orders_2"), "orders\\_2");
    }
}
