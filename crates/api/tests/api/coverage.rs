//! Every answer the document has is given: nothing is documented that does not happen.

use bellwether_model::backup::BackupStatus;
use bellwether_store::tokens::TokenKind;
use serde_json::json;

use crate::backups::repository;
use crate::calls::Call;
use crate::world::World;

const TOO_LARGE: usize = 256 * 1024 + 1;

/// What the walk leaves out, with the test that has it.
const ELSEWHERE: &[(&str, &str, u16, &str)] = &[
    // passwords::of_two_changes_at_one_moment_one_is_refused
    ("PUT", "/v1/me/password", 409, "operation-refused"),
    // events::a_watcher_is_greeted_and_told_of_changes
    ("GET", "/v1/events", 200, ""),
    // people::the_audit_log_is_a_chain_that_can_be_exported
    ("GET", "/v1/audit/export", 200, ""),
    // identity::without_a_provider_there_is_the_password
    ("POST", "/v1/identity-provider/sign-ins", 404, "not-found"),
    ("POST", "/v1/identity-provider/sessions", 404, "not-found"),
];

#[tokio::test]
async fn every_documented_answer_is_given_and_no_other() {
    let world = World::new().await;
    anybody(&world).await;
    crate::authority::walk(&world).await;
    access(&world).await;
    lists(&world).await;
    creation(&world).await;
    reports(&world).await;
    changes(&world).await;
    allowlists(&world).await;
    crate::databases::walk(&world).await;
    people(&world).await;
    second_factor(&world).await;
    crate::identity::walk(&world).await;
    operations(&world).await;
    deletion(&world).await;
    backups(&world).await;
    let seen = world.document.seen();
    let missing: Vec<_> = world
        .document
        .documented()
        .into_iter()
        .filter(|one| !seen.contains(one))
        .filter(|(method, path, status, code)| {
            let one = (method.as_str(), path.as_str(), *status, code.as_str());
            !ELSEWHERE.contains(&one)
        })
        .collect();
    assert!(missing.is_empty(), "documented, but no call has such an answer: {missing:#?}");
}

/// What every path refuses in the same way: no token, a parameter that is not known and, where
/// something is changed, a session's cookie without the header of the dashboard.
async fn anybody(world: &World) {
    world.get("/v1/health").anonymous().expect(200).await;
    world.token(&world.admin.id, "session", TokenKind::Session, None).await;
    let paths = [
        ("GET", "/v1/backups"),
        ("GET", "/v1/backups/x"),
        ("DELETE", "/v1/backups/x"),
        ("POST", "/v1/backups/x/verify"),
        ("GET", "/v1/repositories"),
        ("POST", "/v1/repositories"),
        ("GET", "/v1/repositories/x"),
        ("DELETE", "/v1/repositories/x"),
        ("GET", "/v1/repositories/x/key"),
        ("GET", "/v1/authority"),
        ("POST", "/v1/authority/rotation"),
        ("POST", "/v1/authority/rotation/cancel"),
        ("POST", "/v1/authority/rotation/end"),
        ("GET", "/v1/audit"),
        ("GET", "/v1/audit/export"),
        ("GET", "/v1/audit/verification"),
        ("GET", "/v1/clusters"),
        ("POST", "/v1/clusters"),
        ("GET", "/v1/clusters/x"),
        ("PATCH", "/v1/clusters/x"),
        ("DELETE", "/v1/clusters/x"),
        ("GET", "/v1/clusters/x/allowlist"),
        ("PUT", "/v1/clusters/x/allowlist"),
        ("POST", "/v1/clusters/x/allowlist/decision"),
        ("GET", "/v1/clusters/x/connection"),
        ("GET", "/v1/clusters/x/databases"),
        ("POST", "/v1/clusters/x/databases"),
        ("DELETE", "/v1/clusters/x/databases/y"),
        ("GET", "/v1/clusters/x/database-users"),
        ("POST", "/v1/clusters/x/database-users"),
        ("GET", "/v1/clusters/x/database-users/y"),
        ("PATCH", "/v1/clusters/x/database-users/y"),
        ("DELETE", "/v1/clusters/x/database-users/y"),
        ("POST", "/v1/clusters/x/database-users/y/rotation"),
        ("POST", "/v1/clusters/x/database-users/y/rotation/cancel"),
        ("POST", "/v1/clusters/x/database-users/y/rotation/end"),
        ("GET", "/v1/clusters/x/drills"),
        ("GET", "/v1/clusters/x/nodes"),
        ("GET", "/v1/clusters/x/parameters"),
        ("GET", "/v1/clusters/x/nodes/y"),
        ("POST", "/v1/clusters/x/operations"),
        ("GET", "/v1/clusters/x/reports"),
        ("GET", "/v1/engines"),
        ("GET", "/v1/engines/x"),
        ("GET", "/v1/engines/x/parameters"),
        ("GET", "/v1/events"),
        ("GET", "/v1/me"),
        ("PUT", "/v1/me/password"),
        ("POST", "/v1/me/second-factor"),
        ("PUT", "/v1/me/second-factor"),
        ("POST", "/v1/me/second-factor/end"),
        ("DELETE", "/v1/users/x/second-factor"),
        ("GET", "/v1/operations"),
        ("GET", "/v1/operations/x"),
        ("DELETE", "/v1/operations/x"),
        ("GET", "/v1/providers"),
        ("GET", "/v1/reports/x"),
        ("DELETE", "/v1/sessions/current"),
        ("GET", "/v1/sessions"),
        ("DELETE", "/v1/sessions/x"),
        ("GET", "/v1/users"),
        ("POST", "/v1/users"),
        ("GET", "/v1/users/x"),
        ("PATCH", "/v1/users/x"),
        ("DELETE", "/v1/users/x"),
        ("POST", "/v1/users/x/password"),
        ("GET", "/v1/projects"),
        ("POST", "/v1/projects"),
        ("DELETE", "/v1/projects/x"),
        ("PUT", "/v1/projects/x/members/y"),
        ("DELETE", "/v1/projects/x/members/y"),
        ("GET", "/v1/tokens"),
        ("POST", "/v1/tokens"),
        ("DELETE", "/v1/tokens/x"),
    ];
    for (method, path) in paths {
        world.call(method, path).anonymous().refused(401, "unauthenticated").await;
        let unknown = format!("{path}?colour=red");
        let answer = world.call(method, unknown).text("{}").refused(400, "bad-request").await;
        assert_eq!(answer.fields(), ["colour"], "{}", answer.text);
        if method != "GET" {
            let call = world.call(method, path).anonymous();
            call.header("cookie", "bellwether_session=session").refused(403, "forbidden").await;
        }
    }
    let documented = world.document.documented();
    let asked = paths.map(|(method, path)| (method.to_owned(), path.to_owned()));
    let count = documented.iter().filter(|one| one.3 == "unauthenticated").count();
    assert_eq!(count, asked.len(), "a path that needs a token is not in this list");
}

/// A body that is no JSON, one that is too large, and one without a field.
pub(crate) async fn bad_bodies<'a>(call: impl Fn() -> Call<'a>) {
    call().text("{").refused(400, "bad-request").await;
    call().text("x".repeat(TOO_LARGE)).refused(413, "payload-too-large").await;
    call().text(r#"{"colour": "red"}"#).refused(422, "invalid-field").await;
}

async fn access(world: &World) {
    let sign_in = |password: &str| {
        let body = json!({"user": "nobody", "password": password});
        world.post("/v1/sessions", body).anonymous()
    };
    bad_bodies(|| world.call("POST", "/v1/sessions").anonymous()).await;
    let password = crate::passwords::PASSWORD;
    let admin = crate::passwords::user_with_password(world, "with-password").await;
    let body = json!({"user": admin.name, "password": password});
    let session = world.post("/v1/sessions", body).anonymous().expect(201).await;
    let token = session.at("/token").to_owned();
    for _ in 0..5 {
        sign_in("wrong").refused(401, "wrong-password").await;
    }
    sign_in("wrong").refused(429, "too-many-attempts").await;

    world.get("/v1/me").bearer(&token).expect(200).await;
    let change = |current: &str, new: &str| {
        let body = json!({"current": current, "new": new});
        world.call("PUT", "/v1/me/password").bearer(&token).json(&body)
    };
    bad_bodies(|| world.call("PUT", "/v1/me/password").bearer(&token)).await;
    change(password, "another-long-password").expect(204).await;
    for _ in 0..5 {
        change("wrong", "one-more-long-password").refused(401, "wrong-password").await;
    }
    change("wrong", "one-more-long-password").refused(429, "too-many-attempts").await;
    world.call("DELETE", "/v1/sessions/current").bearer(&token).expect(204).await;

    bad_bodies(|| world.call("POST", "/v1/tokens")).await;
    let made = world.post("/v1/tokens", json!({"name": "ci"})).expect(201).await;
    world.get("/v1/tokens").expect(200).await;
    let path = format!("/v1/tokens/{}", made.at("/token/id"));
    world.call("DELETE", &path).expect(204).await;
    world.call("DELETE", &path).refused(404, "not-found").await;
}

async fn lists(world: &World) {
    for path in ["/v1/clusters", "/v1/operations", "/v1/audit", "/v1/engines", "/v1/providers"] {
        world.get(path).expect(200).await;
    }
    world.get("/v1/engines/postgresql").expect(200).await;
    world.get("/v1/engines/postgresql/parameters").expect(200).await;
    let lots = world.get("/v1/engines/postgresql/parameters?memory=lots");
    lots.refused(422, "invalid-field").await;
    for path in [
        "/v1/engines/x",
        "/v1/engines/x/parameters",
        "/v1/clusters/x/parameters",
        "/v1/operations/x",
        "/v1/clusters/x",
        "/v1/clusters/x/nodes",
        "/v1/clusters/x/connection",
    ] {
        world.get(path).refused(404, "not-found").await;
    }
}

async fn creation(world: &World) {
    let spec = json!({"name": "made", "engine": "postgresql", "nodes": 3});
    let create = |query: &str| world.post(format!("/v1/clusters{query}"), spec.clone());
    bad_bodies(|| world.call("POST", "/v1/clusters")).await;
    create("?plan=true").expect(200).await;
    world.provider.set_down(true);
    create("").refused(503, "provider-unavailable").await;
    let providers = world.get("/v1/providers").expect(200).await;
    assert_eq!(providers.body[0]["available"], json!(false));
    world.provider.set_down(false);
    create("").header("idempotency-key", "k").expect(201).await;
    create("").refused(409, "name-taken").await;
    let other = json!({"name": "other", "engine": "postgresql", "nodes": 3});
    let call = world.post("/v1/clusters", other).header("idempotency-key", "k");
    call.refused(409, "idempotency-key-reused").await;
    world.get("/v1/clusters/made").expect(200).await;
}

async fn reports(world: &World) {
    let cluster = world.healthy_cluster("drilled", 3).await;
    let failover = world.ended_change(&cluster).await;
    for path in ["reports", "drills"] {
        world.get(format!("/v1/clusters/x/{path}")).refused(404, "not-found").await;
    }
    let list = world.get("/v1/clusters/drilled/reports").expect(200).await;
    assert_eq!(list.at("/items/0/id"), failover.id.as_str());
    let one = world.get(format!("/v1/reports/{}", failover.id)).expect(200).await;
    assert_eq!(one.body["write_gap_ms"], json!(240));
    assert_eq!(one.body["loss"], json!("nothing"));
    world.get("/v1/reports/x").refused(404, "not-found").await;
    let other = world.ended_operation(&cluster).await;
    world.get(format!("/v1/reports/{}", other.id)).refused(404, "not-found").await;

    let ask = |body| world.post("/v1/clusters/drilled/operations", body);
    let wrong = json!({"kind": "add_node", "drill": "failover"});
    assert_eq!(ask(wrong).refused(422, "invalid-field").await.fields(), ["drill"]);
    let wrong = json!({"kind": "failover"});
    assert_eq!(ask(wrong).refused(422, "invalid-field").await.fields(), ["allow_loss"]);
    let wrong = json!({"kind": "add_node", "allow_loss": true});
    assert_eq!(ask(wrong).refused(422, "invalid-field").await.fields(), ["allow_loss"]);
    let failover = json!({"kind": "drill", "drill": "failover"});
    ask(failover).refused(409, "operation-refused").await;
    let made = ask(json!({"kind": "drill"})).expect(202).await;
    let drills = world.get("/v1/clusters/drilled/drills").expect(200).await;
    assert_eq!(drills.at("/items/0/id"), made.at("/id"));
    assert_eq!(drills.at("/items/0/kind"), "switchover");
}

async fn changes(world: &World) {
    world.healthy_cluster("changed", 3).await;
    world.get("/v1/clusters").expect(200).await;
    world.get("/v1/clusters/changed/parameters").expect(200).await;
    let change = |cluster: &str, nodes: u32| {
        let call = world.call("PATCH", format!("/v1/clusters/{cluster}"));
        call.header("if-match", "\"1\"").json(&json!({"nodes": nodes}))
    };
    let call = || world.call("PATCH", "/v1/clusters/changed").header("if-match", "\"1\"");
    bad_bodies(call).await;
    change("x", 3).refused(404, "not-found").await;
    world.provider.set_down(true);
    change("changed", 4).refused(503, "provider-unavailable").await;
    world.provider.set_down(false);
    let plan = world.call("PATCH", "/v1/clusters/changed?plan=true").header("if-match", "\"1\"");
    plan.json(&json!({"nodes": 5})).expect(200).await;
    change("changed", 4).expect(200).await;
    let drill = |version: &str, drill| {
        let call = world.call("PATCH", "/v1/clusters/changed").header("if-match", version);
        call.json(&json!({"drill": drill}))
    };
    let wrong = drill("\"2\"", json!({"schedule": "on Sundays"}));
    assert_eq!(wrong.refused(422, "invalid-field").await.fields(), ["drill.schedule"]);
    let set = drill("\"2\"", json!({"schedule": "0 4 * * 0"})).expect(200).await;
    assert!(set.body["next_drill_at"].is_string(), "{}", set.text);
    let off = drill("\"3\"", serde_json::Value::Null).expect(200).await;
    assert!(off.body["spec"].get("drill").is_none(), "{}", off.text);
    change("changed", 5).refused(412, "generation-mismatch").await;
    world.healthy_cluster("going", 1).await;
    world.call("DELETE", "/v1/clusters/going?confirm=going").expect(202).await;
    change("going", 2).refused(409, "operation-refused").await;
}

async fn people(world: &World) {
    bad_bodies(|| world.call("POST", "/v1/users")).await;
    let made = world.post("/v1/users", json!({"name": "ada"})).expect(201).await;
    world.post("/v1/users", json!({"name": "ada"})).refused(409, "name-taken").await;
    let body = json!({"user": "ada", "password": made.at("/password")});
    let ada = world.post("/v1/sessions", body).anonymous().expect(201).await;
    let ada = ada.at("/token");
    for path in ["/v1/audit", "/v1/audit/verification", "/v1/users", "/v1/users/ada"] {
        world.get(path).expect(200).await;
        world.get(path).bearer(ada).refused(403, "forbidden").await;
    }
    world.get("/v1/audit/export").bearer(ada).refused(403, "forbidden").await;
    world.get("/v1/users/x").refused(404, "not-found").await;
    let nothing = json!({"access": {}});
    let change = |user: &str| world.call("PATCH", format!("/v1/users/{user}")).json(&nothing);
    bad_bodies(|| world.call("PATCH", "/v1/users/ada")).await;
    change("x").refused(404, "not-found").await;
    change("ada").expect(200).await;

    let sessions = world.get("/v1/sessions").bearer(ada).expect(200).await;
    let end = |id: &str| world.call("DELETE", format!("/v1/sessions/{id}")).bearer(ada);
    end("x").refused(404, "not-found").await;
    end(sessions.at("/0/id")).expect(204).await;
    world.call("POST", "/v1/users/ada/password").expect(200).await;
    world.call("POST", "/v1/users/x/password").refused(404, "not-found").await;

    bad_bodies(|| world.call("POST", "/v1/projects")).await;
    world.post("/v1/projects", json!({"name": "shop"})).expect(201).await;
    world.post("/v1/projects", json!({"name": "shop"})).refused(409, "name-taken").await;
    world.get("/v1/projects").expect(200).await;
    let member = |method: &str, user: &str| {
        let call = world.call(method, format!("/v1/projects/shop/members/{user}"));
        call.json(&json!({"role": "viewer"}))
    };
    bad_bodies(|| world.call("PUT", "/v1/projects/shop/members/ada")).await;
    member("PUT", "x").refused(404, "not-found").await;
    member("PUT", "ada").expect(204).await;
    member("DELETE", "x").refused(404, "not-found").await;
    member("DELETE", "ada").expect(204).await;
    world.call("DELETE", "/v1/projects/default").refused(409, "operation-refused").await;
    world.call("DELETE", "/v1/projects/x").refused(404, "not-found").await;
    world.call("DELETE", "/v1/projects/shop").expect(204).await;

    world.healthy_cluster("secret", 1).await;
    let viewer = json!({"name": "viewer", "scope": {"role": "viewer"}});
    let viewer = world.post("/v1/tokens", viewer).expect(201).await;
    let reveal = world.get("/v1/clusters/secret/connection?reveal=true");
    reveal.bearer(viewer.at("/secret")).refused(403, "forbidden").await;

    let delete = |user: &str| world.call("DELETE", format!("/v1/users/{user}"));
    delete("x").refused(404, "not-found").await;
    delete("ada").expect(204).await;
    let owners = world.store.list::<bellwether_store::users::User>();
    for user in owners.iter().filter(|user| user.object.id != world.admin.id) {
        delete(user.object.id.as_str()).expect(204).await;
    }
    delete("admin").refused(409, "operation-refused").await;
    change("admin").refused(409, "operation-refused").await;
}

async fn second_factor(world: &World) {
    let password = crate::passwords::PASSWORD;
    let user = crate::passwords::user_with_password(world, "careful").await;
    let sign_in = || {
        let body = json!({"user": user.name, "password": password});
        world.post("/v1/sessions", body).anonymous()
    };
    let token = sign_in().expect(201).await.at("/token").to_owned();
    let call = |method: &str, path: &str| {
        world.call(method, format!("/v1/me/second-factor{path}")).bearer(&token)
    };
    let right = json!({"password": password});
    for (method, path) in [("POST", ""), ("PUT", ""), ("POST", "/end")] {
        bad_bodies(|| call(method, path)).await;
    }
    let code = |code: String| call("PUT", "").json(&json!({"code": code}));
    code("000000".to_owned()).refused(409, "operation-refused").await;
    let begun = call("POST", "").json(&right).expect(201).await;
    for _ in 0..5 {
        code("000000".to_owned()).refused(401, "wrong-password").await;
    }
    code("000000".to_owned()).refused(429, "too-many-attempts").await;
    call("POST", "/end").json(&right).expect(204).await;
    drop(begun);
    let wrong = |path| call("POST", path).json(&json!({"password": "wrong"}));
    for path in ["", "/end", "", "", ""] {
        wrong(path).refused(401, "wrong-password").await;
    }
    for path in ["", "/end"] {
        wrong(path).refused(429, "too-many-attempts").await;
    }

    let other = crate::passwords::user_with_password(world, "more-careful").await;
    let body = json!({"user": other.name, "password": password});
    let sign_in = || world.post("/v1/sessions", body.clone()).anonymous();
    let token = sign_in().expect(201).await.at("/token").to_owned();
    let call = |method: &str| world.call(method, "/v1/me/second-factor").bearer(&token);
    let begun = call("POST").json(&right).expect(201).await;
    let code = crate::people::code(begun.at("/secret"), 0);
    call("PUT").json(&json!({"code": code})).expect(200).await;
    call("POST").json(&right).refused(409, "operation-refused").await;
    sign_in().refused(401, "second-factor-needed").await;
    let remove = |user: &str| world.call("DELETE", format!("/v1/users/{user}/second-factor"));
    remove("x").refused(404, "not-found").await;
    remove(&other.name).expect(204).await;
}

async fn allowlists(world: &World) {
    let cluster = world.healthy_cluster("guarded", 2).await;
    let path = "/v1/clusters/guarded/allowlist";
    let call = || world.call("PUT", path).header("if-match", "\"1\"");
    bad_bodies(call).await;
    world.get("/v1/clusters/x/allowlist").refused(404, "not-found").await;
    let shown = world.get(path).expect(200).await;
    assert_eq!(shown.body["open"], json!(true), "it is older than allowlists");
    let wrong = json!({"entries": [{"address": "10.0.0.7/8"}], "revert_after_seconds": 1});
    let refused = call().json(&wrong).refused(422, "invalid-field").await;
    assert_eq!(refused.fields(), ["entries[0].address", "revert_after_seconds"]);
    let over = json!({"entries": [{"address": "::1", "expires_at": "2020-01-01T00:00:00Z"}]});
    let refused = call().json(&over).refused(422, "invalid-field").await;
    assert_eq!(refused.fields(), ["entries[0].expires_at"]);
    let list = json!({"entries": [{"address": " 10.0.0.0/8 "}], "revert_after_seconds": 60});
    let plan = world.call("PUT", format!("{path}?plan=true")).header("if-match", "\"1\"");
    let plan = plan.json(&list).expect(200).await;
    assert_eq!(plan.body["added"], json!(["10.0.0.0/8"]));
    let tried = call().json(&list).expect(200).await;
    assert!(tried.body["revert_at"].is_string(), "{}", tried.text);
    call().json(&list).refused(412, "generation-mismatch").await;
    let elsewhere = world.call("PUT", "/v1/clusters/x/allowlist").header("if-match", "\"1\"");
    elsewhere.json(&list).refused(404, "not-found").await;

    let decide = |cluster: &str, keep: bool| {
        let path = format!("/v1/clusters/{cluster}/allowlist/decision");
        world.post(path, json!({"keep": keep}))
    };
    bad_bodies(|| world.call("POST", format!("{path}/decision"))).await;
    decide("x", true).refused(404, "not-found").await;
    let back = decide("guarded", false).expect(200).await;
    assert_eq!((&back.body["open"], &back.body["revert_at"]), (&json!(true), &json!(null)));
    decide("guarded", true).refused(409, "operation-refused").await;

    let delete = world.call("DELETE", format!("/v1/clusters/{}?confirm=guarded", cluster.id));
    delete.expect(202).await;
    let generation = world.get(path).expect(200).await.body["generation"].to_string();
    let call = world.call("PUT", path).header("if-match", format!("\"{generation}\""));
    call.json(&list).refused(409, "operation-refused").await;
}

async fn operations(world: &World) {
    world.healthy_cluster("demo", 3).await;
    let ask = |path: &str, kind: &str, node: &str| {
        let mut body = json!({"kind": kind});
        if !node.is_empty() {
            body["node"] = json!(node);
        }
        world.post(format!("/v1/clusters/{path}"), body)
    };
    bad_bodies(|| world.call("POST", "/v1/clusters/demo/operations")).await;
    let later = |body: serde_json::Value| world.post("/v1/clusters/demo/operations", body);
    let at = |at: &str| json!({"kind": "reboot", "node": "demo-3", "at": at});
    later(at("2001-01-01T00:00:00Z")).refused(422, "invalid-field").await;
    later(json!({"kind": "add_node", "window": "0 3 * * 0"})).refused(422, "invalid-field").await;
    let weekly = json!({"kind": "reboot", "node": "demo-3", "window": "0 3 * * 0"});
    let made = later(weekly).expect(202).await;
    assert_eq!(made.at("/status"), "scheduled");
    let path = format!("/v1/operations/{}", made.at("/id"));
    assert_eq!(world.call("DELETE", &path).expect(200).await.at("/status"), "cancelled");
    world.call("DELETE", &path).refused(409, "operation-refused").await;
    world.call("DELETE", "/v1/operations/x").refused(404, "not-found").await;
    ask("x/operations", "add_node", "").refused(404, "not-found").await;
    ask("demo/operations?plan=true", "remove_node", "demo-3").expect(200).await;
    let made = ask("demo/operations", "remove_node", "demo-3").header("idempotency-key", "r");
    let made = made.expect(202).await;
    assert_eq!(made.header("location"), format!("/v1/operations/{}", made.at("/id")));
    world.get(made.header("location")).expect(200).await;
    ask("demo/operations", "add_node", "").refused(409, "operation-refused").await;
    let other = ask("demo/operations", "add_node", "").header("idempotency-key", "r");
    other.refused(409, "idempotency-key-reused").await;
    world.get("/v1/operations").expect(200).await;

    world.get("/v1/clusters/demo/nodes").expect(200).await;
    world.get("/v1/clusters/demo/nodes/demo-1").expect(200).await;
    world.get("/v1/clusters/demo/nodes/demo-9").refused(404, "not-found").await;
    world.get("/v1/clusters/demo/connection").expect(200).await;
    world.get("/v1/audit").expect(200).await;
}

async fn deletion(world: &World) {
    world.healthy_cluster("old", 2).await;
    world.call("DELETE", "/v1/clusters/x").refused(404, "not-found").await;
    world.call("DELETE", "/v1/clusters/old").refused(422, "invalid-field").await;
    world.call("DELETE", "/v1/clusters/old?plan=true").expect(200).await;
    let delete = || world.call("DELETE", "/v1/clusters/old?confirm=old");
    delete().expect(202).await;
    delete().refused(409, "operation-refused").await;
}

async fn backups(world: &World) {
    let create = || world.call("POST", "/v1/repositories");
    bad_bodies(create).await;
    create().json(&repository("store")).expect(201).await;
    create().json(&repository("store")).refused(409, "name-taken").await;
    let narrow = json!({"name": "narrow", "scope": {"project": "default"}});
    let narrow = world.post("/v1/tokens", narrow).expect(201).await;
    for path in ["/v1/repositories", "/v1/repositories/store", "/v1/repositories/store/key"] {
        world.get(path).expect(200).await;
        world.get(path).bearer(narrow.at("/secret")).refused(403, "forbidden").await;
    }
    for path in ["/v1/repositories/x", "/v1/repositories/x/key", "/v1/backups/x"] {
        world.get(path).refused(404, "not-found").await;
    }

    let cluster = world.healthy_cluster("kept", 1).await;
    let running = world.backup(&cluster, BackupStatus::Running).await;
    let complete = world.backup(&cluster, BackupStatus::Complete).await;
    world.get("/v1/backups").expect(200).await;
    world.get(format!("/v1/backups/{}", complete.id)).expect(200).await;
    let delete = |what: &str| world.call("DELETE", format!("/v1/{what}"));
    let verify = |id: &str| world.call("POST", format!("/v1/backups/{id}/verify"));
    verify("x").refused(404, "not-found").await;
    verify(running.id.as_str()).refused(409, "operation-refused").await;
    delete(&format!("backups/{}", running.id)).refused(409, "operation-refused").await;
    delete(&format!("backups/{}", complete.id)).expect(202).await;
    let other = world.backup(&cluster, BackupStatus::Complete).await;
    verify(other.id.as_str()).expect(202).await;
    delete("backups/x").refused(404, "not-found").await;
    delete("repositories/vault").refused(409, "operation-refused").await;
    delete("repositories/store").expect(204).await;
    delete("repositories/x").refused(404, "not-found").await;
}
