//! Lists, page by page.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::clusters::spec;
use crate::world::World;

/// Walks a list to its end; the key of every item in the order they came.
async fn walk(world: &World, path: &str, limit: usize) -> Vec<String> {
    let mut keys = Vec::new();
    let mut after = String::new();
    let joint = if path.contains('?') { '&' } else { '?' };
    loop {
        let page = world.get(format!("{path}{joint}limit={limit}{after}")).expect(200).await;
        let items = page.items();
        keys.extend(items.iter().map(|item| item["id"].to_string()));
        let Some(next) = page.body["next"].as_str() else {
            assert!(items.len() <= limit);
            return keys;
        };
        assert_eq!(items.len(), limit, "only the last page is short");
        after = format!("&after={next}");
        assert!(keys.len() < 1_000, "it does not end");
    }
}

#[tokio::test]
async fn pages_have_everything_once_and_in_order() {
    let world = World::new().await;
    for number in 0..7 {
        world.post("/v1/clusters", spec(&format!("c{number}"))).expect(201).await;
    }
    for path in ["/v1/clusters", "/v1/operations", "/v1/audit", "/v1/operations?cluster=c3"] {
        let all = walk(&world, path, 500).await;
        let count = if path.contains('?') { 1 } else { 7 };
        assert_eq!(all.len(), count, "{path}");
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), count, "{path}");
        for limit in [1, 2, 6, 7, 8] {
            assert_eq!(walk(&world, path, limit).await, all, "{path} by {limit}");
        }
    }
    let names = |page: &[Value], key: &str| -> Vec<String> {
        page.iter().map(|item| item[key].as_str().unwrap_or_default().to_owned()).collect()
    };
    let clusters = world.get("/v1/clusters").expect(200).await;
    assert_eq!(names(clusters.items(), "name").first().map(String::as_str), Some("c0"));
    let operations = world.get("/v1/operations").expect(200).await;
    let newest = names(operations.items(), "cluster_name");
    assert_eq!(newest.first().map(String::as_str), Some("c6"), "the newest first");
}

#[tokio::test]
async fn a_page_goes_on_where_the_one_before_ended_whatever_came_or_went() {
    let world = World::new().await;
    for number in 0..4 {
        world.post("/v1/clusters", spec(&format!("c{number}"))).expect(201).await;
    }
    let first = world.get("/v1/clusters?limit=2").expect(200).await;
    let next = first.at("/next").to_owned();
    let txn = bellwether_store::Txn::new().delete::<bellwether_model::Cluster>(&next, None);
    world.store.commit(txn).await.expect("deleted");
    world.post("/v1/clusters", spec("c4")).expect(201).await;
    let second = world.get(format!("/v1/clusters?limit=5&after={next}")).expect(200).await;
    let names: Vec<_> = second.items().iter().filter_map(|item| item["name"].as_str()).collect();
    assert_eq!(names, ["c2", "c3", "c4"]);
    // New operations come before the newest: a walk that has begun does not see them.
    let first = world.get("/v1/operations?limit=2").expect(200).await;
    world.post("/v1/clusters", spec("c5")).expect(201).await;
    let rest = format!("/v1/operations?limit=500&after={}", first.at("/next"));
    let rest = world.get(rest).expect(200).await;
    assert_eq!(rest.items().len(), 3);
}

#[tokio::test]
async fn a_limit_or_a_place_that_makes_no_sense_is_refused_by_its_name() {
    let world = World::new().await;
    for path in ["/v1/clusters", "/v1/operations", "/v1/audit"] {
        for limit in ["0", "501", "-1", "1.5", "many", "", "99999999999999999999", "0x10"] {
            let call = world.get(format!("{path}?limit={limit}"));
            call.names_field(400, "limit").await;
        }
        let twice = world.get(format!("{path}?limit=1&limit=2"));
        twice.names_field(400, "limit").await;
        world.get(format!("{path}?limit=1")).expect(200).await;
        world.get(format!("{path}?limit=500")).expect(200).await;
        world.get(format!("{path}?page=2")).names_field(400, "page").await;
    }
    for after in ["x", "", "1.5", "99999999999999999999"] {
        world.get(format!("/v1/audit?after={after}")).names_field(400, "after").await;
    }
    let empty = world.get("/v1/audit?after=-5").expect(200).await;
    assert_eq!(empty.items().len(), 0);
}

#[tokio::test]
async fn operations_are_those_of_one_cluster_when_that_is_asked() {
    let world = World::new().await;
    let made = world.post("/v1/clusters", spec("one")).expect(201).await;
    world.post("/v1/clusters", spec("two")).expect(201).await;
    for text in ["one", made.at("/id")] {
        let list = world.get(format!("/v1/operations?cluster={text}")).expect(200).await;
        assert_eq!(list.items().len(), 1, "{text}");
        assert_eq!(list.items()[0]["cluster_name"], "one");
    }
    let none = world.get("/v1/operations?cluster=three").expect(200).await;
    assert!(none.items().is_empty());
    // A cluster that is gone keeps its record.
    let txn = bellwether_store::Txn::new()
        .delete::<bellwether_model::Cluster>(made.at("/id"), None)
        .delete::<bellwether_store::clusters::NameClaim>("one", None);
    world.store.commit(txn).await.expect("deleted");
    for text in ["one", made.at("/id")] {
        let list = world.get(format!("/v1/operations?cluster={text}")).expect(200).await;
        assert_eq!(list.items().len(), 1, "{text}");
    }
}
