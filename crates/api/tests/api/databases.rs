//! Databases and their users: what is asked for, what is shown of it, and how a password is
//! rotated.

use bellwether_model::Cluster;
use bellwether_protocol::databases::{DatabasesReport, Kind, LoginUse, Refused};
use bellwether_store::secrets;
use serde_json::json;

use crate::coverage::bad_bodies;
use crate::fixture::PASSWORD;
use crate::world::World;

fn told(version: u64, logins: &[(&str, u32)]) -> DatabasesReport {
    let used = |(login, count): &(&str, u32)| LoginUse {
        login: (*login).to_owned(),
        address: "198.51.100.7".to_owned(),
        application: "checkout".to_owned(),
        count: *count,
    };
    let logins = Some(logins.iter().map(used).collect());
    DatabasesReport { version: Some(version), refused: Vec::new(), logins }
}

/// The version that was asked for last.
fn version(world: &World, cluster: &Cluster) -> u64 {
    let stored = world.store.get::<Cluster>(cluster.id.as_str()).expect("there");
    stored.object.databases.version
}

fn password(world: &World, cluster: &Cluster, login: &str) -> String {
    secrets::login_password(&world.store, &cluster.id, "app", login).expect("a password")
}

#[tokio::test]
async fn a_cluster_has_its_first_database_and_user_before_anything_is_asked_for() {
    let world = World::new().await;
    world.healthy_cluster("demo", 2).await;
    let databases = world.get("/v1/clusters/demo/databases").expect(200).await;
    assert_eq!(databases.body, json!([{"name": "app", "is_first": true, "state": "in_force"}]));
    let users = world.get("/v1/clusters/demo/database-users").expect(200).await;
    assert_eq!(
        users.body,
        json!([{"name": "app", "login": "app", "is_first": true, "state": "in_force",
                "grants": [{"on": "app", "rights": "owner"}]}])
    );
}

#[tokio::test]
async fn what_is_asked_for_is_shown_as_far_as_the_engine_has_it() {
    let world = World::new().await;
    let cluster = world.healthy_cluster("demo", 2).await;
    let made = world.post("/v1/clusters/demo/databases", json!({"name": "shop"})).expect(202).await;
    assert_eq!(made.at("/state"), "pending");
    let state = || async {
        let all = world.get("/v1/clusters/demo/databases").expect(200).await;
        let found = all.body.as_array().into_iter().flatten().find(|one| one["name"] == "shop");
        found.cloned().unwrap_or_default()
    };
    let at = version(&world, &cluster);
    world.tell_databases(&cluster, &told(at - 1, &[]));
    assert_eq!(state().await["state"], "pending");
    let why = "there is a database of that name";
    let refused = Refused { kind: Kind::Database, name: "shop".to_owned(), why: why.to_owned() };
    world.tell_databases(&cluster, &DatabasesReport { refused: vec![refused], ..told(at, &[]) });
    let shown = state().await;
    assert_eq!((&shown["state"], &shown["reason"]), (&json!("refused"), &json!(why)));
    world.tell_databases(&cluster, &told(at, &[]));
    assert_eq!(state().await["state"], "in_force");

    // An engine that has more than the store knows of is told something later than that.
    world.tell_databases(&cluster, &told(at + 5, &[]));
    world.post("/v1/clusters/demo/databases", json!({"name": "more"})).expect(202).await;
    assert_eq!(version(&world, &cluster), at + 6);
}

#[tokio::test]
async fn a_rotation_ends_when_nobody_uses_the_former_login() {
    let world = World::new().await;
    let cluster = world.healthy_cluster("demo", 2).await;
    let user = "/v1/clusters/demo/database-users/app";
    let end = |body| world.post(format!("{user}/rotation/end"), body);
    let begun = world.call("POST", format!("{user}/rotation")).expect(202).await;
    assert_eq!((begun.at("/login"), begun.at("/rotation/former")), ("app_b", "app"));
    assert_ne!(password(&world, &cluster, "app_b"), PASSWORD);
    assert_eq!(password(&world, &cluster, "app"), PASSWORD, "the former one is as it was");

    let refused = end(json!({"even_if_used": true})).refused(409, "operation-refused").await;
    assert!(refused.at("/detail").contains("app_b is not known to be valid"), "{}", refused.text);
    world.tell_databases(&cluster, &told(version(&world, &cluster), &[("app", 3), ("app_b", 1)]));
    let shown = world.get(user).expect(200).await;
    assert_eq!(
        shown.body["rotation"]["sessions"][0],
        json!({"node": "demo-1", "from": "198.51.100.7", "application": "checkout", "count": 3})
    );
    let refused = end(json!({})).refused(409, "operation-refused").await;
    assert!(refused.at("/detail").contains("app is used by 6 sessions"), "{}", refused.text);
    let at = version(&world, &cluster);
    let silent = DatabasesReport { logins: None, ..told(at, &[]) };
    world.tell_databases(&cluster, &silent);
    let refused = end(json!({})).refused(409, "operation-refused").await;
    assert!(refused.at("/detail").contains("demo-1, demo-2 is not known"), "{}", refused.text);
    world.tell_databases(&cluster, &told(at, &[("app_b", 4)]));
    let ended = end(json!({})).expect(202).await;
    assert_eq!((ended.at("/login"), ended.body.get("rotation")), ("app_b", None));

    // And back: the first login gets a password that it did not have before.
    world.call("POST", format!("{user}/rotation")).expect(202).await;
    assert_ne!(password(&world, &cluster, "app"), PASSWORD);
    let shown = world.get("/v1/clusters/demo/connection?reveal=true").expect(200).await;
    assert_eq!(shown.at("/user"), "app");
    assert_eq!(shown.at("/password"), password(&world, &cluster, "app"));
}

#[tokio::test]
async fn passwords_are_shown_to_whoever_asks_and_that_is_remembered() {
    let world = World::new().await;
    let cluster = world.healthy_cluster("demo", 1).await;
    let new = json!({"name": "web", "grants": [{"on": "app", "rights": "read_only"}]});
    let made = world.post("/v1/clusters/demo/database-users", new).expect(202).await;
    let secret = password(&world, &cluster, "web");
    assert_eq!(secret.len(), 32);
    assert!(!made.text.contains(&secret), "{}", made.text);
    let path = "/v1/clusters/demo/database-users/web";
    let hidden = world.get(path).expect(200).await;
    assert!(!hidden.text.contains(&secret), "{}", hidden.text);
    let shown = world.get(format!("{path}?reveal=true")).expect(200).await;
    assert_eq!(shown.at("/password"), secret);
    let connection = "/v1/clusters/demo/connection?reveal=true&user=web";
    let connection = world.get(connection).expect(200).await;
    assert_eq!((connection.at("/user"), connection.at("/database")), ("web", "app"));
    assert!(connection.at("/examples/0/text").starts_with(&format!("db://web:{secret}@")));
    let audit = world.get("/v1/audit").expect(200).await;
    let actions: Vec<_> = audit.items().iter().map(|entry| entry["action"].clone()).collect();
    let expected = ["connection.reveal", "database_user.reveal", "database_user.create"];
    assert_eq!(actions, expected);
    assert!(!audit.text.contains(&secret));
}

#[tokio::test]
async fn what_is_dropped_is_shown_until_it_is_gone_and_takes_rights_with_it() {
    let world = World::new().await;
    world.healthy_cluster("demo", 1).await;
    world.post("/v1/clusters/demo/databases", json!({"name": "shop"})).expect(202).await;
    let new = json!({"name": "web", "grants": [{"on": "shop", "rights": "owner"}]});
    world.post("/v1/clusters/demo/database-users", new).expect(202).await;
    let gone = world.call("DELETE", "/v1/clusters/demo/databases/shop?confirm=shop");
    assert_eq!(gone.expect(202).await.at("/state"), "dropping");
    let web = world.get("/v1/clusters/demo/database-users/web").expect(200).await;
    assert_eq!(web.body["grants"], json!([]));
    let again = world.post("/v1/clusters/demo/databases", json!({"name": "shop"}));
    again.refused(409, "name-taken").await;
    let new = json!({"name": "other", "grants": [{"on": "shop", "rights": "owner"}]});
    let refused = world.post("/v1/clusters/demo/database-users", new);
    assert_eq!(refused.refused(422, "invalid-field").await.fields(), ["grants[0].on"]);
}

/// Every answer that the document has for these calls.
pub(crate) async fn walk(world: &World) {
    let cluster = world.healthy_cluster("data", 1).await;
    databases(world).await;
    users(world, &cluster).await;
    let nobody = json!({"name": "viewer-of-data", "scope": {"role": "viewer"}});
    let viewer = world.post("/v1/tokens", nobody).expect(201).await;
    let reveal = world.get("/v1/clusters/data/database-users/app?reveal=true");
    reveal.bearer(viewer.at("/secret")).refused(403, "forbidden").await;

    world.call("DELETE", "/v1/clusters/data?confirm=data").expect(202).await;
    for what in ["databases", "database-users"] {
        let call = world.post(format!("/v1/clusters/data/{what}"), json!({"name": "late"}));
        call.refused(409, "operation-refused").await;
    }
}

async fn databases(world: &World) {
    let path = "/v1/clusters/data/databases";
    let create = |cluster: &str, name: &str| {
        world.post(format!("/v1/clusters/{cluster}/databases"), json!({"name": name}))
    };
    world.get(path).expect(200).await;
    world.get("/v1/clusters/x/databases").refused(404, "not-found").await;
    bad_bodies(|| world.call("POST", path)).await;
    create("x", "shop").refused(404, "not-found").await;
    create("data", "pg_shop").refused(422, "invalid-field").await;
    create("data", "shop").expect(202).await;
    create("data", "shop").refused(409, "name-taken").await;
    let drop = |query: &str| world.call("DELETE", format!("{path}/{query}"));
    drop("shop").refused(422, "invalid-field").await;
    drop("x?confirm=x").refused(404, "not-found").await;
    drop("app?confirm=app").refused(409, "operation-refused").await;
    drop("shop?confirm=shop").expect(202).await;
}

async fn users(world: &World, cluster: &Cluster) {
    let path = "/v1/clusters/data/database-users";
    let create = |cluster: &str, name: &str| {
        let grants = json!([{"on": "app", "rights": "read_write"}]);
        let body = json!({"name": name, "grants": grants});
        world.post(format!("/v1/clusters/{cluster}/database-users"), body)
    };
    world.get(path).expect(200).await;
    world.get("/v1/clusters/x/database-users").refused(404, "not-found").await;
    bad_bodies(|| world.call("POST", path)).await;
    create("x", "web").refused(404, "not-found").await;
    create("data", "web_b").refused(422, "invalid-field").await;
    create("data", "web").expect(202).await;
    create("data", "app").refused(409, "name-taken").await;
    world.get(format!("{path}/web")).expect(200).await;
    world.get(format!("{path}/x")).refused(404, "not-found").await;

    let alter = |user: &str| world.call("PATCH", format!("{path}/{user}"));
    bad_bodies(|| alter("web")).await;
    let read = json!({"grants": [{"on": "app", "rights": "read_only"}]});
    alter("web").json(&read).expect(202).await;
    alter("x").json(&read).refused(404, "not-found").await;
    alter("app").json(&read).refused(409, "operation-refused").await;

    let rotate = |user: &str| world.call("POST", format!("{path}/{user}/rotation"));
    let end = |user: &str| world.post(format!("{path}/{user}/rotation/end"), json!({}));
    let cancel = |user: &str| world.call("POST", format!("{path}/{user}/rotation/cancel"));
    cancel("nobody").refused(404, "not-found").await;
    cancel("web").refused(409, "operation-refused").await;
    bad_bodies(|| world.call("POST", format!("{path}/web/rotation/end"))).await;
    for call in [rotate("x"), end("x")] {
        call.refused(404, "not-found").await;
    }
    end("web").refused(409, "operation-refused").await;
    rotate("web").expect(202).await;
    rotate("web").refused(409, "operation-refused").await;
    let turned = cancel("web").expect(202).await;
    assert_eq!((turned.at("/login"), turned.at("/rotation/former")), ("web", "web_b"));
    world.tell_databases(cluster, &told(version(world, cluster), &[]));
    end("web").expect(202).await;

    let drop = |user: &str| world.call("DELETE", format!("{path}/{user}"));
    drop("x").refused(404, "not-found").await;
    drop("app").refused(409, "operation-refused").await;
    drop("web").expect(202).await;
}
