//! Signing in through an identity provider.

use std::sync::Mutex;

use async_trait::async_trait;
use bellwether_contracts::identity::{Begun, IdentityFacts, IdentityProvider};
use bellwether_contracts::{Class, Failure};
use bellwether_model::Timestamp;
use bellwether_model::identity::Person;
use bellwether_store::Txn;
use bellwether_store::users::{Identity, User, find_by_name};
use serde_json::{Value, json};

use crate::calls::{Answer, Call};
use crate::coverage::bad_bodies;
use crate::world::World;

/// A provider that says what a test wants it to.
pub(crate) struct SomeProvider {
    facts: IdentityFacts,
    says: Mutex<Result<Person, Failure>>,
    is_down: Mutex<bool>,
}

impl Default for SomeProvider {
    fn default() -> Self {
        let rules = json!([
            {"group": "owners", "role": "owner"},
            {"group": "shop", "role": "operator", "project": "shop"},
            {"email": "@example.com", "role": "viewer"},
        ]);
        let facts = IdentityFacts {
            title: "Example".to_owned(),
            issuer: "https://id.example.com".to_owned(),
            addresses: ["https://a.example.com", "https://b.example.com"].map(str::to_owned).into(),
            days: 30,
            rules: serde_json::from_value(rules).expect("rules"),
        };
        let says = Mutex::new(Ok(Person::default()));
        Self { facts, says, is_down: Mutex::default() }
    }
}

impl SomeProvider {
    fn says(&self, person: Result<Person, Failure>) {
        *self.says.lock().expect("held") = person;
    }

    fn set_down(&self, is_down: bool) {
        *self.is_down.lock().expect("held") = is_down;
    }
}

#[async_trait]
impl IdentityProvider for SomeProvider {
    fn facts(&self) -> &IdentityFacts {
        &self.facts
    }

    async fn begin(&self, address: &str) -> Result<Begun, Failure> {
        if *self.is_down.lock().expect("held") {
            return Err(Failure::transient("it cannot be reached: refused"));
        }
        let state = format!("{:x}", rand::random::<u128>());
        Ok(Begun {
            url: format!("https://id.example.com/?state={state}&to={address}"),
            state,
            nonce: "the-nonce".to_owned(),
            verifier: "the-verifier".to_owned(),
            address: address.to_owned(),
        })
    }

    async fn finish(&self, begun: &Begun, code: &str) -> Result<Person, Failure> {
        assert_eq!((begun.nonce.as_str(), begun.verifier.as_str()), ("the-nonce", "the-verifier"));
        assert_eq!(code, "the-code");
        self.says.lock().expect("held").clone()
    }
}

fn person(subject: &str, name: &str, email: Option<&str>, groups: &[&str]) -> Person {
    Person {
        subject: subject.to_owned(),
        name: Some(name.to_owned()),
        email: email.map(str::to_owned),
        groups: groups.iter().map(|group| (*group).to_owned()).collect(),
    }
}

fn begin<'a>(world: &'a World, body: Value) -> Call<'a> {
    world.post("/v1/identity-provider/sign-ins", body).anonymous()
}

/// What the provider's page leads back with, and what the server gave for it.
async fn begun(world: &World) -> Value {
    let begun = begin(world, json!({})).expect(201).await;
    let state = begun.at("/url").split("state=").nth(1).and_then(|rest| rest.split('&').next());
    json!({"binding": begun.at("/binding"), "code": "the-code", "state": state.expect("a state")})
}

fn end<'a>(world: &'a World, body: &Value) -> Call<'a> {
    world.post("/v1/identity-provider/sessions", body.clone()).anonymous()
}

async fn sign_in(world: &World, person: Person) -> Answer {
    world.identity.says(Ok(person));
    end(world, &begun(world).await).expect(201).await
}

#[tokio::test]
async fn somebody_becomes_a_user_with_what_the_rules_say_and_stays_the_same() {
    let world = World::new().await;
    assert_eq!(
        world.get("/v1/identity-provider").anonymous().expect(200).await.at("/title"),
        "Example"
    );
    let first = sign_in(&world, person("7", "ann", Some("ann@example.com"), &["shop"])).await;
    assert!(first.header("set-cookie").starts_with("bellwether_session="));
    let token = first.at("/token").to_owned();
    let me = world.get("/v1/me").bearer(&token).expect(200).await;
    assert_eq!((me.at("/name"), me.at("/access/everywhere")), ("ann", "viewer"));
    assert_eq!(me.at("/access/projects/shop"), "operator");
    assert_eq!(me.body["by_provider"], json!(true));

    // Renamed there, and in other groups: the same user, with other rights, also where she is
    // signed in.
    let again = sign_in(&world, person("7", "anna", None, &["shop"])).await;
    assert_eq!(again.at("/user/name"), "ann");
    let me = world.get("/v1/me").bearer(&token).expect(200).await;
    assert!(me.body["access"].get("everywhere").is_none(), "{}", me.text);
    let log = world.get("/v1/audit").expect(200).await;
    for action in ["user.create", "session.create", "user.change"] {
        assert!(log.text.contains(action), "{action}: {}", log.text);
    }
    assert!(log.text.contains("through https://id.example.com"), "{}", log.text);
}

#[tokio::test]
async fn nobody_is_taken_for_a_local_user_of_the_same_name() {
    let world = World::new().await;
    let told = person("8", "admin", Some("admin@example.com"), &["owners"]);
    let session = sign_in(&world, told).await;
    assert_eq!(session.at("/user/name"), "admin@example.com");
    let told = person("9", "admin", None, &["owners"]);
    let session = sign_in(&world, told).await;
    assert!(session.at("/user/name").starts_with("admin-"), "{}", session.text);
    let odd = person("10", "a b", Some("admin@example.com"), &["owners"]);
    let session = sign_in(&world, odd).await;
    assert!(session.at("/user/name").starts_with("admin@example.com-"), "{}", session.text);

    // Owners of the provider's do not count as the one that the server keeps.
    world.call("DELETE", "/v1/users/admin").refused(409, "operation-refused").await;
}

#[tokio::test]
async fn a_sign_in_is_good_once_for_whoever_began_it_and_for_who_has_a_role() {
    let world = World::new().await;
    let good = Ok(person("7", "ann", None, &["owners"]));
    world.identity.says(good.clone());
    let pair = begun(&world).await;
    end(&world, &pair).expect(201).await;
    end(&world, &pair).refused(401, "sign-in-refused").await;
    let (mut own, other) = (begun(&world).await, begun(&world).await);
    own["binding"] = other["binding"].clone();
    end(&world, &own).refused(401, "sign-in-refused").await;
    let mut made_up = other.clone();
    made_up["state"] = json!("made-up");
    end(&world, &made_up).refused(401, "sign-in-refused").await;

    world.identity.says(Ok(person("11", "eve", Some("eve@example.org"), &["others"])));
    let refused = end(&world, &begun(&world).await).refused(401, "sign-in-refused").await;
    assert!(refused.text.contains("knows you as eve"), "{}", refused.text);
    assert!(find_by_name(&world.store, "eve").is_none(), "nobody was made");
    let wrong = Failure::permanent("its answer is for somebody else");
    assert_eq!(wrong.class, Class::Permanent);
    world.identity.says(Err(wrong));
    end(&world, &begun(&world).await).refused(401, "sign-in-refused").await;
    let log = world.get("/v1/audit").expect(200).await;
    let refusals = log.text.matches("\"sign-in-refused\"").count();
    assert_eq!(refusals, 5, "{}", log.text);
    for secret in ["the-code", "the-verifier", "the-nonce"] {
        assert!(!log.text.contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn what_the_provider_said_counts_for_so_many_days_and_for_that_provider() {
    let world = World::new().await;
    let session = sign_in(&world, person("7", "ann", None, &["owners"])).await;
    let token = session.at("/token").to_owned();
    let made = world.post("/v1/tokens", json!({"name": "ci"})).bearer(&token).expect(201).await;
    let made = made.at("/secret").to_owned();
    let change = async |change: fn(&mut Identity)| {
        let mut user = find_by_name(&world.store, "ann").expect("a user");
        change(user.object.identity.as_mut().expect("an identity"));
        world.store.commit(Txn::new().update::<User>(&user)).await.expect("saved");
    };
    world.get("/v1/me").bearer(&made).expect(200).await;
    change(|identity| {
        let days = 31 * 86_400_000;
        identity.confirmed_at = Timestamp::from_millis(Timestamp::now().as_millis() - days);
    })
    .await;
    for secret in [&token, &made] {
        world.get("/v1/me").bearer(secret).refused(401, "unauthenticated").await;
    }
    sign_in(&world, person("7", "ann", None, &["owners"])).await;
    world.get("/v1/me").bearer(&made).expect(200).await;
    change(|identity| identity.issuer = "https://elsewhere.example.com".to_owned()).await;
    world.get("/v1/me").bearer(&made).refused(401, "unauthenticated").await;
}

#[tokio::test]
async fn rules_that_are_others_at_the_next_start_count_at_once() {
    let world = World::new().await;
    sign_in(&world, person("7", "ann", None, &["owners"])).await;
    let mut other = SomeProvider::default();
    other.facts.rules.clear();
    bellwether_api::apply_rules(&world.store, &other).await.expect("applied");
    let ann = find_by_name(&world.store, "ann").expect("a user").object;
    assert_eq!(ann.access, bellwether_model::access::Access::default());
    let admin = find_by_name(&world.store, "admin").expect("a user").object;
    assert_eq!(admin.access, bellwether_model::access::Access::owner());
}

#[tokio::test]
async fn without_a_provider_there_is_the_password() {
    let world = World::without_provider().await;
    let shown = world.get("/v1/identity-provider").anonymous().expect(200).await;
    assert_eq!(shown.body, json!({}));
    begin(&world, json!({})).refused(404, "not-found").await;
    let body = json!({"binding": "a", "code": "b", "state": "c"});
    end(&world, &body).refused(404, "not-found").await;
}

/// What the walk over the document's answers asks here.
pub(crate) async fn walk(world: &World) {
    let path = "/v1/identity-provider";
    world.get(path).anonymous().expect(200).await;
    world.get(format!("{path}?colour=red")).anonymous().refused(400, "bad-request").await;
    for path in ["/v1/identity-provider/sign-ins", "/v1/identity-provider/sessions"] {
        bad_bodies(|| world.call("POST", path).anonymous()).await;
    }
    let elsewhere = json!({"address": "https://evil.example.com"});
    begin(world, elsewhere).names_field(422, "address").await;
    begin(world, json!({"address": "https://b.example.com"})).expect(201).await;
    let session = sign_in(world, person("7", "ann", None, &["owners"])).await;
    let token = session.at("/token");
    let refusals = [
        ("PATCH", "/v1/users/ann", json!({"access": {}})),
        ("POST", "/v1/users/ann/password", json!({})),
        ("PUT", "/v1/projects/default/members/ann", json!({"role": "viewer"})),
        ("DELETE", "/v1/projects/default/members/ann", json!({})),
        ("POST", "/v1/me/second-factor", json!({"password": "a"})),
        ("PUT", "/v1/me/password", json!({"current": "a", "new": "a-long-password"})),
    ];
    for (method, path, body) in refusals {
        let call = world.call(method, path).bearer(token).json(&body);
        call.refused(409, "operation-refused").await;
    }
    let body = json!({"user": "ann", "password": ""});
    world.post("/v1/sessions", body).anonymous().refused(401, "wrong-password").await;
    world.call("DELETE", "/v1/users/ann").expect(204).await;
    sign_in(world, person("7", "ann", None, &["owners"])).await;

    end(world, &json!({"binding": "a", "code": "b", "state": "c"}))
        .refused(401, "sign-in-refused")
        .await;
    world.identity.says(Err(Failure::transient("it cannot be reached")));
    end(world, &begun(world).await).refused(503, "provider-unavailable").await;
    world.identity.set_down(true);
    begin(world, json!({})).refused(503, "provider-unavailable").await;
    world.identity.set_down(false);
    for _ in 0..19 {
        begin(world, json!({})).expect(201).await;
    }
    begin(world, json!({})).refused(429, "too-many-attempts").await;
}
