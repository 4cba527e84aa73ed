//! Databases and their users: what nodes are told, what is shown, and who still uses what.

use std::collections::BTreeMap;
use std::net::IpAddr;

use bellwether_model::database::{
    DatabaseState, DatabaseUser, DatabaseUserView, DatabaseView, Databases, Grant, Login,
    LoginSessions, Logins, Rights, Rotation,
};
use bellwether_model::engine::EngineProfile;
use bellwether_protocol::databases::{
    DatabasesReport, Kind, LoginUse, Password, Refused, WantedDatabase, WantedDatabases,
    WantedLogin, WantedUser,
};

use crate::view::{NodeFacts, View};

/// What was reported longer ago says nothing of who is connected.
const STALE_MS: u64 = 10_000;

/// What the nodes of a cluster are told. `password` opens the password of a login; none where one
/// cannot be opened: nobody is turned away for that.
pub fn wanted(
    databases: &Databases,
    first: &str,
    password: impl Fn(&str) -> Option<String>,
) -> Option<WantedDatabases> {
    if databases.version == 0 {
        return Some(WantedDatabases::default());
    }
    let logins = |user: &str, logins: Logins, is_dropped: bool| -> Option<Vec<WantedLogin>> {
        let wanted = |login: Login| {
            let name = login.name(user);
            let counts = logins.counts(login) && !is_dropped;
            let password = if counts { Some(Password(password(&name)?)) } else { None };
            let ends = is_dropped || (logins.ends_sessions && !counts);
            Some(WantedLogin { name, password, ends })
        };
        [Login::First, Login::Second].into_iter().map(wanted).collect()
    };
    let of_application = WantedUser {
        name: first.to_owned(),
        is_first: true,
        grants: Vec::new(),
        logins: logins(first, databases.first, false)?,
        dropped: false,
    };
    let user = |user: &DatabaseUser| {
        Some(WantedUser {
            name: user.name.clone(),
            is_first: false,
            grants: user.grants.clone(),
            logins: logins(&user.name, user.logins, user.dropped)?,
            dropped: user.dropped,
        })
    };
    let all = databases.databases.iter().map(|database| WantedDatabase {
        id: database.id.to_string(),
        name: database.name.clone(),
        dropped: database.dropped,
    });
    let users = std::iter::once(Some(of_application)).chain(databases.users.iter().map(user));
    Some(WantedDatabases {
        version: databases.version,
        databases: all.collect(),
        users: users.collect::<Option<Vec<WantedUser>>>()?,
    })
}

/// The word of a group's primary, while it serves.
fn of_primary(group: &View) -> Option<&DatabasesReport> {
    let primary = group.primary()?;
    primary.worker()?.serving.and_then(|_| report(primary))
}

/// What was said of databases by those whose word it is: the primary of every group, and every
/// node where each engine keeps users of its own. None: somebody has not said so yet.
struct Said<'a> {
    version: Option<u64>,
    refused: Vec<&'a Refused>,
}

/// The word of one node, as far as it is of now.
fn report(facts: &NodeFacts) -> Option<&DatabasesReport> {
    facts.is_fresh(STALE_MS).then(|| facts.worker()?.databases.as_ref()).flatten()
}

fn said(view: &View) -> Said<'_> {
    let is_heard = |group: &View| of_primary(group).is_some_and(|told| told.version.is_some());
    let is_heard = view.groups().iter().all(is_heard);
    let reports: Vec<&DatabasesReport> = view.every_node().filter_map(report).collect();
    Said {
        version: reports.iter().filter_map(|report| report.version).min().filter(|_| is_heard),
        refused: reports.iter().flat_map(|report| &report.refused).collect(),
    }
}

/// The latest version that an engine was said to have: a server whose store is an older copy does
/// not know of it, and what is asked for next has to be above it.
#[must_use]
pub fn latest_version(view: &View) -> u64 {
    let told = view.every_node().filter_map(|facts| facts.worker()?.databases.as_ref()?.version);
    told.max().unwrap_or(0).max(view.cluster.databases.version)
}

impl Said<'_> {
    fn state(
        &self,
        wanted: u64,
        (kind, name): (Kind, &str),
        dropped: bool,
    ) -> (DatabaseState, Option<String>) {
        let is_it = |refused: &&&Refused| refused.kind == kind && refused.name == name;
        let why = self.refused.iter().find(is_it).map(|refused| refused.why.clone());
        let state = match (&why, self.version) {
            // Nothing was ever asked for: it is as it was made with the cluster.
            _ if wanted == 0 => DatabaseState::InForce,
            _ if dropped => DatabaseState::Dropping,
            (Some(_), _) => DatabaseState::Refused,
            (None, Some(version)) if version >= wanted => DatabaseState::InForce,
            (None, _) => DatabaseState::Pending,
        };
        (state, why)
    }
}

/// The databases of a cluster; none where its engine has none by name.
#[must_use]
pub fn databases_shown(view: &View, engine: &EngineProfile) -> Vec<DatabaseView> {
    if engine.database.is_empty() {
        return Vec::new();
    }
    let databases = &view.cluster.databases;
    let said = said(view);
    let subject = (Kind::Database, engine.database.as_str());
    let (state, reason) = said.state(databases.version, subject, false);
    let name = engine.database.clone();
    let first = DatabaseView { name, is_first: true, created_at: None, state, reason };
    let rest = databases.databases.iter().map(|database| {
        let subject = (Kind::Database, database.name.as_str());
        let (state, reason) = said.state(databases.version, subject, database.dropped);
        let (name, created_at) = (database.name.clone(), Some(database.created_at));
        DatabaseView { name, is_first: false, created_at, state, reason }
    });
    std::iter::once(first).chain(rest).collect()
}

/// The names of databases that rights can be given on; none where there are patterns of keys.
#[must_use]
pub fn names(databases: &Databases, engine: &EngineProfile) -> Option<Vec<String>> {
    let first = Some(engine.database.clone()).filter(|name| !name.is_empty())?;
    let rest = databases.databases.iter().filter(|database| !database.dropped);
    Some(std::iter::once(first).chain(rest.map(|database| database.name.clone())).collect())
}

/// The users of a cluster, the application's first.
#[must_use]
pub fn users_shown(view: &View, engine: &EngineProfile) -> Vec<DatabaseUserView> {
    let databases = &view.cluster.databases;
    let said = said(view);
    let on = if engine.database.is_empty() { "*" } else { &engine.database };
    let grants = vec![Grant { on: on.to_owned(), rights: Rights::Owner }];
    let show = |name: &str, logins: Logins, grants: &[Grant], of: Option<&DatabaseUser>| {
        let dropped = of.is_some_and(|user| user.dropped);
        let (state, reason) = said.state(databases.version, (Kind::User, name), dropped);
        DatabaseUserView {
            name: name.to_owned(),
            login: logins.current.name(name),
            password: None,
            is_first: of.is_none(),
            grants: grants.to_vec(),
            created_at: of.map(|user| user.created_at),
            state,
            reason,
            rotation: rotation(view, name, logins),
            sessions_ended: None,
        }
    };
    let first = show(&engine.user, databases.first, &grants, None);
    let users = databases.users.iter();
    let rest = users.map(|user| show(&user.name, user.logins, &user.grants, Some(user)));
    std::iter::once(first).chain(rest).collect()
}

/// A rotation under way, with who still uses the former login.
fn rotation(view: &View, user: &str, logins: Logins) -> Option<Rotation> {
    let (former, since) = (logins.former()?.name(user), logins.rotating_since?);
    let mut sessions: BTreeMap<(String, String, String), u32> = BTreeMap::new();
    let mut unknown = Vec::new();
    for facts in view.every_node() {
        let node = &facts.node.name;
        let Some(uses) = report(facts).and_then(|report| report.logins.as_ref()) else {
            // A machine that is off has no sessions.
            if !facts.machine_stopped {
                unknown.push(node.clone());
            }
            continue;
        };
        for one in uses.iter().filter(|one| one.login == former) {
            let from = place(view, facts, one);
            let key = (node.clone(), from, one.application.clone());
            *sessions.entry(key).or_default() += one.count;
        }
    }
    let sessions = sessions.into_iter();
    let sessions = sessions.map(|((node, from, application), count)| LoginSessions {
        node,
        from,
        application,
        count,
    });
    Some(Rotation { since, former, sessions: sessions.collect(), unknown })
}

/// Where sessions come from, in words: an engine sees of many only the endpoint that leads them.
fn place(view: &View, here: &NodeFacts, one: &LoginUse) -> String {
    let address: Option<IpAddr> = one.address.parse().ok();
    if address.is_some_and(|address| address.is_loopback()) || one.address == "localhost" {
        return format!("endpoint of {}", here.node.name);
    }
    let is_it =
        |facts: &&NodeFacts| [&facts.node.address, &facts.node.address6].contains(&&one.address);
    match view.every_node().find(is_it) {
        Some(facts) if !one.address.is_empty() => format!("endpoint of {}", facts.node.name),
        _ if one.address.is_empty() => "unknown".to_owned(),
        _ => one.address.clone(),
    }
}

/// What was to be dropped and is known to be gone, databases and users.
#[must_use]
pub fn gone(view: &View) -> Option<(Vec<String>, Vec<String>)> {
    let databases = &view.cluster.databases;
    let dropped = databases.databases.iter().any(|database| database.dropped)
        || databases.users.iter().any(|user| user.dropped);
    if !dropped {
        return None;
    }
    let said = said(view);
    said.version.filter(|version| *version >= databases.version)?;
    // Sessions end with their user, those at replicas too; what a lost node has is not waited for.
    let users = databases.users.iter().filter(|user| user.dropped);
    let logins = users.flat_map(|user| [Login::First, Login::Second].map(|l| l.name(&user.name)));
    let logins: Vec<String> = logins.collect();
    let has_ended = |report: &DatabasesReport| {
        let seen = report.logins.as_ref();
        seen.is_some_and(|all| {
            all.iter().all(|one| !one.login.is_empty() && !logins.contains(&one.login))
        })
    };
    if !logins.is_empty() && !view.every_node().filter_map(report).all(has_ended) {
        return None;
    }
    let refused = |kind, name: &str| said.refused.iter().any(|r| r.kind == kind && r.name == name);
    let is_gone = |kind: Kind, name: &str, dropped: bool| dropped && !refused(kind, name);
    let all = databases.databases.iter();
    let all = all.filter(|one| is_gone(Kind::Database, &one.name, one.dropped));
    let users = databases.users.iter();
    let users = users.filter(|one| is_gone(Kind::User, &one.name, one.dropped));
    let gone: (Vec<String>, Vec<String>) =
        (all.map(|one| one.name.clone()).collect(), users.map(|one| one.name.clone()).collect());
    (!gone.0.is_empty() || !gone.1.is_empty()).then_some(gone)
}

#[cfg(test)]
mod tests {
    use bellwether_model::Timestamp;
    use bellwether_model::database::Database;

    use super::*;
    use crate::view::tests::{Sketch, sketch as healthy};

    fn user(name: &str) -> DatabaseUser {
        DatabaseUser {
            name: name.to_owned(),
            created_at: Timestamp::from_millis(0),
            grants: Vec::new(),
            logins: Logins::default(),
            dropped: false,
        }
    }

    /// Three nodes, of which a database and a user were asked for.
    fn asked() -> Sketch {
        let mut sketch = healthy(3);
        let shop = Database {
            id: "d1".into(),
            name: "shop".to_owned(),
            created_at: Timestamp::from_millis(0),
            dropped: false,
        };
        let (databases, users) = (vec![shop], vec![user("web")]);
        sketch.cluster.databases =
            Databases { version: 3, databases, users, ..Databases::default() };
        sketch
    }

    fn tell(sketch: &mut Sketch, ordinal: u32, version: Option<u64>, logins: &[(&str, &str)]) {
        let used = |(login, address): &(&str, &str)| LoginUse {
            login: (*login).to_owned(),
            address: (*address).to_owned(),
            application: String::new(),
            count: 2,
        };
        let logins = Some(logins.iter().map(used).collect());
        sketch.worker(ordinal).databases =
            Some(DatabasesReport { version, refused: Vec::new(), logins });
    }

    fn state(sketch: &Sketch) -> DatabaseState {
        let view = sketch.view();
        said(&view).state(view.cluster.databases.version, (Kind::User, "web"), false).0
    }

    #[test]
    fn what_is_asked_for_is_so_once_everybody_whose_word_it_is_has_said_so() {
        let mut sketch = asked();
        assert_eq!(state(&sketch), DatabaseState::Pending);
        tell(&mut sketch, 2, None, &[]);
        tell(&mut sketch, 1, Some(2), &[]);
        assert_eq!(state(&sketch), DatabaseState::Pending, "an earlier version");
        tell(&mut sketch, 1, Some(3), &[]);
        assert_eq!(state(&sketch), DatabaseState::InForce);
        // Where each engine keeps its own users, one of them does not have it yet.
        tell(&mut sketch, 2, Some(2), &[]);
        assert_eq!(state(&sketch), DatabaseState::Pending);
        tell(&mut sketch, 2, Some(3), &[]);
        sketch.silence(1, STALE_MS + 1);
        assert_eq!(state(&sketch), DatabaseState::Pending, "nothing is heard of the primary");
        assert_eq!(latest_version(&sketch.view()), 3);
    }

    #[test]
    fn what_is_refused_is_not_gone() {
        let mut sketch = asked();
        sketch.cluster.databases.databases[0].dropped = true;
        assert_eq!(gone(&sketch.view()), None);
        tell(&mut sketch, 1, Some(3), &[]);
        assert_eq!(gone(&sketch.view()), Some((vec!["shop".to_owned()], Vec::new())));
        let refused = Refused { kind: Kind::Database, name: "shop".to_owned(), why: "used".into() };
        if let Some(told) = &mut sketch.worker(1).databases {
            told.refused.push(refused);
        }
        assert_eq!(gone(&sketch.view()), None);
    }

    #[test]
    fn a_user_is_gone_once_its_sessions_have_ended_wherever_that_can_be_seen() {
        let mut sketch = asked();
        sketch.cluster.databases.users[0].dropped = true;
        let gone_user = Some((Vec::new(), vec!["web".to_owned()]));
        tell(&mut sketch, 1, Some(3), &[]);
        assert_eq!(gone(&sketch.view()), gone_user, "the others say nothing of databases");
        tell(&mut sketch, 2, None, &[("web_b", "198.51.100.7")]);
        assert_eq!(gone(&sketch.view()), None, "a session at a replica");
        tell(&mut sketch, 2, None, &[("", "198.51.100.7")]);
        assert_eq!(gone(&sketch.view()), None, "whose user is gone already");
        tell(&mut sketch, 2, None, &[("other", "198.51.100.7")]);
        assert_eq!(gone(&sketch.view()), gone_user);
        if let Some(told) = &mut sketch.worker(2).databases {
            told.logins = None;
        }
        assert_eq!(gone(&sketch.view()), None, "nobody has looked yet");
        sketch.silence(2, STALE_MS + 1);
        assert_eq!(gone(&sketch.view()), gone_user);
    }

    #[test]
    fn who_still_uses_a_former_login_is_told_with_the_nodes_that_do_not_say() {
        let mut sketch = asked();
        let mut logins = Logins::default();
        logins.rotate(Timestamp::from_millis(7));
        let address = sketch.node(2).address.clone();
        tell(&mut sketch, 1, Some(3), &[("web", "127.0.0.2"), ("web", &address), ("web_b", "::1")]);
        tell(&mut sketch, 2, None, &[("web", "198.51.100.7")]);
        let told = rotation(&sketch.view(), "web", logins).expect("under way");
        let places: Vec<&str> = told.sessions.iter().map(|one| one.from.as_str()).collect();
        assert_eq!(places, ["endpoint of demo-1", "endpoint of demo-2", "198.51.100.7"]);
        assert_eq!(told.unknown, ["demo-3"]);
        sketch.machine_stopped(3);
        let told = rotation(&sketch.view(), "web", logins).expect("under way");
        assert!(told.unknown.is_empty(), "a machine that is off has no sessions");
    }

    #[test]
    fn nodes_are_told_passwords_of_logins_that_count_and_nothing_before_it_was_asked_for() {
        let password = |login: &str| Some(format!("of {login}"));
        let nothing = wanted(&Databases::default(), "app", |_| None).expect("no password is asked");
        assert_eq!(nothing.version, 0);
        let users = vec![user("web")];
        let mut databases = Databases { version: 1, users, ..Databases::default() };
        let told = |databases: &Databases| -> Vec<(String, bool)> {
            let all = wanted(databases, "app", password).expect("passwords open").users;
            let logins = all.into_iter().flat_map(|user| user.logins);
            logins.map(|login| (login.name, login.password.is_some())).collect()
        };
        let named = |all: [(&str, bool); 4]| all.map(|(name, on)| (name.to_owned(), on)).to_vec();
        let expected = [("app", true), ("app_b", false), ("web", true), ("web_b", false)];
        assert_eq!(told(&databases), named(expected));
        assert_eq!(wanted(&databases, "app", |_| None), None, "a password does not open");
        databases.first.rotate(Timestamp::from_millis(1));
        databases.users[0].dropped = true;
        let expected = [("app", true), ("app_b", true), ("web", false), ("web_b", false)];
        assert_eq!(told(&databases), named(expected));
        let ending = |databases: &Databases| {
            wanted(databases, "app", password).expect("passwords open").ending()
        };
        assert_eq!(ending(&databases), ["web", "web_b"], "its sessions end");
        databases.first.end_rotation(false);
        databases.users[0].dropped = false;
        assert_eq!(ending(&databases), Vec::<String>::new());
        databases.first.end_rotation(true);
        assert_eq!(ending(&databases), ["app"]);
    }
}
