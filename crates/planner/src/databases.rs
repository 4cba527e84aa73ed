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
mod tests;
