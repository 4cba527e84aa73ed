//! Backups and repositories: what is listed, and for whom.

use bellwether_contracts::repository::Archive;
use bellwether_model::access::{Access, Role, Scope};
use bellwether_model::backup::BackupStatus;
use bellwether_model::log::{KeptPiece, LogPiece};
use bellwether_model::replication::Position;
use bellwether_model::restore::Source;
use bellwether_model::{Backup, Cluster, ClusterPhase, Timestamp};
use bellwether_store::Txn;
use bellwether_store::clusters::NameClaim;
use bellwether_store::projects::Project;
use serde_json::{Value, json};

use crate::permissions::{call, somebody};
use crate::world::World;

/// The request for a repository.
pub(crate) fn repository(name: &str) -> Value {
    json!({
        "name": name,
        "place": {"kind": "s3", "endpoint": "https://s3.example.com", "bucket": "b",
                  "access_key": "access"},
        "secret": "the-secret-of-the-store",
    })
}

#[tokio::test]
async fn the_backups_of_a_name_are_also_those_of_a_cluster_that_had_it_before() {
    let world = World::new().await;
    let former = world.healthy_cluster("orders", 1).await;
    let old = world.backup(&former, BackupStatus::Complete).await;
    let txn =
        Txn::new().delete::<Cluster>(former.id.as_str(), None).delete::<NameClaim>("orders", None);
    world.store.commit(txn).await.expect("deleted");
    let found = world.get("/v1/backups?cluster=orders").expect(200).await;
    assert_eq!(found.items().len(), 1, "{}", found.text);

    let restored = world.healthy_cluster("orders", 1).await;
    let new = world.backup(&restored, BackupStatus::Complete).await;
    let other = world.healthy_cluster("other", 1).await;
    world.backup(&other, BackupStatus::Complete).await;
    let found = world.get("/v1/backups?cluster=orders").expect(200).await;
    let ids: Vec<&str> = found.items().iter().filter_map(|one| one["id"].as_str()).collect();
    assert_eq!(ids, [new.id.as_str(), old.id.as_str()], "the newest first");
    let path = format!("/v1/backups?cluster={}", restored.id);
    assert_eq!(world.get(path).expect(200).await.items().len(), 1);
}

#[tokio::test]
async fn a_backup_is_for_those_who_may_see_its_project() {
    let world = World::new().await;
    for project in ["own", "other"] {
        let project = Project { name: project.to_owned(), created_at: Timestamp::now() };
        world.store.commit(Txn::new().insert(&project)).await.expect("saved");
    }
    let mut cluster = world.healthy_cluster("orders", 1).await;
    cluster.spec.project = "other".to_owned();
    let backup = world.backup(&cluster, BackupStatus::Complete).await;
    let spec = json!({"name": "copy", "engine": "postgresql", "version": "17", "nodes": 1,
                      "project": "own", "source": {"backup": backup.id}});
    let restore = async |who| {
        let call = call(&world, who, "POST", "/v1/clusters?plan=true".to_owned()).await;
        call.json(&spec)
    };
    let access = |there: Option<Role>| {
        let own = ("own".to_owned(), Role::Admin);
        let there = there.map(|role| ("other".to_owned(), role));
        Access { everywhere: None, projects: [own].into_iter().chain(there).collect() }
    };
    let stranger = somebody(&world, "stranger", access(None), Scope::default()).await;
    let viewer = access(Some(Role::Viewer));
    let viewer = somebody(&world, "viewer", viewer, Scope::default()).await;
    let operator = access(Some(Role::Operator));
    let operator = somebody(&world, "operator", operator, Scope::default()).await;

    restore(&stranger).await.names_field(422, "source.backup").await;
    restore(&viewer).await.refused(403, "forbidden").await;
    restore(&operator).await.expect(200).await;
    for (who, count) in [(&stranger, 0), (&viewer, 1)] {
        let list = call(&world, who, "GET", "/v1/backups".to_owned()).await.expect(200).await;
        assert_eq!(list.items().len(), count, "{}", list.text);
    }
    let txn =
        Txn::new().delete::<Cluster>(cluster.id.as_str(), None).delete::<NameClaim>("orders", None);
    world.store.commit(txn).await.expect("deleted");
    world.call("DELETE", "/v1/projects/other").refused(409, "operation-refused").await;
    world.call("DELETE", "/v1/projects/own").expect(204).await;
    let gone = json!({"name": "copy", "engine": "postgresql", "version": "17", "nodes": 1,
                      "source": {"backup": "none"}});
    world.post("/v1/clusters", gone).names_field(422, "source.backup").await;
}

#[tokio::test]
async fn what_is_in_a_repository_is_listed_once_its_key_opens_it() {
    let world = World::new().await;
    let cluster = world.healthy_cluster("orders", 1).await;
    let backup = world.backup(&cluster, BackupStatus::Complete).await;
    world.call("DELETE", "/v1/repositories/vault").expect(204).await;
    assert!(world.get("/v1/backups").expect(200).await.items().is_empty());
    let archive = |part: &str, facts: String| Archive {
        id: format!("archive-{part}"),
        backup: backup.id.clone(),
        part: part.to_owned(),
        facts,
        directory: "/data".into(),
        made_at: Timestamp::now(),
    };
    let facts = serde_json::to_string(&backup.facts).expect("JSON");
    world.vault.hold(vec![archive("data", String::new()), archive("end", facts)]);
    let mut known = repository("again");
    known["key"] = json!("the-key-of-the-repository");
    world.vault.set_shut(true);
    world.post("/v1/repositories", known.clone()).names_field(422, "place").await;
    world.vault.set_shut(false);
    let made = world.post("/v1/repositories", known).expect(201).await;
    assert_eq!(made.body["backups"], json!(1));
    assert!(!made.text.contains("the-key") && !made.text.contains("the-secret"));
    let found = world.get("/v1/backups?cluster=orders").expect(200).await;
    assert_eq!(found.items()[0]["id"], json!(backup.id));
    assert_eq!(found.items()[0]["archives"], json!(["archive-data", "archive-end"]));

    let key = world.get("/v1/repositories/again/key").expect(200).await;
    assert_eq!(key.at("/key"), "the-key-of-the-repository");
    let audit = world.get("/v1/audit").expect(200).await;
    assert_eq!(audit.items()[0]["action"], "repository.key");
    assert!(!audit.text.contains("the-key-of"));
}

#[tokio::test]
async fn a_backup_can_be_removed_while_a_cluster_is_there_that_it_could_not_become() {
    let world = World::new().await;
    let from = world.healthy_cluster("orders", 1).await;
    let backup = world.backup(&from, BackupStatus::Complete).await;
    let mut copy = world.healthy_cluster("copy", 1).await;
    copy.spec.source = Some(Source { backup: backup.id.clone(), at: None });
    copy.status.primary = None;
    let path = format!("/v1/backups/{}", backup.id);
    for (phase, status) in [(ClusterPhase::Creating, 409), (ClusterPhase::Failed, 202)] {
        copy.status.phase = phase;
        let mut known = world.store.get::<Cluster>(copy.id.as_str()).expect("it is there");
        known.object = copy.clone();
        world.store.commit(Txn::new().update(&known)).await.expect("saved");
        world.call("DELETE", &path).expect(status).await;
    }
}

#[tokio::test]
async fn a_moment_is_restored_where_the_log_leads_to_it() {
    let world = World::new().await;
    let cluster = world.healthy_cluster("orders", 1).await;
    let backup = world.backup(&cluster, BackupStatus::Complete).await;
    let facts = backup.facts.clone().expect("it is complete");
    let after = |ms| Timestamp::from_millis(facts.taken_at.as_millis() + ms);
    let ask = async |at: Timestamp| {
        let spec = json!({"name": "copy", "engine": "postgresql", "version": "17", "nodes": 1,
                          "source": {"backup": backup.id, "at": at}});
        world.post("/v1/clusters?plan=true", spec)
    };
    ask(after(500)).await.names_field(422, "source.at").await;

    let piece = LogPiece {
        id: "piece".into(),
        cluster: cluster.id.clone(),
        stretch: "stretch".to_owned(),
        from: facts.position,
        to: Position { offset: facts.position.offset + 100, ..facts.position },
        until: after(1_000),
        history: Vec::new(),
        size: 1,
    };
    let kept = KeptPiece {
        piece: piece.clone(),
        repository: backup.repository.clone(),
        archive: "archive-log".to_owned(),
        needless_since: None,
    };
    world.store.commit(Txn::new().insert(&kept)).await.expect("saved");
    let path = format!("/v1/backups/{}", backup.id);
    let window = async || world.get(&path).expect(200).await.body["recoverable_to"].clone();
    assert_eq!(window().await, json!(after(1_000)));
    ask(after(1_000)).await.expect(200).await;
    ask(after(1_001)).await.names_field(422, "source.at").await;
    ask(after(-1)).await.names_field(422, "source.at").await;

    // A server that has nothing but the repository and its key finds the log, too.
    world.call("DELETE", "/v1/repositories/vault").expect(204).await;
    let archive = |of: &str, part: &str, facts: String| Archive {
        id: format!("archive-{part}"),
        backup: of.into(),
        part: part.to_owned(),
        facts,
        directory: "/data".into(),
        made_at: Timestamp::now(),
    };
    let told = serde_json::to_string(&facts).expect("JSON");
    let log = serde_json::to_string(&piece).expect("JSON");
    world.vault.hold(vec![archive(backup.id.as_str(), "end", told), archive("piece", "log", log)]);
    let mut known = repository("again");
    known["key"] = json!("the-key-of-the-repository");
    let made = world.post("/v1/repositories", known).expect(201).await;
    assert_eq!(made.body["backups"], json!(1), "log is no backup");
    assert_eq!(window().await, json!(after(1_000)));
}

#[tokio::test]
async fn a_download_is_what_the_repository_holds_and_what_goes_wrong_is_told_in_words() {
    let world = World::new().await;
    let cluster = world.healthy_cluster("orders", 1).await;
    let backup = world.backup(&cluster, BackupStatus::Complete).await;
    let mut known = world.store.get::<Backup>(backup.id.as_str()).expect("stored");
    known.object.archives = vec!["1".to_owned(), "2".to_owned()];
    world.store.commit(Txn::new().update(&known)).await.expect("saved");
    let archive = |id: &str, part: &str| Archive {
        id: id.to_owned(),
        backup: backup.id.clone(),
        part: part.to_owned(),
        facts: String::new(),
        directory: "/data".into(),
        made_at: Timestamp::now(),
    };
    let path = format!("/v1/backups/{}/download", backup.id);
    // A first attempt has left something.
    world.vault.hold(vec![archive("0", "data"), archive("1", "data")]);
    let refused = world.get(&path).refused(409, "operation-refused").await;
    assert!(refused.at("/detail").contains("no complete backup"), "{}", refused.text);
    world.vault.hold(vec![archive("0", "data"), archive("1", "data"), archive("2", "end")]);
    let file = world.get(&path).expect(200).await;
    assert!(file.text.starts_with("orders-2") && file.text.ends_with(": data, end"));
    assert!(file.header("content-disposition").ends_with(".tar\""), "{:?}", file.headers);
    assert_eq!(file.header("bellwether-size"), "1");
    let audit = world.get("/v1/audit").expect(200).await;
    assert!(audit.text.contains("backup.download"), "{}", audit.text);
    world.vault.set_shut(true);
    let refused = world.get(&path).refused(409, "operation-refused").await;
    assert!(refused.at("/detail").contains("key does not open"), "{}", refused.text);
}
