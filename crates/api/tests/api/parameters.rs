//! Settings of engines: shown, chosen, planned, changed, refused.

use bellwether_model::Operation;
use serde_json::{Value, json};

use crate::calls::Call;
use crate::world::World;

fn change<'a>(world: &'a World, query: &str, parameters: &Value) -> Call<'a> {
    let call = world.call("PATCH", format!("/v1/clusters/demo{query}"));
    call.header("if-match", "\"1\"").json(&json!({ "parameters": parameters }))
}

#[tokio::test]
async fn what_can_be_chosen_is_shown_for_the_size_of_the_nodes() {
    let world = World::new().await;
    world.healthy_cluster("demo", 3).await;
    let shown = world.get("/v1/clusters/demo/parameters").expect(200).await;
    assert_eq!(shown.at("/0/value"), "100");
    assert_eq!(shown.body[0]["chosen"], json!(false));
    assert_eq!(shown.at("/1/default"), "256MiB");
    assert_eq!(shown.at("/1/range"), "1KiB to 512MiB");
    let small = world.get("/v1/engines/postgresql/parameters?memory=256MiB&version=17");
    assert_eq!(small.expect(200).await.at("/1/default"), "64MiB");
    let wrong = world.get("/v1/engines/postgresql/parameters?memory=lots");
    let wrong = wrong.refused(422, "invalid-field").await;
    assert_eq!(wrong.at("/fields/0/field"), "memory");
}

#[tokio::test]
async fn a_change_is_planned_as_a_difference_and_leaves_an_operation() {
    let world = World::new().await;
    world.healthy_cluster("demo", 3).await;
    let wanted = json!({"connections": 200, "memory": "64 MiB"});
    let before = world.store.revision();
    let plans = change(&world, "?plan=true", &wanted).expect(200).await;
    assert_eq!(world.store.revision(), before, "a plan changes nothing");
    assert_eq!(plans.at("/0/kind"), "reconfigure");
    let expected = json!({"name": "connections", "from": "100", "to": "200", "restart": true});
    assert_eq!(plans.body[0]["changes"][0], expected);
    assert_eq!(plans.body[0]["restarts"], json!(["demo-2", "demo-3", "demo-1"]));
    let changed = change(&world, "", &wanted).expect(200).await;
    let stored = json!({"connections": "200", "memory": "64MiB"});
    assert_eq!(changed.body["spec"]["parameters"], stored);
    let operations = world.store.list::<Operation>();
    let [operation] = operations.as_slice() else { panic!("{operations:?}") };
    assert_eq!(operation.object.kind.word(), "reconfigure");
    assert_eq!(operation.object.state["after"], stored);
    assert_eq!(operation.object.started_by, "admin");
    let again = world.call("PATCH", "/v1/clusters/demo").header("if-match", "\"2\"");
    let refusal = again.json(&json!({"parameters": {}})).refused(409, "operation-refused").await;
    assert!(refusal.at("/detail").contains("under way"), "{}", refusal.text);
}

#[tokio::test]
async fn what_cannot_be_had_is_named_and_changes_nothing() {
    let world = World::new().await;
    world.healthy_cluster("demo", 3).await;
    let before = world.store.revision();
    for (name, value, words) in [
        ("connections", json!(0), "choose 1 to 1000"),
        ("connections", json!("x'; DROP TABLE y"), "no whole number"),
        ("memory", json!("1GiB"), "choose 1KiB to 512MiB"),
        ("port", json!(1), "endpoints rely on it"),
        ("nothing", json!(true), "no setting of that name"),
    ] {
        let refusal = change(&world, "", &json!({ name: value }));
        let refusal = refusal.refused(422, "invalid-field").await;
        assert_eq!(refusal.at("/fields/0/field"), format!("parameters.{name}"));
        assert!(refusal.text.contains(words), "{}", refusal.text);
    }
    change(&world, "", &json!({"connections": [1]})).refused(422, "invalid-field").await;
    let spec = json!({"name": "new", "engine": "postgresql", "nodes": 1,
                      "parameters": {"connections": 5_000}});
    let refusal = world.call("POST", "/v1/clusters").json(&spec);
    let refusal = refusal.refused(422, "invalid-field").await;
    assert_eq!(refusal.at("/fields/0/field"), "parameters.connections");
    assert_eq!(world.store.revision(), before);
}
