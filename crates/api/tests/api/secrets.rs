//! Secrets are in no answer, but for the one that was asked to reveal them.

use bellwether_store::secrets::{Secret, USER_PASSWORD};
use bellwether_store::tokens;
use serde_json::json;

use crate::fixture::PASSWORD;
use crate::world::{TOKEN, World};

#[tokio::test]
async fn a_password_is_shown_when_it_is_asked_for_and_that_is_remembered() {
    let world = World::new().await;
    world.healthy_cluster("demo", 2).await;
    let path = "/v1/clusters/demo/connection";
    for query in ["", "?reveal=false"] {
        let hidden = world.get(format!("{path}{query}")).expect(200).await;
        assert!(hidden.body.get("password").is_none(), "{}", hidden.text);
        assert!(!hidden.text.contains(PASSWORD));
        assert_eq!(hidden.body["read_write"], json!(["192.0.2.1:5000", "192.0.2.2:5000"]));
    }
    assert!(world.store.list_audit(10, None).expect("read").is_empty());
    for wrong in ["1", "yes", ""] {
        world.get(format!("{path}?reveal={wrong}")).names_field(400, "reveal").await;
    }
    let shown = world.get(format!("{path}?reveal=true")).expect(200).await;
    assert_eq!(shown.at("/password"), PASSWORD);
    assert!(shown.at("/examples/0/text").contains(PASSWORD));
    let audit = world.get("/v1/audit").expect(200).await;
    assert_eq!(audit.items().len(), 1);
    assert_eq!(audit.items()[0]["action"], "connection.reveal");
    assert_eq!(audit.items()[0]["object"], "demo");
    assert!(!audit.text.contains(PASSWORD));
}

#[tokio::test]
async fn no_answer_has_a_secret_that_was_not_asked_for() {
    let world = World::new().await;
    let cluster = world.healthy_cluster("demo", 2).await;
    let eve = crate::passwords::user_with_password(&world, "eve").await;
    let sealed = Secret::seal(&world.store, &cluster.id, USER_PASSWORD, PASSWORD.as_bytes());
    let sealed = serde_json::to_value(&sealed.sealed).expect("JSON");
    world.ended_operation(&cluster).await;

    let sign_in = json!({"user": "eve", "password": "a-guess-of-her-password"});
    world.post("/v1/sessions", sign_in).anonymous().expect(401).await;
    let change = json!({"current": "a-guess-of-her-password", "new": "what-she-would-have"});
    world.call("PUT", "/v1/me/password").json(&change).expect(401).await;
    let unreadable = r#"{"user": "eve", "password": ["a-guess-of-her-password"]}"#;
    world.call("POST", "/v1/sessions").anonymous().text(unreadable).expect(422).await;
    let unreadable = r#"{"user": "eve", "password": "a-guess-of-her-password" "#;
    world.call("POST", "/v1/sessions").anonymous().text(unreadable).expect(400).await;
    let twisted = r#"{"user": "eve", "a-guess-of-her-password": "password"}"#;
    world.call("POST", "/v1/sessions").anonymous().text(twisted).expect(422).await;
    for path in [
        "/v1/me",
        "/v1/tokens",
        "/v1/clusters",
        "/v1/clusters/demo",
        "/v1/clusters/demo/nodes",
        "/v1/clusters/demo/nodes/demo-1",
        "/v1/clusters/demo/connection",
        "/v1/operations",
        "/v1/audit",
        "/v1/providers",
        "/v1/engines",
        "/openapi/v1.json",
    ] {
        world.get(path).expect(200).await;
    }
    let body = json!({"kind": "remove_node", "node": "demo-2"});
    world.post("/v1/clusters/demo/operations", body).expect(202).await;

    let hash = tokens::hash(TOKEN);
    let mut secrets = vec![PASSWORD, TOKEN, &hash, &eve.password_hash, "what-she-would-have"];
    secrets.extend(sealed.as_object().into_iter().flatten().filter_map(|(_, v)| v.as_str()));
    for text in world.said.lock().expect("held").iter() {
        for secret in secrets.iter().filter(|secret| secret.len() > 8) {
            assert!(!text.contains(secret), "{secret} was said: {text}");
        }
        let is_echo = text.contains("a-guess-of-her-password");
        assert!(!is_echo || text.contains("unknown field"), "a guess was repeated: {text}");
    }
}

#[tokio::test]
async fn the_document_and_the_health_are_open_to_all_and_say_nothing_of_the_server() {
    let world = World::new().await;
    let document = world.get("/openapi/v1.json").anonymous().expect(200).await;
    assert_eq!(document.header("content-type"), "application/json");
    assert!(document.body["openapi"].as_str().is_some_and(|version| version.starts_with("3.")));
    let health = world.get("/v1/health").anonymous().expect(200).await;
    assert_eq!(health.body, json!({"status": "ok", "version": "0.0.0-test"}));
}
