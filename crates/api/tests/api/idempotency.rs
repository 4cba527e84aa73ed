//! The same request sent twice makes one thing.

use bellwether_model::{Cluster, Operation, Timestamp};
use bellwether_store::idempotency::Idempotency;
use bellwether_store::{Stored, Txn};
use futures_util::future::join_all;
use serde_json::json;

use crate::calls::Call;
use crate::clusters::spec;
use crate::world::World;

fn create<'a>(world: &'a World, key: &str, name: &str) -> Call<'a> {
    world.post("/v1/clusters", spec(name)).header("idempotency-key", key)
}

#[tokio::test]
async fn the_same_creation_sent_again_is_answered_with_the_same_cluster() {
    let world = World::new().await;
    let first = create(&world, "k", "demo").expect(201).await;
    let again = create(&world, "k", "demo").expect(201).await;
    assert_eq!(first.body, again.body);
    assert_eq!(first.header("etag"), again.header("etag"));
    create(&world, "k", "other").refused(409, "idempotency-key-reused").await;
    create(&world, "l", "demo").refused(409, "name-taken").await;
    assert_eq!(world.store.list::<Cluster>().len(), 1);
    assert_eq!(world.store.list::<Operation>().len(), 1);
}

#[tokio::test]
async fn many_of_the_same_at_one_moment_make_one() {
    let world = World::new().await;
    let answers = join_all((0..12).map(|_| create(&world, "k", "demo").expect(201))).await;
    assert!(answers.iter().all(|answer| answer.at("/id") == answers[0].at("/id")));
    world.healthy_cluster("running", 3).await;
    let ask = || {
        let body = json!({"kind": "remove_node", "node": "running-3"});
        let call = world.post("/v1/clusters/running/operations", body);
        call.header("idempotency-key", "r").expect(202)
    };
    let answers = join_all((0..12).map(|_| ask())).await;
    assert!(answers.iter().all(|answer| answer.body == answers[0].body));
    assert_eq!(world.store.list::<Operation>().len(), 2);
}

#[tokio::test]
async fn a_key_belongs_to_one_user() {
    let world = World::new().await;
    world.another_user("bob", "of-bob").await;
    let first = create(&world, "k", "first").expect(201).await;
    let bobs = create(&world, "k", "second").bearer("of-bob").expect(201).await;
    assert_ne!(first.at("/id"), bobs.at("/id"));
    let again = create(&world, "k", "second").bearer("of-bob").expect(201).await;
    assert_eq!(again.at("/id"), bobs.at("/id"));
}

#[tokio::test]
async fn a_key_is_of_one_request_whatever_its_kind() {
    let world = World::new().await;
    world.healthy_cluster("demo", 3).await;
    world.healthy_cluster("other", 3).await;
    create(&world, "k", "new").expect(201).await;
    let ask = |cluster: &str, key: &str| {
        let body = json!({"kind": "remove_node", "node": format!("{cluster}-3")});
        let path = format!("/v1/clusters/{cluster}/operations");
        world.post(path, body).header("idempotency-key", key)
    };
    ask("demo", "k").refused(409, "idempotency-key-reused").await;
    ask("demo", "l").expect(202).await;
    ask("other", "l").refused(409, "idempotency-key-reused").await;
}

#[tokio::test]
async fn a_key_that_is_none_is_refused() {
    let world = World::new().await;
    for key in ["", &"k".repeat(201), "ä"] {
        let refusal = create(&world, key, "demo").refused(400, "bad-request").await;
        assert!(refusal.at("/detail").contains("Idempotency-Key"), "{}", refusal.text);
    }
    create(&world, &"k".repeat(200), "demo").expect(201).await;
}

#[tokio::test]
async fn what_was_refused_is_tried_anew_with_the_same_key() {
    let world = World::new().await;
    world.provider.set_down(true);
    create(&world, "k", "demo").refused(503, "provider-unavailable").await;
    world.provider.set_down(false);
    create(&world, "k", "demo").expect(201).await;
}

#[tokio::test]
async fn a_key_is_forgotten_after_a_day() {
    let world = World::new().await;
    let first = create(&world, "k", "first").expect(201).await;
    let key = format!("{}/k", world.admin.id);
    let mut known: Stored<Idempotency> = world.store.get(&key).expect("remembered");
    assert_eq!(known.object.made, first.at("/id"));
    let day_ms = 24 * 3_600_000;
    let at = known.object.created_at.as_millis() - day_ms - 1_000;
    known.object.created_at = Timestamp::from_millis(at);
    world.store.commit(Txn::new().update(&known)).await.expect("saved");
    let second = create(&world, "k", "second").expect(201).await;
    assert_ne!(first.at("/id"), second.at("/id"));
}

#[tokio::test]
async fn what_was_made_and_is_gone_is_not_made_anew() {
    let world = World::new().await;
    let made = create(&world, "k", "demo").expect(201).await;
    let txn = Txn::new()
        .delete::<Cluster>(made.at("/id"), None)
        .delete::<bellwether_store::clusters::NameClaim>("demo", None);
    world.store.commit(txn).await.expect("deleted");
    create(&world, "k", "demo").refused(409, "idempotency-key-reused").await;
}
