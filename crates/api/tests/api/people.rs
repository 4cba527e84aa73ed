//! Users, projects, sessions and what tokens may.

use bellwether_store::tokens::TokenKind;
use serde_json::json;

use crate::passwords::{PASSWORD, user_with_password};
use crate::world::World;

#[tokio::test]
async fn a_user_is_made_changed_and_gone_with_everything_of_hers() {
    let world = World::new().await;
    world.post("/v1/projects", json!({"name": "shop"})).expect(201).await;
    let new = json!({"name": "ada", "access": {"projects": {"shop": "viewer"}}});
    let made = world.post("/v1/users", new.clone()).expect(201).await;
    let password = made.at("/password").to_owned();
    world.post("/v1/users", new).refused(409, "name-taken").await;
    let body = json!({"user": "ada", "password": password});
    let session = world.post("/v1/sessions", body).anonymous().expect(201).await;
    let token = session.at("/token").to_owned();
    let me = world.get("/v1/me").bearer(&token).expect(200).await;
    assert_eq!(me.at("/access/projects/shop"), "viewer");
    world.get("/v1/users").bearer(&token).refused(403, "forbidden").await;

    let change = json!({"access": {"everywhere": "admin"}});
    world.call("PATCH", "/v1/users/ada").json(&change).expect(200).await;
    world.get("/v1/users").bearer(&token).expect(200).await;
    let reset = world.call("POST", "/v1/users/ada/password").expect(200).await;
    assert_ne!(reset.at("/password"), password);
    world.get("/v1/me").bearer(&token).refused(401, "unauthenticated").await;
    world.call("DELETE", "/v1/users/ada").expect(204).await;
    world.get("/v1/users/ada").refused(404, "not-found").await;
    let again = json!({"name": "ada", "password": "chosen by somebody"});
    let again = world.post("/v1/users", again).expect(201).await;
    assert!(again.body.get("password").is_none(), "what was chosen is not shown");
}

#[tokio::test]
async fn the_server_keeps_an_owner() {
    let world = World::new().await;
    let change = json!({"access": {"everywhere": "viewer"}});
    let lose = || world.call("PATCH", "/v1/users/admin").json(&change);
    lose().refused(409, "operation-refused").await;
    world.call("DELETE", "/v1/users/admin").refused(409, "operation-refused").await;
    world.another_user("second", "of-second").await;
    lose().expect(200).await;
    world
        .call("DELETE", "/v1/users/second")
        .bearer("of-second")
        .refused(409, "operation-refused")
        .await;
}

#[tokio::test]
async fn what_is_wrong_with_a_user_is_named() {
    let world = World::new().await;
    for name in ["", "a b", "a/b", "ä", &"a".repeat(65)] {
        let call = world.post("/v1/users", json!({"name": name}));
        assert_eq!(call.refused(422, "invalid-field").await.fields(), ["name"], "{name}");
    }
    let unknown = json!({"name": "ada", "access": {"projects": {"moon": "viewer"}}});
    let refused = world.post("/v1/users", unknown).refused(422, "invalid-field").await;
    assert_eq!(refused.fields(), ["access.projects.moon"]);
    let short = json!({"name": "ada", "password": "short"});
    let refused = world.post("/v1/users", short).refused(422, "invalid-field").await;
    assert_eq!(refused.fields(), ["password"]);
}

#[tokio::test]
async fn an_admin_of_a_project_gives_no_role_above_the_own_one() {
    let world = World::new().await;
    world.post("/v1/projects", json!({"name": "shop"})).expect(201).await;
    let new = |name: &str, role: &str| {
        let access = json!({"projects": {"shop": role}});
        json!({"name": name, "password": PASSWORD, "access": access})
    };
    let mut tokens = Vec::new();
    for (name, role) in [("ada", "admin"), ("eve", "owner"), ("bob", "viewer")] {
        world.post("/v1/users", new(name, role)).expect(201).await;
        let body = json!({"user": name, "password": PASSWORD});
        let session = world.post("/v1/sessions", body).anonymous().expect(201).await;
        tokens.push(session.at("/token").to_owned());
    }
    let ada = &tokens[0];
    let set = |user: &str, role: &str| {
        let path = format!("/v1/projects/shop/members/{user}");
        world.call("PUT", path).bearer(ada).json(&json!({"role": role}))
    };
    set("bob", "operator").expect(204).await;
    set("bob", "owner").refused(403, "forbidden").await;
    set("eve", "viewer").refused(403, "forbidden").await;
    let list = world.get("/v1/projects").bearer(ada).expect(200).await;
    let members = list.body[0]["members"].as_array().expect("members").len();
    assert_eq!(members, 4, "the owner of the server is one: {}", list.text);
    let remove = world.call("DELETE", "/v1/projects/shop/members/bob").bearer(ada);
    remove.expect(204).await;
    let bobs = world.get("/v1/projects").bearer(&tokens[2]).expect(200).await;
    assert_eq!(bobs.body, json!([]));
    world.call("DELETE", "/v1/projects/shop").expect(204).await;
    let ada = world.get("/v1/users/ada").expect(200).await;
    assert!(ada.body["access"].get("projects").is_none(), "{}", ada.text);
}

#[tokio::test]
async fn sessions_are_listed_and_ended_one_by_one() {
    let world = World::new().await;
    let user = user_with_password(&world, "ada").await;
    let sign_in = |from: &'static str| {
        let body = json!({"user": user.name, "password": PASSWORD});
        let call = world.post("/v1/sessions", body).anonymous().from(from);
        call.header("user-agent", "a browser").expect(201)
    };
    let first = sign_in("192.0.2.7").await.at("/token").to_owned();
    let second = sign_in("192.0.2.8").await.at("/token").to_owned();
    let list = world.get("/v1/sessions").bearer(&first).expect(200).await;
    assert_eq!((list.at("/0/source"), list.at("/1/source")), ("192.0.2.8", "192.0.2.7"));
    assert_eq!((&list.body[0]["current"], &list.body[1]["current"]), (&json!(false), &json!(true)));
    assert_eq!(list.at("/0/program"), "a browser");
    let path = format!("/v1/sessions/{}", list.at("/0/id"));
    world.call("DELETE", &path).refused(404, "not-found").await;
    world.call("DELETE", &path).bearer(&first).expect(204).await;
    world.get("/v1/me").bearer(&second).refused(401, "unauthenticated").await;
    world.get("/v1/me").bearer(&first).expect(200).await;
}

#[tokio::test]
async fn a_token_may_no_more_than_its_scope_also_by_what_it_makes() {
    let world = World::new().await;
    let new = json!({"name": "ci", "scope": {"role": "viewer", "project": "default"}});
    let made = world.post("/v1/tokens", new).expect(201).await;
    let token = made.at("/secret").to_owned();
    let spec = json!({"name": "made", "engine": "postgresql", "nodes": 1});
    world.post("/v1/clusters", spec).bearer(&token).refused(403, "forbidden").await;
    let wider = json!({"name": "wider", "scope": {"role": "owner"}});
    let wider = world.post("/v1/tokens", wider).bearer(&token).expect(201).await;
    assert_eq!(wider.body["token"]["scope"], json!({"role": "viewer", "project": "default"}));
    let elsewhere = json!({"name": "other", "scope": {"project": "moon"}});
    let refused = world.post("/v1/tokens", elsewhere).refused(422, "invalid-field").await;
    assert_eq!(refused.fields(), ["scope.project"]);
    world.token(&world.admin.id, "session", TokenKind::Session, None).await;
    world.get("/v1/audit").bearer("session").expect(200).await;
}

#[tokio::test]
async fn many_names_from_one_address_are_slowed_down_too() {
    let world = World::new().await;
    let try_name = |name: String| {
        let body = json!({"user": name, "password": "wrong"});
        world.post("/v1/sessions", body).anonymous().from("198.51.100.9")
    };
    for number in 0..20 {
        try_name(format!("user-{number}")).refused(401, "wrong-password").await;
    }
    let refused = try_name("user-21".to_owned()).refused(429, "too-many-attempts").await;
    assert!(refused.at("/hint").contains("try again in"), "{}", refused.text);
    let body = json!({"user": "user-21", "password": "wrong"});
    let elsewhere = world.post("/v1/sessions", body).anonymous().from("198.51.100.10");
    elsewhere.refused(401, "wrong-password").await;
}

#[tokio::test]
async fn the_audit_log_is_a_chain_that_can_be_exported() {
    let world = World::new().await;
    world.post("/v1/projects", json!({"name": "shop"})).expect(201).await;
    let new = json!({"name": "ada", "access": {"projects": {"shop": "viewer"}}});
    world.post("/v1/users", new).expect(201).await;
    let token = json!({"name": "ci", "scope": {"role": "viewer"}});
    let token = world.post("/v1/tokens", token).expect(201).await;
    let refused = world.post("/v1/projects", json!({"name": "lab"})).bearer(token.at("/secret"));
    refused.refused(403, "forbidden").await;
    let list = world.get("/v1/audit").expect(200).await;
    let newest = &list.body["items"][0];
    assert_eq!(
        (&newest["action"], &newest["result"]),
        (&json!("access.refuse"), &json!("forbidden"))
    );
    assert_eq!(list.at("/items/2/detail"), "viewer in shop");
    assert_eq!(list.at("/items/2/source"), "192.0.2.1");

    let found = world.get("/v1/audit/verification").expect(200).await;
    assert_eq!((&found.body["whole"], &found.body["entries"]), (&json!(true), &json!(4)));
    let export = world.get("/v1/audit/export").begin().await;
    let kind = export.headers()["content-type"].to_str().expect("text").to_owned();
    assert_eq!(kind, "application/x-ndjson");
    let text = axum::body::to_bytes(export.into_body(), 1 << 20).await.expect("all of it");
    let mut verifier = bellwether_store::audit::Verifier::default();
    for line in String::from_utf8(text.to_vec()).expect("text").lines() {
        verifier.next(&serde_json::from_str(line).expect("an entry"));
    }
    let exported = verifier.end();
    assert!(exported.whole && exported.entries == 5, "{exported:?}: the export is in it");
}

/// The code of this secret so many steps from now.
pub(crate) fn code(secret: &str, steps: i64) -> String {
    let secret = totp_rs::Secret::try_from_base32(secret).expect("base32");
    let totp = totp_rs::Builder::new().with_secret(secret).build().expect("as usual");
    let seconds = bellwether_model::Timestamp::now().as_millis() / 1_000 + steps * 30;
    totp.generate(u64::try_from(seconds).expect("after 1970")).to_string()
}

#[tokio::test]
async fn a_second_factor_is_asked_for_once_it_is_confirmed_and_each_code_is_good_once() {
    let world = World::new().await;
    let user = user_with_password(&world, "ada").await;
    let sign_in = |code: Option<&str>| {
        let mut body = json!({"user": user.name, "password": PASSWORD});
        if let Some(code) = code {
            body["code"] = json!(code);
        }
        world.post("/v1/sessions", body).anonymous()
    };
    let token = sign_in(None).expect(201).await.at("/token").to_owned();
    let own = |method: &str, path: &str, body: serde_json::Value| {
        world.call(method, format!("/v1/me/second-factor{path}")).bearer(&token).json(&body)
    };
    let password = json!({"password": PASSWORD});
    own("POST", "", json!({"password": "wrong"})).refused(401, "wrong-password").await;
    let begun = own("POST", "", password.clone()).expect(201).await;
    let secret = begun.at("/secret").to_owned();
    assert!(begun.at("/uri").starts_with("otpauth://totp/Bellwether:"), "{}", begun.text);
    sign_in(None).expect(201).await;
    own("PUT", "", json!({"code": "000000"})).refused(401, "wrong-password").await;
    let first = code(&secret, 0);
    let confirmed = own("PUT", "", json!({"code": first})).expect(200).await;
    let recovery = confirmed.at("/codes/0").to_owned();
    own("PUT", "", json!({"code": first})).refused(409, "operation-refused").await;
    own("POST", "", password.clone()).refused(409, "operation-refused").await;

    sign_in(None).refused(401, "second-factor-needed").await;
    sign_in(Some(&first)).refused(401, "wrong-password").await;
    let second = code(&secret, 1);
    sign_in(Some(&second)).expect(201).await;
    sign_in(Some(&second)).refused(401, "wrong-password").await;
    sign_in(Some(&recovery)).expect(201).await;
    sign_in(Some(&recovery)).refused(401, "wrong-password").await;
    let me = world.get("/v1/me").bearer(&token).expect(200).await;
    assert_eq!(me.body["second_factor"], json!(true));
    assert!(!me.text.contains(&secret));

    own("POST", "/end", password).expect(204).await;
    sign_in(None).expect(201).await;
    for call in ["begin", "confirm", "end"] {
        let audit = world.get("/v1/audit").expect(200).await;
        assert!(audit.text.contains(&format!("second-factor.{call}")), "{}", audit.text);
    }
}

#[tokio::test]
async fn codes_are_guessed_slowly_and_an_owner_helps_who_has_lost_them() {
    let world = World::new().await;
    let user = user_with_password(&world, "ada").await;
    let sign_in = |code: &str| {
        let body = json!({"user": user.name, "password": PASSWORD, "code": code});
        world.post("/v1/sessions", body).anonymous()
    };
    let token = sign_in("").expect(201).await.at("/token").to_owned();
    let own = |method: &str, body: serde_json::Value| {
        world.call(method, "/v1/me/second-factor").bearer(&token).json(&body)
    };
    let begun = own("POST", json!({"password": PASSWORD})).expect(201).await;
    let first = json!({"code": code(begun.at("/secret"), 0)});
    own("PUT", first).expect(200).await;
    for number in 0..5 {
        sign_in(&format!("00000{number}")).refused(401, "wrong-password").await;
    }
    sign_in("000009").refused(429, "too-many-attempts").await;
    let path = format!("/v1/users/{}/second-factor", user.name);
    world.call("DELETE", &path).bearer(&token).expect(204).await;
    sign_in("").expect(201).await;
}
