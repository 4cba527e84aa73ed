//! Signing in, and passwords.

use std::collections::BTreeSet;

use bellwether_api::{ensure_first_administrator, is_first_password_in_use};
use bellwether_store::tokens::Token;
use bellwether_store::users::{User, find_by_name};
use bellwether_store::{Store, Txn};
use serde_json::{Value, json};

use crate::world::World;

pub(crate) const PASSWORD: &str = "a-password-of-a-test";

/// A hash of `PASSWORD` with parameters that take no time.
fn quick_hash() -> String {
    use argon2::password_hash::PasswordHasher as _;
    use argon2::{Algorithm, Argon2, Params, Version};
    let parameters = Params::new(Params::MIN_M_COST, 1, 1, None).expect("parameters");
    let hasher = Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters);
    hasher.hash_password(PASSWORD.as_bytes()).expect("a hash").to_string()
}

/// A user who can sign in with `PASSWORD`.
pub(crate) async fn user_with_password(world: &World, name: &str) -> User {
    let mut user: User = world.admin.clone();
    user.id = bellwether_model::UserId::generate();
    user.name = name.to_owned();
    user.password_hash = quick_hash();
    world.store.commit(Txn::new().insert(&user)).await.expect("saved");
    user
}

fn credentials(user: &str, password: &str) -> Value {
    json!({"user": user, "password": password})
}

fn secrets_of(world: &World, user: &User) -> BTreeSet<String> {
    let tokens = world.store.list_where(|token: &Token| token.user == user.id);
    tokens.into_iter().map(|token| token.object.secret_hash).collect()
}

#[tokio::test]
async fn a_session_is_a_token_and_a_cookie_that_no_script_reads() {
    let world = World::new().await;
    user_with_password(&world, "eve").await;
    let call = world.post("/v1/sessions", credentials("eve", PASSWORD)).anonymous();
    let session = call.expect(201).await;
    let token = session.at("/token");
    let cookie = session.header("set-cookie");
    assert_eq!(
        cookie,
        format!("bellwether_session={token}; Path=/; HttpOnly; SameSite=Strict"),
        "over loopback"
    );
    assert_eq!(world.get("/v1/me").bearer(token).expect(200).await.at("/name"), "eve");
    let pair = cookie.split(';').next().expect("a pair");
    let me = world.get("/v1/me").anonymous().header("cookie", pair).expect(200).await;
    assert_eq!(me.at("/name"), "eve");
}

#[tokio::test]
async fn over_tls_the_cookie_is_for_tls_and_this_server_alone() {
    let world = World::new().await;
    user_with_password(&world, "eve").await;
    let call = world.post("/v1/sessions", credentials("eve", PASSWORD)).anonymous();
    let session = call.over_tls().expect(201).await;
    let token = session.at("/token");
    let pair = format!("__Host-bellwether_session={token}");
    let cookie = format!("{pair}; Path=/; HttpOnly; SameSite=Strict; Secure");
    assert_eq!(session.header("set-cookie"), cookie);
    let with_cookie = |method: &str, path: &str| {
        world.call(method, path).anonymous().header("cookie", &pair).over_tls()
    };
    with_cookie("GET", "/v1/me").expect(200).await;
    let end = with_cookie("DELETE", "/v1/sessions/current").header("x-bellwether", "1");
    let gone = "__Host-bellwether_session=; Path=/; HttpOnly; SameSite=Strict; Secure; Max-Age=0";
    assert_eq!(end.expect(204).await.header("set-cookie"), gone);
}

#[tokio::test]
async fn wrong_passwords_are_written_to_the_audit_log() {
    let world = World::new().await;
    let sign_in = world.post("/v1/sessions", credentials("mallory", "wrong")).anonymous();
    sign_in.from("192.0.2.66").refused(401, "wrong-password").await;
    let audit = world.get("/v1/audit").expect(200).await;
    let entry = &audit.items()[0];
    assert_eq!(entry["action"], "session.create");
    assert_eq!(entry["user"], "mallory");
    assert_eq!(entry["source"], "192.0.2.66");
    assert_eq!(entry["result"], "wrong-password");
}

#[tokio::test]
async fn signing_in_says_the_same_for_a_wrong_user_and_a_wrong_password() {
    let world = World::new().await;
    user_with_password(&world, "eve").await;
    let sign_in = |user: &str| world.post("/v1/sessions", credentials(user, "wrong")).anonymous();
    let mut known = sign_in("eve").refused(401, "wrong-password").await.body;
    let mut unknown = sign_in("mallory").refused(401, "wrong-password").await.body;
    known["request_id"] = Value::Null;
    unknown["request_id"] = Value::Null;
    assert_eq!(known, unknown);
}

#[tokio::test]
async fn wrong_passwords_are_slowed_down_by_address_and_user() {
    let world = World::new().await;
    user_with_password(&world, "eve").await;
    let sign_in =
        |password: &str| world.post("/v1/sessions", credentials("eve", password)).anonymous();
    for _ in 0..5 {
        sign_in("wrong").refused(401, "wrong-password").await;
    }
    let refusal = sign_in(PASSWORD).refused(429, "too-many-attempts").await;
    let wait: u64 = refusal.header("retry-after").parse().expect("seconds");
    assert!((1..=3).contains(&wait), "{wait}");
    // Somebody at another address is not locked out by it, nor is another user.
    sign_in(PASSWORD).from("192.0.2.77").expect(201).await;
    let other = world.post("/v1/sessions", credentials("mallory", "wrong")).anonymous();
    other.refused(401, "wrong-password").await;
}

#[tokio::test]
async fn a_crowd_that_guesses_at_once_is_counted_like_one_in_a_row() {
    let world = World::new().await;
    user_with_password(&world, "eve").await;
    let guesses = (0..20).map(|_| async {
        world.post("/v1/sessions", credentials("eve", "wrong")).anonymous().send().await.status
    });
    let answers = futures_util::future::join_all(guesses).await;
    let checked = answers.iter().filter(|status| **status == 401).count();
    // Two are checked at a time: one more may begin before the fifth was counted.
    assert!((5..=6).contains(&checked), "{answers:?}");
    assert!(answers.iter().all(|status| [401, 429].contains(status)), "{answers:?}");
}

#[tokio::test]
async fn the_first_password_is_marked_until_it_was_changed() {
    let directory = tempfile::tempdir().expect("a directory");
    let options = bellwether_store::Options { directory: directory.path().to_owned() };
    let store = Store::open(options).expect("a store");
    let mut kept = String::new();
    let keep = |password: &str| {
        assert!(find_by_name(&store, "admin").is_none(), "kept before it is needed");
        kept = password.to_owned();
    };
    let first = ensure_first_administrator(&store, keep).await.expect("saved");
    assert_eq!(first.as_deref(), Some(kept.as_str()));
    assert_eq!(kept.len(), 20);
    let mut admin = find_by_name(&store, "admin").expect("an administrator");
    assert!(admin.object.must_change_password && is_first_password_in_use(&store));
    let again = ensure_first_administrator(&store, |_| panic!("there is one already")).await;
    assert_eq!(again.expect("nothing to do"), None);
    admin.object.must_change_password = false;
    store.commit(Txn::new().update(&admin)).await.expect("saved");
    assert!(!is_first_password_in_use(&store));
}

#[tokio::test]
async fn a_changed_password_ends_other_sessions_and_the_mark() {
    let world = World::new().await;
    let mut eve = user_with_password(&world, "eve").await;
    eve.must_change_password = true;
    world.store.commit(Txn::new().put(&eve)).await.expect("saved");
    let mut sessions = Vec::new();
    for _ in 0..2 {
        let call = world.post("/v1/sessions", credentials("eve", PASSWORD)).anonymous();
        let session = call.expect(201).await;
        assert_eq!(session.body["user"]["must_change_password"], json!(true));
        sessions.push(session.at("/token").to_owned());
    }
    world.token(&eve.id, "of-a-program", bellwether_store::tokens::TokenKind::Api, None).await;

    let body = json!({"current": PASSWORD, "new": "a-new-password-of-eve"});
    let call = world.call("PUT", "/v1/me/password").bearer(&sessions[0]).json(&body);
    call.expect(204).await;
    let me = world.get("/v1/me").bearer(&sessions[0]).expect(200).await;
    assert_eq!(me.body["must_change_password"], json!(false));
    world.get("/v1/me").bearer(&sessions[1]).refused(401, "unauthenticated").await;
    world.get("/v1/me").bearer("of-a-program").expect(200).await;
    assert_eq!(secrets_of(&world, &eve).len(), 2);
    let old = world.post("/v1/sessions", credentials("eve", PASSWORD)).anonymous();
    old.refused(401, "wrong-password").await;
    let new = world.post("/v1/sessions", credentials("eve", "a-new-password-of-eve")).anonymous();
    new.expect(201).await;
}

#[tokio::test]
async fn a_password_that_is_not_usable_is_refused_by_its_field() {
    let world = World::new().await;
    let long = "x".repeat(1_001);
    for (field, current, new) in [
        ("new", PASSWORD, "short"),
        ("new", PASSWORD, PASSWORD),
        ("new", PASSWORD, long.as_str()),
        ("current", long.as_str(), "long-enough-to-be-used"),
    ] {
        let body = json!({"current": current, "new": new});
        world.call("PUT", "/v1/me/password").json(&body).names_field(422, field).await;
    }
}

#[tokio::test]
async fn of_two_changes_at_one_moment_one_is_refused() {
    let world = World::new().await;
    let eve = user_with_password(&world, "eve").await;
    world.token(&eve.id, "eves", bellwether_store::tokens::TokenKind::Api, None).await;
    let changes = ["first-new-password", "second-new-password"].map(|new| {
        let body = json!({"current": PASSWORD, "new": new});
        world.call("PUT", "/v1/me/password").bearer("eves").json(&body).send()
    });
    let answers = futures_util::future::join_all(changes).await;
    let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [204, 409]);
}

#[tokio::test]
async fn expired_sessions_are_swept_out_when_somebody_signs_in() {
    let world = World::new().await;
    let eve = user_with_password(&world, "eve").await;
    let past = Some(bellwether_model::Timestamp::from_millis(1));
    world.token(&eve.id, "old", bellwether_store::tokens::TokenKind::Session, past).await;
    let call = world.post("/v1/sessions", credentials("eve", PASSWORD)).anonymous();
    call.expect(201).await;
    assert!(!secrets_of(&world, &eve).contains(&bellwether_store::tokens::hash("old")));
}
