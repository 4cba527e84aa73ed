//! Changes of clusters, each of a generation that was looked at.

use serde_json::{Value, json};

use crate::calls::Call;
use crate::world::World;

fn change<'a>(world: &'a World, generation: &str, body: &Value) -> Call<'a> {
    world.call("PATCH", "/v1/clusters/demo").header("if-match", generation).json(body)
}

#[tokio::test]
async fn a_change_is_of_the_generation_that_was_looked_at() {
    let world = World::new().await;
    world.healthy_cluster("demo", 3).await;
    let body = json!({"timers": "fast"});
    let without = world.call("PATCH", "/v1/clusters/demo").json(&body);
    let refusal = without.refused(400, "bad-request").await;
    assert!(refusal.at("/detail").contains("If-Match"));
    for unusable in [
        "",
        "*",
        "\"\"",
        "one",
        "\"-1\"",
        "W/\"1\"",
        "\"1.5\"",
        "\"1\", \"2\"",
        "\"1",
        "+1",
        "\"+1\"",
    ] {
        change(&world, unusable, &body).refused(400, "bad-request").await;
    }
    for wrong in ["\"0\"", "\"2\"", "\"18446744073709551615\""] {
        let refusal = change(&world, wrong, &body).refused(412, "generation-mismatch").await;
        assert!(refusal.at("/detail").contains("generation 1"), "{}", refusal.text);
    }
    let seen = world.get("/v1/clusters/demo").expect(200).await;
    let changed = change(&world, seen.header("etag"), &body).expect(200).await;
    assert_eq!(changed.header("etag"), "\"2\"");
    assert_eq!(changed.body["generation"], json!(2));
    change(&world, seen.header("etag"), &json!({"timers": "wan"}))
        .refused(412, "generation-mismatch")
        .await;
    let seen = world.get("/v1/clusters/demo").expect(200).await;
    assert_eq!(seen.at("/spec/timers"), "fast");
}

#[tokio::test]
async fn a_change_that_changes_nothing_leaves_the_generation() {
    let world = World::new().await;
    world.healthy_cluster("demo", 3).await;
    let before = world.store.revision();
    for body in [json!({}), json!({"nodes": 3}), json!({"nodes": null, "timers": null})] {
        let same = change(&world, "\"1\"", &body).expect(200).await;
        assert_eq!(same.header("etag"), "\"1\"");
    }
    assert_eq!(world.store.revision(), before);
}

#[tokio::test]
async fn of_two_changes_of_one_generation_one_is_refused() {
    let world = World::new().await;
    world.healthy_cluster("demo", 3).await;
    let calls =
        ["fast", "wan"].map(|timers| change(&world, "\"1\"", &json!({"timers": timers})).send());
    let answers = futures_util::future::join_all(calls).await;
    let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412]);
}

#[tokio::test]
async fn what_cannot_be_carried_out_is_named_and_changes_nothing() {
    let world = World::new().await;
    world.healthy_cluster("demo", 3).await;
    for (field, body) in [
        ("nodes", json!({"nodes": 0})),
        ("nodes", json!({"nodes": 6})),
        ("nodes", json!({"nodes": 4_294_967_296_u64})),
        ("nodes", json!({"nodes": -1})),
        ("nodes", json!({"nodes": 2.5})),
        ("replication", json!({"replication": "quorum(3)"})),
        ("replication", json!({"replication": "quorum(4294967295)"})),
        ("replication", json!({"replication": "quorum(4294967296)"})),
        ("replication", json!({"replication": "sometimes"})),
        ("timers", json!({"timers": "slow"})),
        ("name", json!({"name": "other"})),
        ("version", json!({"version": "18"})),
    ] {
        change(&world, "\"1\"", &body).names_field(422, field).await;
    }
    let seen = world.get("/v1/clusters/demo").expect(200).await;
    assert_eq!(seen.header("etag"), "\"1\"");
}

#[tokio::test]
async fn a_cluster_that_is_being_deleted_is_not_changed() {
    let world = World::new().await;
    world.healthy_cluster("demo", 1).await;
    world.call("DELETE", "/v1/clusters/demo?confirm=demo").expect(202).await;
    let seen = world.get("/v1/clusters/demo").expect(200).await;
    let refusal = change(&world, seen.header("etag"), &json!({"timers": "wan"}));
    refusal.refused(409, "operation-refused").await;
}
