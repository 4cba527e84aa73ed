//! Clusters: made, found by name and id, planned, deleted.

use std::collections::BTreeSet;

use bellwether_model::{Cluster, Operation, OperationKind};
use bellwether_store::clusters::NameClaim;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::world::World;

pub(crate) fn spec(name: &str) -> Value {
    json!({"name": name, "engine": "postgresql", "nodes": 3})
}

#[tokio::test]
async fn a_new_cluster_is_complete_and_has_its_operation_and_its_entry_in_the_audit_log() {
    let world = World::new().await;
    let made = world.post("/v1/clusters", spec("demo")).expect(201).await;
    assert_eq!(made.header("etag"), "\"1\"");
    assert_eq!(made.at("/phase"), "creating");
    assert_eq!(made.at("/spec/version"), "18", "the newest when none was asked for");
    assert_eq!(made.at("/spec/provider"), "docker");
    let operations = world.store.list::<Operation>();
    let [operation] = operations.as_slice() else { panic!("{operations:?}") };
    assert_eq!(operation.object.kind, OperationKind::CreateCluster);
    assert_eq!(operation.object.started_by, "admin");
    assert_eq!(made.at("/operation"), operation.object.id.as_str());
    let audit = world.get("/v1/audit").expect(200).await;
    let entry = &audit.items()[0];
    assert_eq!(entry["action"], "cluster.create");
    assert_eq!(entry["object"], "demo");
    assert_eq!(entry["user"], "admin");
    assert_eq!(entry["source"], "192.0.2.1");
}

#[tokio::test]
async fn clusters_and_nodes_are_found_by_name_and_by_id() {
    let world = World::new().await;
    let cluster = world.healthy_cluster("demo", 2).await;
    let by_name = world.get("/v1/clusters/demo").expect(200).await;
    let by_id = world.get(format!("/v1/clusters/{}", cluster.id)).expect(200).await;
    assert_eq!(by_name.body, by_id.body);
    assert_eq!(by_name.at("/phase"), "healthy", "{}", by_name.text);
    assert_eq!(by_name.at("/primary_name"), "demo-1");
    let nodes = world.get("/v1/clusters/demo/nodes").expect(200).await;
    assert_eq!(nodes.items().len(), 2);
    let id = nodes.items()[1]["id"].as_str().expect("an id").to_owned();
    let by_name = world.get("/v1/clusters/demo/nodes/demo-2").expect(200).await;
    let by_id = world.get(format!("/v1/clusters/{}/nodes/{id}", cluster.id)).expect(200).await;
    assert_eq!(by_name.at("/id"), by_id.at("/id"));
    // A node is found in its own cluster only.
    world.healthy_cluster("other", 1).await;
    world.get(format!("/v1/clusters/other/nodes/{id}")).refused(404, "not-found").await;
    for wrong in ["Demo", "demo-1", "demo%20", "d%65mo/", "", "%00", "..", "%ff"] {
        let answer = world.get(format!("/v1/clusters/{wrong}")).send().await;
        assert!([400, 404].contains(&answer.status), "{}: {}", answer.name, answer.text);
    }
    world.get("/v1/clusters/d%65mo").expect(200).await;
}

#[tokio::test]
async fn of_many_who_want_one_name_exactly_one_gets_it() {
    let world = World::new().await;
    let calls = (0..16).map(|_| world.post("/v1/clusters", spec("demo")).send());
    let answers = join_all(calls).await;
    let made = answers.iter().filter(|answer| answer.status == 201).count();
    let refused = answers.iter().filter(|answer| answer.code() == "name-taken").count();
    assert_eq!((made, refused), (1, 15));
    assert_eq!(world.store.list::<Cluster>().len(), 1);
    assert_eq!(world.store.list::<NameClaim>().len(), 1);
    assert_eq!(world.store.list::<Operation>().len(), 1);
}

#[tokio::test]
async fn many_different_clusters_at_once_are_all_made() {
    let world = World::new().await;
    let calls = (0..16).map(|n| world.post("/v1/clusters", spec(&format!("c{n}"))).expect(201));
    let answers = join_all(calls).await;
    let ids: BTreeSet<&str> = answers.iter().map(|answer| answer.at("/id")).collect();
    assert_eq!(ids.len(), 16);
}

#[tokio::test]
async fn every_field_that_cannot_be_carried_out_is_named_at_once() {
    let world = World::new().await;
    let body = json!({
        "name": "Demo", "engine": "postgresql", "version": "9", "nodes": 6,
        "replication": "quorum(6)", "size": {"cpus": 64, "memory": "1MiB", "disk": "5TiB"},
    });
    let refusal = world.post("/v1/clusters", body).refused(422, "invalid-field").await;
    let fields = refusal.fields();
    let all = ["name", "version", "nodes", "replication", "size.cpus", "size.memory", "size.disk"];
    assert_eq!(fields, all);
    for (field, value) in [("engine", "oracle"), ("provider", "moon")] {
        let mut body = spec("demo");
        body[field] = json!(value);
        let refusal = world.post("/v1/clusters", body).names_field(422, field).await;
        assert!(refusal.at("/detail").contains(value), "{}", refusal.text);
    }
    assert!(world.store.list::<Cluster>().is_empty());
}

#[tokio::test]
async fn a_plan_changes_nothing() {
    let world = World::new().await;
    world.healthy_cluster("demo", 3).await;
    let before = world.store.revision();
    let create = world.post("/v1/clusters?plan=true", spec("new")).header("idempotency-key", "k");
    let plan = create.expect(200).await;
    assert_eq!(plan.at("/kind"), "create_cluster");
    let change = |query: &str, body: Value| {
        let call = world.call("PATCH", format!("/v1/clusters/demo{query}"));
        call.header("if-match", "\"1\"").json(&body)
    };
    let plans = change("?plan=true", json!({"nodes": 5})).expect(200).await;
    assert_eq!(plans.body.as_array().map(Vec::len), Some(2), "{}", plans.text);
    let plans = change("?plan=true", json!({"timers": "fast"})).expect(200).await;
    assert_eq!(plans.body, json!([]));
    for kind in ["add_node", "delete_cluster", "failover", "create_cluster"] {
        let body = json!({"kind": kind, "allow_loss": kind == "failover"});
        let call = world.post("/v1/clusters/demo/operations?plan=true", body);
        let plan = call.expect(200).await;
        let is_refused = ["failover", "create_cluster"].contains(&kind);
        assert_eq!(plan.body["refusals"] != json!([]), is_refused, "{}", plan.text);
    }
    for kind in ["switchover", "remove_node", "drain", "reboot"] {
        let body = json!({"kind": kind, "node": "demo-2"});
        let call = world.post("/v1/clusters/demo/operations?plan=true", body);
        assert_eq!(call.expect(200).await.body["refusals"], json!([]));
    }
    let plan = world.call("DELETE", "/v1/clusters/demo?plan=true").expect(200).await;
    assert_eq!(plan.body["erases"].as_array().map(Vec::len), Some(3));
    assert_eq!(world.store.revision(), before, "something was written");
    assert!(world.store.list_audit(10, None).expect("read").is_empty());
    // The key of the planned creation is still free.
    let create = world.post("/v1/clusters", spec("another")).header("idempotency-key", "k");
    create.expect(201).await;
}

#[tokio::test]
async fn what_cannot_be_done_is_refused_in_a_plan_as_in_earnest() {
    let world = World::new().await;
    world.healthy_cluster("demo", 3).await;
    world.post("/v1/clusters?plan=true", spec("demo")).refused(409, "name-taken").await;
    for query in ["", "?plan=true"] {
        let create = world.post(format!("/v1/clusters{query}"), spec("9"));
        create.names_field(422, "name").await;
        let path = format!("/v1/clusters/demo/operations{query}");
        for (kind, node) in [
            ("switchover", Value::Null),
            ("switchover", json!("")),
            ("remove_node", json!("demo-9")),
            ("add_node", json!("demo-1")),
            ("delete_cluster", json!("demo-1")),
        ] {
            let body = json!({"kind": kind, "node": node});
            world.post(&path, body).names_field(422, "node").await;
        }
        world.post(&path, json!({"kind": "explode"})).names_field(422, "kind").await;
    }
}

#[tokio::test]
async fn a_cluster_is_deleted_only_by_whoever_types_its_name() {
    let world = World::new().await;
    let cluster = world.healthy_cluster("demo", 1).await;
    for confirm in ["", "?confirm=", "?confirm=Demo", "?confirm=demo%20"] {
        let call = world.call("DELETE", format!("/v1/clusters/demo{confirm}"));
        call.names_field(422, "confirm").await;
    }
    let path = "/v1/clusters/demo/operations";
    for body in
        [json!({"kind": "delete_cluster"}), json!({"kind": "delete_cluster", "confirm": "x"})]
    {
        world.post(path, body).names_field(422, "confirm").await;
    }
    assert!(world.store.list::<Operation>().is_empty());
    let call = world.call("DELETE", format!("/v1/clusters/{}?confirm=demo", cluster.id));
    let operation = call.expect(202).await;
    assert_eq!(operation.header("location"), format!("/v1/operations/{}", operation.at("/id")));
    let shown = world.get("/v1/clusters/demo").expect(200).await;
    assert_eq!(shown.at("/phase"), "deleting");
}

#[tokio::test]
async fn of_many_operations_asked_for_at_once_one_begins() {
    let world = World::new().await;
    world.healthy_cluster("demo", 3).await;
    let ask = |kind: &'static str, node: &'static str| {
        let body = json!({"kind": kind, "node": node});
        world.post("/v1/clusters/demo/operations", body).send()
    };
    let calls = (0..4).flat_map(|_| [ask("switchover", "demo-2"), ask("remove_node", "demo-3")]);
    let answers = join_all(calls).await;
    let begun = answers.iter().filter(|answer| answer.status == 202).count();
    let refused = answers.iter().filter(|answer| answer.code() == "operation-refused").count();
    assert_eq!((begun, refused), (1, 7));
    assert_eq!(world.store.list::<Operation>().len(), 1);
}

#[tokio::test]
async fn what_is_asked_for_stays_asked_for() {
    let world = World::new().await;
    world.healthy_cluster("demo", 3).await;
    let path = "/v1/clusters/demo/operations";
    world.post(path, json!({"kind": "add_node"})).expect(202).await;
    let shown = world.get("/v1/clusters/demo").expect(200).await;
    assert_eq!((&shown.body["spec"]["nodes"], shown.header("etag")), (&json!(4), "\"2\""));
    world.healthy_cluster("full", 5).await;
    let call = world.post("/v1/clusters/full/operations", json!({"kind": "add_node"}));
    let refusal = call.refused(409, "operation-refused").await;
    assert!(refusal.at("/detail").contains('5'), "{}", refusal.text);
}
