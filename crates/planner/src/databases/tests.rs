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
    sketch.cluster.databases = Databases { version: 3, databases, users, ..Databases::default() };
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
