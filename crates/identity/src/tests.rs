//! A provider that lies: what is signed wrongly, for others, too late or for another sign-in gets
//! nobody in. The dashboard's browser tests have one that does not.

use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::extract::{Form, State};
use axum::http::HeaderMap;
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use bellwether_contracts::Class;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};

use super::*;

fn key() -> EcdsaKeyPair {
    let random = SystemRandom::new();
    let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random);
    let made = made.expect("a key");
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, made.as_ref(), &random).expect("one")
}

/// What it says, and how.
struct Liar {
    url: String,
    key: EcdsaKeyPair,
    /// Signs instead of the key that it shows.
    other_key: Option<EcdsaKeyPair>,
    /// Of the sign-in that was begun.
    asked: Mutex<HashMap<String, String>>,
    claims: Mutex<Value>,
    more: Mutex<Value>,
}

type Lying = State<Arc<Liar>>;

async fn describe(State(liar): Lying) -> Json<Value> {
    let at = |path: &str| format!("{}/{path}", liar.url);
    Json(json!({
        "issuer": liar.url, "authorization_endpoint": at("authorize"),
        "token_endpoint": at("token"),
        "userinfo_endpoint": at("me"), "jwks_uri": at("keys"), "response_types_supported": ["code"],
        "subject_types_supported": ["public"], "id_token_signing_alg_values_supported": ["ES256"],
    }))
}

async fn keys(State(liar): Lying) -> Json<Value> {
    let point = &liar.key.public_key().as_ref()[1..];
    let (x, y) = (BASE64.encode(&point[..32]), BASE64.encode(&point[32..]));
    Json(json!({"keys": [{"kty": "EC", "crv": "P-256", "use": "sig", "kid": "1", "x": x, "y": y}]}))
}

async fn token(
    State(liar): Lying,
    headers: HeaderMap,
    Form(form): Form<HashMap<String, String>>,
) -> Json<Value> {
    assert!(headers.contains_key("authorization"), "the client shows its secret");
    let asked = liar.asked.lock().expect("held").clone();
    let digest = ring::digest::digest(&ring::digest::SHA256, form["code_verifier"].as_bytes());
    assert_eq!(BASE64.encode(digest), asked["code_challenge"], "whoever asked the question");
    assert_eq!(form["redirect_uri"], asked["redirect_uri"]);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after it").as_secs();
    let mut claims = json!({
        "iss": liar.url, "aud": "bellwether", "sub": "7", "iat": now, "exp": now + 60,
        "nonce": asked["nonce"],
    });
    for (name, value) in liar.claims.lock().expect("held").as_object().expect("claims") {
        claims[name] = value.clone();
    }
    let part = |value: &Value| BASE64.encode(value.to_string());
    let text = format!("{}.{}", part(&json!({"alg": "ES256", "kid": "1"})), part(&claims));
    let key = liar.other_key.as_ref().unwrap_or(&liar.key);
    let signature = key.sign(&SystemRandom::new(), text.as_bytes()).expect("signed");
    let signed = format!("{text}.{}", BASE64.encode(signature));
    Json(json!({"access_token": "t", "token_type": "Bearer", "id_token": signed}))
}

async fn more(State(liar): Lying) -> Json<Value> {
    Json(liar.more.lock().expect("held").clone())
}

async fn start(other_key: Option<EcdsaKeyPair>) -> Arc<Liar> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let (claims, more_claims) = (Mutex::new(json!({})), Mutex::new(json!({"sub": "7"})));
    let asked = Mutex::default();
    let liar = Liar { url, key: key(), other_key, asked, claims, more: more_claims };
    let liar = Arc::new(liar);
    let router = Router::new()
        .route("/.well-known/openid-configuration", get(describe))
        .route("/keys", get(keys))
        .route("/token", post(token))
        .route("/me", get(more))
        .with_state(liar.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    liar
}

fn provider(issuer: &str) -> Provider {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let facts = IdentityFacts {
        title: "Example".to_owned(),
        issuer: issuer.to_owned(),
        addresses: vec!["https://here.example.com".to_owned()],
        days: 30,
        rules: Vec::new(),
    };
    let settings = Settings {
        facts,
        client_id: "bellwether".to_owned(),
        client_secret: Some("the-secret".to_owned()),
        scopes: vec!["email".to_owned()],
        groups_claim: "groups".to_owned(),
        authority: None,
    };
    Provider::new(settings).expect("a provider")
}

async fn begin(liar: &Liar, provider: &Provider) -> Begun {
    let begun = provider.begin("https://here.example.com").await.expect("begun");
    let url = openidconnect::url::Url::parse(&begun.url).expect("an address");
    let asked: HashMap<String, String> = url.query_pairs().into_owned().collect();
    assert_eq!(asked["code_challenge_method"], "S256");
    assert_eq!(asked["redirect_uri"], "https://here.example.com/sign-in/return");
    assert_eq!(asked["scope"], "openid email");
    assert_eq!((&asked["state"], &asked["nonce"]), (&begun.state, &begun.nonce));
    *liar.asked.lock().expect("held") = asked;
    begun
}

/// What comes of a sign-in in which these claims are others.
async fn sign_in(liar: &Liar, claims: Value) -> Result<Person, Failure> {
    *liar.claims.lock().expect("held") = claims;
    let provider = provider(&liar.url);
    let begun = begin(liar, &provider).await;
    provider.finish(&begun, "the-code").await
}

#[tokio::test]
async fn who_somebody_is_is_read_and_asked_for_where_it_is_not_signed() {
    let liar = start(None).await;
    let told = json!({"preferred_username": "ann", "email": "ann@example.com",
        "email_verified": true, "groups": ["dba", 7]});
    let person = sign_in(&liar, told).await.expect("somebody");
    assert_eq!((person.subject.as_str(), person.name.as_deref()), ("7", Some("ann")));
    assert_eq!(
        (person.email.as_deref(), person.groups),
        (Some("ann@example.com"), vec!["dba".into()])
    );

    *liar.more.lock().expect("held") =
        json!({"sub": "7", "email": "ann@example.com", "groups": "dba"});
    let person = sign_in(&liar, json!({})).await.expect("somebody");
    assert_eq!(person.email, None, "nobody has verified that it is hers");
    assert_eq!(person.groups, ["dba"]);
    *liar.more.lock().expect("held") = json!({"sub": "8", "groups": ["dba"]});
    let refused = sign_in(&liar, json!({})).await.expect_err("of somebody else");
    assert_eq!(refused.class, Class::Permanent);
}

#[tokio::test]
async fn what_is_not_signed_for_this_sign_in_gets_nobody_in() {
    let liar = start(None).await;
    for (claims, words) in [
        (json!({"aud": "another"}), "for somebody else"),
        (json!({"aud": ["bellwether", "another"]}), "for somebody else"),
        (json!({"iss": "https://evil.example.com"}), "by another issuer"),
        (json!({"exp": 1_700_000_000}), "has expired"),
        (json!({"nonce": "of-another"}), "belongs to another sign-in"),
    ] {
        let refused = sign_in(&liar, claims).await.expect_err(words);
        assert!(refused.text.contains(words), "{words}: {refused}");
        assert_eq!(refused.class, Class::Permanent);
    }
    let liar = start(Some(key())).await;
    let refused = sign_in(&liar, json!({})).await.expect_err("another key");
    assert!(refused.text.contains("not signed by its keys"), "{refused}");
}

#[tokio::test]
async fn a_provider_that_is_down_or_another_is_told_from_one_that_refuses() {
    let down = provider("http://127.0.0.1:9");
    let failure = down.begin("https://here.example.com").await.err().expect("down");
    assert_eq!(failure.class, Class::Transient, "{failure}");
    let liar = start(None).await;
    let other = provider(&liar.url.replace("127.0.0.1", "localhost"));
    let failure = other.begin("https://here.example.com").await.err().expect("another");
    assert_eq!(failure.class, Class::NeedsPerson, "{failure}");
    let elsewhere = provider(&format!("{}/nowhere", liar.url));
    let failure = elsewhere.begin("https://here.example.com").await.err().expect("nothing there");
    assert_eq!(failure.class, Class::Transient, "{failure}");
}
