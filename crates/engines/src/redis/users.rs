//! Who may do what. Users are no data: every engine has its own, from a file that the agent writes
//! and the engine reads when it starts; while it runs it is told what differs. `ACL LOAD` would do
//! that too, but KeyDB ends every session with it.

use std::path::PathBuf;

use bellwether_contracts::Failure;
use bellwether_contracts::driver::Kept;
use bellwether_model::database::{Grant, Rights};
use bellwether_protocol::Assignment;
use bellwether_protocol::databases::LoginUse;

use super::resp::Value;
use super::{AGENT_USER, Kind, MOVE_USER, PROBE_KEY, PROBE_USER, REPLICATION_USER, Redis, conf};

/// A user and its rules.
#[derive(Clone, Debug, PartialEq, Eq)]
struct User {
    name: String,
    rules: String,
}

impl User {
    fn new(name: &str, rules: String) -> Self {
        Self { name: name.to_owned(), rules }
    }
}

/// The text of the file.
fn file(users: &[User]) -> String {
    users.iter().map(|user| format!("user {} {}\n", user.name, user.rules)).collect()
}

/// Everybody. Clients may do what they like with their data, and nothing with the engine. Passwords
/// are in here as hashes.
fn users(kind: Kind, assignment: &Assignment) -> Vec<User> {
    let secrets = &assignment.secrets;
    let everything = everything(kind);
    let on = |password: &str| format!("on {}", hash(password));
    let (agent, replication) = (on(&secrets.rewind_password), on(&secrets.replication_password));
    let mut all = vec![
        User::new("default", "off".to_owned()),
        User::new(AGENT_USER, format!("{agent} {everything} +@all")),
        User::new(REPLICATION_USER, format!("{replication} +psync +replconf +ping")),
        User::new(PROBE_USER, format!("{} ~{PROBE_KEY} +setrange", on(&secrets.probe_password))),
    ];
    let wanted = &assignment.databases;
    if wanted.version == 0 {
        let rules = format!("{} {}", on(&secrets.user_password), owner(kind));
        all.push(User::new(&secrets.user, rules));
    }
    for user in wanted.users.iter().filter(|user| !user.dropped) {
        let may = if user.is_first { owner(kind) } else { rules(kind, &user.grants) };
        for login in &user.logins {
            // One that is off keeps its rights: sessions that are open go on.
            let on = login.password.as_ref().map_or_else(|| "off".to_owned(), |p| on(&p.0));
            all.push(User::new(&login.name, format!("{on} {may}")));
        }
    }
    all
}

/// Every key, and every channel: KeyDB is of before channels had permissions of their own.
fn everything(kind: Kind) -> &'static str {
    match kind {
        Kind::KeyDb => "~*",
        Kind::Valkey | Kind::Redis => "~* &*",
    }
}

fn owner(kind: Kind) -> String {
    // KeyDB is of before functions, too.
    let ours = match kind {
        Kind::KeyDb => "",
        Kind::Valkey | Kind::Redis => " -function|flush -function|restore",
    };
    format!("{} +@all -@admin -migrate{ours}", everything(kind))
}

/// What a user may do with the keys that it has rights on, which are the same for all of them.
fn rules(kind: Kind, grants: &[Grant]) -> String {
    let Some(first) = grants.first() else { return "-@all +@connection -@dangerous".to_owned() };
    if first.rights == Rights::Owner {
        return owner(kind);
    }
    let is_modern = kind != Kind::KeyDb;
    let is_read_only = first.rights == Rights::ReadOnly;
    let sign = if is_read_only && is_modern { "%R~" } else { "~" };
    let keys: Vec<String> = grants.iter().map(|grant| format!("{sign}{}", grant.on)).collect();
    let mut text = keys.join(" ");
    if is_read_only {
        text += " -@all +@read +@connection +@transaction -@dangerous";
    } else {
        text += if is_modern { " &*" } else { "" };
        text += " +@all -@admin -@dangerous -migrate";
        text += if is_modern { " -function" } else { "" };
    }
    // Client libraries ask for these when they connect.
    text += " +info +role +cluster|slots +cluster|nodes";
    text += if is_modern { " +cluster|shards" } else { "" };
    if grants.iter().all(|grant| grant.on != "*") {
        // They tell of keys of others.
        text += " -scan -randomkey -dbsize";
    }
    text
}

/// `#` and the SHA-256 in hexadecimal digits.
fn hash(password: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, password.as_bytes());
    let digits: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("#{digits}")
}

/// The version of what was asked for that the file of users is of.
fn version_file() -> PathBuf {
    conf().join("users.version")
}

fn version_here() -> u64 {
    let text = std::fs::read_to_string(version_file()).unwrap_or_default();
    text.trim().parse().unwrap_or(0)
}

impl Redis {
    /// Writes the file of users; whether it changed. A server whose store is an older copy does not
    /// know of some of them: they stay.
    pub(super) fn write_users(&self, assignment: &Assignment) -> Result<bool, Failure> {
        let version = assignment.databases.version;
        if version_here() > version {
            return Ok(false);
        }
        let all = file(&users(self.kind, assignment));
        let user = self.kind.user();
        let is_changed = user.write(&conf().join("users.acl"), all.as_bytes())?;
        user.write(&version_file(), version.to_string().as_bytes())?;
        Ok(is_changed)
    }

    /// Tells the running engine who its users are; sessions of those who stay go on.
    pub(super) async fn tell_users(&self, assignment: &Assignment) -> Result<(), Failure> {
        let wanted = users(self.kind, assignment);
        for user in &wanted {
            let mut words = vec!["ACL", "SETUSER", &user.name, "reset"];
            words.extend(user.rules.split(' '));
            self.link.run(&words).await?;
        }
        let Value::List(known) = self.link.run(&["ACL", "USERS"]).await? else {
            return Err(Failure::transient("the engine does not say who its users are"));
        };
        for name in known {
            let Value::Text(name) = name else { continue };
            // Who brings slots here comes and goes with them.
            if name != MOVE_USER && wanted.iter().all(|user| user.name != name) {
                self.link.run(&["ACL", "DELUSER", &name]).await?;
            }
        }
        Ok(())
    }

    /// Gives this engine the users that were asked for, in its file first.
    pub(super) async fn give_users(&self, assignment: &Assignment) -> Result<Kept, Failure> {
        let (wanted, here) = (&assignment.databases, version_here());
        if here > wanted.version {
            let why = "the server's store is an older copy: this node has later users than it \
                       knows of; ask for the change once more";
            return Ok(Kept { version: here, refused: wanted.all_refused(why) });
        }
        self.write_config(assignment)?;
        self.tell_users(assignment).await?;
        Ok(Kept { version: assignment.databases.version, refused: Vec::new() })
    }

    /// Who uses these logins now.
    pub(super) async fn sessions_of(&self, logins: &[String]) -> Result<Vec<LoginUse>, Failure> {
        let Value::Text(list) = self.link.run(&["CLIENT", "LIST"]).await? else {
            return Err(Failure::transient("the engine does not say who is connected"));
        };
        Ok(uses(&list, logins))
    }

    /// Ends the sessions of these logins. Those of users that are dropped have ended with them.
    pub(super) async fn end_sessions_of(&self, logins: &[String]) -> Result<(), Failure> {
        for login in logins {
            match self.link.run(&["CLIENT", "KILL", "USER", login]).await {
                // It is a user no more.
                Err(failure) if failure.text.contains("No such user") => {}
                done => done.map(|_| ())?,
            }
        }
        Ok(())
    }
}

/// Reads `CLIENT LIST`.
fn uses(list: &str, logins: &[String]) -> Vec<LoginUse> {
    let mut all: Vec<LoginUse> = Vec::new();
    for line in list.lines() {
        let field = |name: &str| {
            let mut fields = line.split(' ').filter_map(|field| field.split_once('='));
            fields.find(|(known, _)| *known == name).map_or("", |(_, value)| value)
        };
        let (login, name) = (field("user"), field("name"));
        if !logins.iter().any(|known| known == login) {
            continue;
        }
        let address = field("addr").rsplit_once(':').map_or("", |(address, _)| address);
        let address = address.trim_matches(['[', ']']);
        let is_same = |one: &&mut LoginUse| {
            (one.login.as_str(), one.address.as_str(), one.application.as_str())
                == (login, address, name)
        };
        match all.iter_mut().find(is_same) {
            Some(one) => one.count += 1,
            None => all.push(LoginUse {
                login: login.to_owned(),
                address: address.to_owned(),
                application: name.to_owned(),
                count: 1,
            }),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn may(kind: Kind, rights: Rights, on: &[&str]) -> String {
        let grant = |on: &&str| Grant { on: (*on).to_owned(), rights };
        rules(kind, &on.iter().map(grant).collect::<Vec<_>>())
    }

    #[test]
    fn passwords_of_users_are_written_as_hashes() {
        let known = "#2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
        assert_eq!(hash("secret"), known);
    }

    #[test]
    fn rights_are_on_keys_and_nobody_sees_those_of_others() {
        let read = may(Kind::Valkey, Rights::ReadOnly, &["a:*", "b:*"]);
        assert!(read.starts_with("%R~a:* %R~b:* -@all +@read "), "{read}");
        assert!(read.ends_with(" -scan -randomkey -dbsize"), "{read}");
        assert!(!may(Kind::Valkey, Rights::ReadOnly, &["*"]).contains("-scan"));
        let write = may(Kind::KeyDb, Rights::ReadWrite, &["a:*"]);
        assert!(write.starts_with("~a:* +@all -@admin -@dangerous -migrate +info"), "{write}");
        assert_eq!(may(Kind::Redis, Rights::Owner, &["*"]), owner(Kind::Redis));
        assert_eq!(rules(Kind::Valkey, &[]), "-@all +@connection -@dangerous");
    }

    #[test]
    fn sessions_are_counted_by_login_and_place() {
        let list = "id=3 addr=10.0.0.9:5000 laddr=10.0.0.1:1 name=web db=0 user=shop\n\
                    id=4 addr=10.0.0.9:5001 laddr=10.0.0.1:1 name=web db=0 user=shop\n\
                    id=5 addr=[fd00::9]:5001 laddr=10.0.0.1:1 name= db=0 user=shop_b\n\
                    id=6 addr=10.0.0.9:5002 laddr=10.0.0.1:1 name= db=0 user=other\n";
        let found = uses(list, &["shop".to_owned(), "shop_b".to_owned()]);
        let short = |one: &LoginUse| {
            (one.login.clone(), one.address.clone(), one.application.clone(), one.count)
        };
        let text = str::to_owned;
        assert_eq!(
            found.iter().map(short).collect::<Vec<_>>(),
            [
                (text("shop"), text("10.0.0.9"), text("web"), 2),
                (text("shop_b"), text("fd00::9"), text(""), 1),
            ]
        );
    }
}
