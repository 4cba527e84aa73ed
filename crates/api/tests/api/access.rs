//! Who may ask: tokens and sessions, and what ends them.

use bellwether_model::Timestamp;
use bellwether_store::tokens::{Token, TokenKind};
use bellwether_store::{Stored, Txn, tokens};
use serde_json::json;

use crate::world::{TOKEN, World};

const HOUR_MS: i64 = 3_600_000;

fn in_hours(hours: i64) -> Option<Timestamp> {
    Some(Timestamp::from_millis(Timestamp::now().as_millis() + hours * HOUR_MS))
}

#[tokio::test]
async fn nobody_is_let_in_without_a_token_that_is_known_and_lasts() {
    let world = World::new().await;
    let anonymous = || world.get("/v1/me").anonymous();
    anonymous().refused(401, "unauthenticated").await;
    for secret in ["", " ", "wrong", "bw_token-of-the-administrato", "ä"] {
        world.get("/v1/me").bearer(secret).refused(401, "unauthenticated").await;
    }
    for other in ["Basic YWRtaW46YWRtaW4=", "Bearer", TOKEN, "\u{ff}"] {
        anonymous().header("authorization", other).refused(401, "unauthenticated").await;
    }
    world.token(&world.admin.id, "expired", TokenKind::Api, in_hours(-1)).await;
    let refusal = world.get("/v1/me").bearer("expired").refused(401, "unauthenticated").await;
    assert!(refusal.at("/detail").contains("expired"));
    world.token(&world.admin.id, "lasts", TokenKind::Api, in_hours(1)).await;
    world.get("/v1/me").bearer("lasts").expect(200).await;
    anonymous().header("authorization", "bEaReR lasts").expect(200).await;
}

#[tokio::test]
async fn a_token_whose_user_is_gone_is_refused() {
    let world = World::new().await;
    let user = world.another_user("bob", "of-bob").await;
    world.get("/v1/me").bearer("of-bob").expect(200).await;
    let txn = Txn::new().delete::<bellwether_store::users::User>(user.id.as_str(), None);
    world.store.commit(txn).await.expect("deleted");
    world.get("/v1/me").bearer("of-bob").refused(401, "unauthenticated").await;
}

#[tokio::test]
async fn a_token_is_shown_once_and_refused_once_deleted() {
    let world = World::new().await;
    let made = world.post("/v1/tokens", json!({"name": " ci ", "days": 1})).expect(201).await;
    let secret = made.at("/secret");
    assert_eq!(made.at("/token/name"), "ci");
    world.get("/v1/me").bearer(secret).expect(200).await;
    let list = world.get("/v1/tokens").expect(200).await;
    assert!(!list.text.contains(secret) && !list.text.contains(&tokens::hash(secret)));
    assert!(list.text.contains(made.at("/token/id")));
    world.call("DELETE", format!("/v1/tokens/{}", made.at("/token/id"))).expect(204).await;
    world.get("/v1/me").bearer(secret).refused(401, "unauthenticated").await;
}

#[tokio::test]
async fn the_tokens_of_others_are_neither_shown_nor_deleted_and_sessions_are_no_tokens() {
    let world = World::new().await;
    let bob = world.another_user("bob", "of-bob").await;
    let session = world.token(&world.admin.id, "a-session", TokenKind::Session, None).await;
    let of_bob = world.store.list_where(|token: &Token| token.user == bob.id);
    let list = world.get("/v1/tokens").expect(200).await;
    assert_eq!(list.body.as_array().map(Vec::len), Some(1), "{}", list.text);
    for id in [&of_bob[0].object.id, &session.id] {
        world.call("DELETE", format!("/v1/tokens/{id}")).refused(404, "not-found").await;
    }
    world.get("/v1/me").bearer("of-bob").expect(200).await;
}

#[tokio::test]
async fn a_token_that_makes_no_sense_is_refused_by_its_field() {
    let world = World::new().await;
    let long = "x".repeat(101);
    for (field, body) in [
        ("name", json!({"name": ""})),
        ("name", json!({"name": " \t "})),
        ("name", json!({"name": long})),
        ("name", json!({"name": "\u{1b}[2J"})),
        ("name", json!({"name": null})),
        ("days", json!({"name": "a", "days": 0})),
        ("days", json!({"name": "a", "days": 3_651})),
        ("days", json!({"name": "a", "days": -1})),
        ("days", json!({"name": "a", "days": 1.5})),
        ("days", json!({"name": "a", "days": 4_294_967_296_u64})),
    ] {
        world.post("/v1/tokens", body).names_field(422, field).await;
    }
}

#[tokio::test]
async fn a_cookie_changes_something_only_with_the_header_of_the_own_page() {
    let world = World::new().await;
    world.token(&world.admin.id, "s", TokenKind::Session, in_hours(1)).await;
    let with_cookie = |method: &str, path: &str| {
        let call = world.call(method, path).anonymous();
        call.header("cookie", "theme=dark; bellwether_session=s")
    };
    with_cookie("GET", "/v1/me").expect(200).await;
    let token = json!({"name": "ci"});
    let refusal = with_cookie("POST", "/v1/tokens").json(&token).refused(403, "forbidden").await;
    assert!(refusal.at("/detail").contains("X-Bellwether"));
    with_cookie("POST", "/v1/tokens").header("x-bellwether", "1").json(&token).expect(201).await;
    let end = with_cookie("DELETE", "/v1/sessions/current").header("x-bellwether", "1");
    let end = end.expect(204).await;
    assert!(
        end.header("set-cookie").starts_with("bellwether_session=; ")
            && end.header("set-cookie").contains("Max-Age=0")
    );
    with_cookie("GET", "/v1/me").refused(401, "unauthenticated").await;
}

#[tokio::test]
async fn a_session_that_is_used_lasts_longer_a_token_does_not() {
    let world = World::new().await;
    let used_at = Timestamp::from_millis(Timestamp::now().as_millis() - HOUR_MS);
    for (secret, kind) in [("s", TokenKind::Session), ("t", TokenKind::Api)] {
        let mut token = world.token(&world.admin.id, secret, kind, in_hours(1)).await;
        token.last_used_at = Some(used_at);
        world.store.commit(Txn::new().put(&token)).await.expect("saved");
        world.get("/v1/me").bearer(secret).expect(200).await;
        let now: Stored<Token> = world.store.get(&tokens::hash(secret)).expect("kept");
        assert!(now.object.last_used_at > token.last_used_at);
        let is_longer = now.object.expires_at > token.expires_at;
        assert_eq!(is_longer, kind == TokenKind::Session);
    }
}
