//! What every back end of the store has to keep.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use bellwether_model::{Timestamp, UserId};
use bellwether_store::users::{self, User};
use bellwether_store::{AuditEntry, Error, Object, Options, Store, Txn};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Thing {
    name: String,
    count: u64,
}

impl Object for Thing {
    const KIND: &'static str = "thing";

    fn key(&self) -> String {
        self.name.clone()
    }
}

fn thing(name: &str, count: u64) -> Thing {
    Thing { name: name.to_owned(), count }
}

fn open(directory: &Path) -> Store {
    Store::open(Options { directory: directory.to_owned() }).unwrap()
}

fn open_error(directory: &Path) -> Error {
    Store::open(Options { directory: directory.to_owned() }).err().unwrap()
}

fn is_conflict(result: Result<u64, Error>, named: &str) -> bool {
    matches!(result, Err(Error::Conflict { kind, key }) if kind == Thing::KIND && key == named)
}

#[tokio::test]
async fn what_was_committed_is_found_at_once_and_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    assert_eq!(store.revision(), 0);
    let first = store.commit(Txn::new().insert(&thing("b", 1))).await.unwrap();
    let second =
        store.commit(Txn::new().insert(&thing("a", 2)).insert(&thing("c", 3))).await.unwrap();
    assert!(second > first);
    let third =
        store.commit(Txn::new().delete::<Thing>("c", Some(second)).put(&thing("b", 4))).await;
    let third = third.unwrap();
    let expected = vec![(second, thing("a", 2)), (third, thing("b", 4))];
    let all = |store: &Store| -> Vec<_> {
        store.list::<Thing>().into_iter().map(|s| (s.revision, s.object)).collect()
    };
    assert_eq!(all(&store), expected);
    drop(store);
    let store = open(directory.path());
    assert_eq!(all(&store), expected);
    assert_eq!(store.revision(), third);
    assert!(store.find::<Thing>("c").is_none());
    let next = store.commit(Txn::new().put(&thing("b", 5))).await.unwrap();
    assert!(next > third, "revisions go on where they were");
}

#[tokio::test]
async fn what_is_missing_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let error = open(directory.path()).get::<Thing>("x").unwrap_err();
    assert_eq!(error.to_string(), "there is no thing `x`");
}

#[tokio::test]
async fn expectations_that_fail_are_conflicts() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    store.commit(Txn::new().insert(&thing("a", 1))).await.unwrap();
    let old = store.get::<Thing>("a").unwrap();
    assert!(is_conflict(store.commit(Txn::new().insert(&thing("a", 2))).await, "a"));
    let mut newer = old.clone();
    newer.object.count = 2;
    newer.revision = store.commit(Txn::new().update(&newer)).await.unwrap();
    assert_eq!(store.get::<Thing>("a").unwrap(), newer);
    assert!(is_conflict(store.commit(Txn::new().update(&old)).await, "a"));
    let delete = Txn::new().delete::<Thing>("a", Some(old.revision));
    assert!(is_conflict(store.commit(delete).await, "a"));
    store.commit(Txn::new().delete::<Thing>("a", None)).await.unwrap();
    assert!(is_conflict(store.commit(Txn::new().update(&newer)).await, "a"));
    // Made again under the same key it is another object.
    store.commit(Txn::new().insert(&thing("a", 3))).await.unwrap();
    assert!(is_conflict(store.commit(Txn::new().update(&newer)).await, "a"));
}

#[tokio::test]
async fn a_transaction_is_made_whole_or_not_at_all() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    store.commit(Txn::new().insert(&thing("a", 1)).insert(&thing("z", 1))).await.unwrap();
    let before = store.revision();
    let mut changes = store.watch();
    let txn = Txn::new().insert(&thing("b", 1)).delete::<Thing>("z", None).insert(&thing("a", 2));
    assert!(is_conflict(store.commit(txn).await, "a"));
    let check = |store: &Store| {
        assert_eq!(store.revision(), before);
        assert!(store.find::<Thing>("b").is_none());
        assert_eq!(store.get::<Thing>("z").unwrap().object, thing("z", 1));
    };
    check(&store);
    assert!(changes.try_recv().is_err(), "nobody hears of what was not made");
    drop(store);
    check(&open(directory.path()));
}

#[tokio::test]
async fn writes_of_one_transaction_see_those_before_them() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let twice = Txn::new().insert(&thing("a", 1)).insert(&thing("a", 2));
    assert!(is_conflict(store.commit(twice).await, "a"));
    store.commit(Txn::new().insert(&thing("a", 1))).await.unwrap();
    let stored = store.get::<Thing>("a").unwrap();
    let lost = Txn::new().update(&stored).update(&stored);
    assert!(is_conflict(store.commit(lost).await, "a"));
    let again = Txn::new().delete::<Thing>("a", Some(stored.revision)).insert(&thing("a", 7));
    store.commit(again).await.unwrap();
    assert_eq!(store.get::<Thing>("a").unwrap().object, thing("a", 7));
}

#[tokio::test]
async fn an_empty_transaction_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let revision = store.commit(Txn::new().put(&thing("a", 1))).await.unwrap();
    let mut changes = store.watch();
    assert_eq!(store.commit(Txn::new()).await.unwrap(), revision);
    assert!(changes.try_recv().is_err());
}

/// A counter raised by many at once by compare and set: no raise is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn changes_by_many_at_once_are_all_kept() {
    const WRITERS: u64 = 16;
    const RAISES: u64 = 20;
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    store.commit(Txn::new().insert(&thing("counter", 0))).await.unwrap();
    let writers: Vec<_> = (0..WRITERS)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut raises = 0;
                while raises < RAISES {
                    let mut counter = store.get::<Thing>("counter").unwrap();
                    counter.object.count += 1;
                    match store.commit(Txn::new().update(&counter)).await {
                        Ok(_) => raises += 1,
                        // What it was about is seen by now.
                        Err(Error::Conflict { .. }) => {
                            let now = store.get::<Thing>("counter").unwrap();
                            assert!(now.revision > counter.revision);
                        }
                        Err(other) => panic!("{other}"),
                    }
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(store.get::<Thing>("counter").unwrap().object.count, WRITERS * RAISES);
    assert_eq!(store.revision(), 1 + WRITERS * RAISES);
}

/// Whoever starts from what is stored and follows the feed has what is stored, at every moment.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_feed_is_in_order_and_without_gaps() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let mut changes = store.watch();
    let writers: Vec<_> = (0..8)
        .map(|writer| {
            let store = store.clone();
            tokio::spawn(async move {
                for round in 0..50 {
                    let name = format!("{}", (writer * 7 + round) % 11);
                    let txn = if round % 5 == 4 {
                        Txn::new().delete::<Thing>(&name, None)
                    } else {
                        Txn::new().put(&thing(&name, round)).put(&thing("all", round))
                    };
                    store.commit(txn).await.unwrap();
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    let mut followed = BTreeMap::new();
    let mut last = 0;
    while let Ok(change) = changes.try_recv() {
        assert_eq!(change.kind, Thing::KIND);
        assert!(change.revision == last || change.revision == last + 1, "{change:?} after {last}");
        last = change.revision;
        if change.deleted {
            followed.remove(&change.key);
        } else {
            followed.insert(change.key, change.revision);
        }
    }
    assert_eq!(last, store.revision());
    let stored: BTreeMap<_, _> =
        store.list::<Thing>().into_iter().map(|s| (s.object.name, s.revision)).collect();
    assert_eq!(followed, stored);
}

#[tokio::test]
async fn a_change_is_visible_when_it_is_heard_of() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let mut changes = store.watch();
    let watcher = store.clone();
    let heard = tokio::spawn(async move {
        let change = changes.recv().await.unwrap();
        watcher.get::<Thing>(&change.key).unwrap().revision == change.revision
    });
    store.commit(Txn::new().insert(&thing("a", 1))).await.unwrap();
    assert!(heard.await.unwrap());
}

#[tokio::test]
async fn one_directory_has_one_server() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let error = open_error(directory.path());
    assert!(matches!(error, Error::InUse(_)));
    assert!(error.to_string().contains("another server uses"), "{error}");
    // The last handle gives the directory back, and what was asked for before is written.
    let asked = store.clone();
    let commit = tokio::spawn(async move { asked.commit(Txn::new().put(&thing("a", 1))).await });
    commit.await.unwrap().unwrap();
    drop(store);
    assert!(open(directory.path()).find::<Thing>("a").is_some());
}

#[tokio::test]
async fn the_files_are_for_their_owner_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("data");
    let store = open(&path);
    store.commit(Txn::new().put(&thing("a", 1))).await.unwrap();
    let mode = |name: &str| path.join(name).metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("."), 0o700);
    for name in ["master.key", "bellwether.db", "bellwether.db-wal", "bellwether.db-shm"] {
        assert_eq!(mode(name), 0o600, "{name}");
    }
    assert!(!path.join("master.key.new").exists());
}

#[tokio::test]
async fn a_secret_opens_after_a_restart_and_only_with_its_key() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let sealed = store.seal("purpose", b"hush");
    drop(store);
    let store = open(directory.path());
    assert_eq!(store.unseal("purpose", &sealed).unwrap(), b"hush");
    drop(store);
    let key = directory.path().join("master.key");
    std::fs::write(&key, [7; 31]).unwrap();
    assert!(matches!(open_error(directory.path()), Error::KeyDamaged(_)));
    std::fs::write(&key, [7; 32]).unwrap();
    let store = open(directory.path());
    assert!(matches!(store.unseal("purpose", &sealed), Err(Error::Sealed)));
    drop(store);
    std::fs::remove_file(&key).unwrap();
    let error = open_error(directory.path());
    assert!(matches!(error, Error::KeyMissing(_)), "{error}");
    assert!(!key.exists(), "no new key takes the place of the lost one");
}

#[tokio::test]
async fn a_damaged_or_newer_database_is_refused_in_words() {
    let directory = tempfile::tempdir().unwrap();
    drop(open(directory.path()));
    let path = directory.path().join("bellwether.db");
    let connection = rusqlite::Connection::open(&path).unwrap();
    let body = "INSERT INTO objects VALUES ('user', 'u', 1, '{\"id\":5}')";
    connection.execute(body, []).unwrap();
    drop(connection);
    let error = open_error(directory.path()).to_string();
    assert!(error.contains("the database is damaged: the user `u`"), "{error}");
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    let error = open_error(directory.path());
    assert!(matches!(error, Error::TooNew(99)), "{error}");
    std::fs::write(&path, "this is no database, and long enough to look at".repeat(100)).unwrap();
    let error = open_error(directory.path());
    assert!(matches!(error, Error::Damaged(_)), "{error}");
}

#[tokio::test]
async fn the_audit_log_is_read_backwards_page_by_page() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    for number in 0..5 {
        let entry = AuditEntry {
            id: 0,
            at: Timestamp::from_millis(number),
            user: "admin".to_owned(),
            source: "127.0.0.1".to_owned(),
            action: format!("act.{number}"),
            object: "thing".to_owned(),
            result: "ok".to_owned(),
            detail: String::new(),
            hash: String::new(),
        };
        store.append_audit(entry).await.unwrap();
    }
    assert_eq!(store.revision(), 0, "the log is no object");
    drop(store);
    let store = open(directory.path());
    let page = store.list_audit(2, None).unwrap();
    let actions: Vec<_> = page.iter().map(|entry| entry.action.as_str()).collect();
    assert_eq!(actions, ["act.4", "act.3"]);
    let rest = store.list_audit(9, Some(page[1].id)).unwrap();
    let actions: Vec<_> = rest.iter().map(|entry| entry.action.as_str()).collect();
    assert_eq!(actions, ["act.2", "act.1", "act.0"]);
    assert!(store.list_audit(0, None).unwrap().is_empty());
}

#[tokio::test]
async fn lists_hold_what_is_wanted_by_key() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let txn = ["c", "a", "d", "b"]
        .iter()
        .enumerate()
        .fold(Txn::new(), |txn, (count, name)| txn.insert(&thing(name, count as u64)));
    store.commit(txn).await.unwrap();
    let odd = store.list_where(|thing: &Thing| thing.count % 2 == 1);
    let names: Vec<_> = odd.into_iter().map(|stored| stored.object.name).collect();
    assert_eq!(names, ["a", "b"]);
    let user = User {
        id: UserId::generate(),
        name: "admin".to_owned(),
        password_hash: String::new(),
        must_change_password: true,
        created_at: Timestamp::now(),
        access: bellwether_model::access::Access::owner(),
        second_factor: None,
        identity: None,
    };
    store.commit(Txn::new().insert(&user)).await.unwrap();
    assert_eq!(users::find_by_name(&store, "admin").unwrap().object.id, user.id);
    assert!(users::find_by_name(&store, "Admin").is_none());
    assert_eq!(store.list::<Thing>().len(), 4, "kinds are kept apart");
}

fn audited(text: &str) -> AuditEntry {
    AuditEntry {
        id: 0,
        at: Timestamp::from_millis(1_000),
        user: "ada".to_owned(),
        source: "192.0.2.1".to_owned(),
        action: "thing.do".to_owned(),
        object: text.to_owned(),
        detail: String::new(),
        result: "ok".to_owned(),
        hash: String::new(),
    }
}

fn verified(store: &Store) -> bellwether_model::audit::AuditVerification {
    let mut verifier = bellwether_store::audit::Verifier::default();
    store
        .walk_audit(|entry| {
            verifier.next(&entry);
            true
        })
        .unwrap();
    verifier.end()
}

#[tokio::test]
async fn the_audit_log_is_a_chain_from_its_first_entry_on_whatever_wrote_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("bellwether.db");
    let store = open(directory.path());
    for text in ["one", "two"] {
        store.append_audit(audited(text)).await.unwrap();
    }
    assert_eq!((verified(&store).whole, verified(&store).entries), (true, 2));
    drop(store);
    // As a server left it that knew no chain.
    let old = rusqlite::Connection::open(&path).unwrap();
    old.execute_batch("ALTER TABLE audit DROP COLUMN hash; PRAGMA user_version = 1").unwrap();
    drop(old);
    let store = open(directory.path());
    store.append_audit(audited("three")).await.unwrap();
    assert_eq!((verified(&store).whole, verified(&store).entries), (true, 3));
    drop(store);
    let edited = rusqlite::Connection::open(&path).unwrap();
    edited.execute("UPDATE audit SET body = replace(body, 'two', 'too') WHERE id = 2", []).unwrap();
    drop(edited);
    assert_eq!(verified(&open(directory.path())).broken_at, Some(2));
}
