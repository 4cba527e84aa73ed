//! H3: the primary's data is copied anew to every replica, one after the other, under load.

use std::time::Duration;

use bellwether_model::Operation;
use bellwether_testkit::docker::{container_of, docker, inside};
use bellwether_testkit::wait::until;
use bellwether_testkit::{Api, Server, Writer};
use serde_json::json;

/// A file that only this node's present copy has: a resync leaves none of it.
fn mark_of(node: &str) -> String {
    format!("/data/pgdata/former_copy_of_{node}")
}

/// The replicas of a cluster, as (name, container).
async fn replicas(api: &Api) -> anyhow::Result<Vec<(String, String)>> {
    let primary = api.cluster("orders").await?.primary;
    let nodes = api.nodes("orders").await?;
    let replicas = nodes.into_iter().filter(|node| Some(&node.id) != primary.as_ref());
    replicas.map(|node| Ok((node.name.clone(), container_of(node.id.as_str())?))).collect()
}

fn mark((node, container): &(String, String)) -> anyhow::Result<()> {
    inside(container, &format!("touch {}", mark_of(node))).map(drop)
}

fn has_mark((node, container): &(String, String)) -> anyhow::Result<bool> {
    let line = format!("test -e {} && echo yes || echo no", mark_of(node));
    Ok(inside(container, &line)? == "yes")
}

/// Whether former data is kept beside the present.
fn keeps_former(container: &str) -> anyhow::Result<bool> {
    Ok(inside(container, "test -e /data/pgdata.former && echo yes || echo no")? == "yes")
}

async fn resync(api: &Api, body: serde_json::Value) -> anyhow::Result<Operation> {
    api.post("/v1/clusters/orders/operations", &body).await
}

/// Waits until a step of the operation whose name begins so runs, or is over.
async fn until_step(api: &Api, operation: &Operation, name: &str) -> anyhow::Result<()> {
    until(name, Duration::from_secs(60), || async {
        let all = api.operations("orders").await?;
        let now = all.iter().find(|o| o.id == operation.id);
        let at = now.and_then(|now| {
            let step = now.steps.iter().position(|step| step.name.starts_with(name))?;
            Some(now.step_at().is_none_or(|at| at >= step))
        });
        anyhow::ensure!(at == Some(true), "not yet");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn every_replica_is_copied_anew_under_load_and_through_deaths_of_the_server()
-> anyhow::Result<()> {
    let (mut server, mut api) = Server::start().await?;
    api.create("orders", 3, "strict").await?;
    let writer = Writer::start(api.connection("orders").await?).await?;
    writer.progress(100).await?;
    let replicas = replicas(&api).await?;
    for replica in &replicas {
        mark(replica)?;
    }

    let operation = resync(&api, json!({ "kind": "resync", "copy": true })).await?;
    for part in ["withdraw", "copy", "await_catch_up", "admit", "drop_former"] {
        // Some at the first replica, some at the second.
        let place = usize::from(part.len() % 2 == 0);
        let step = format!("{part}/{}", replicas[place].0);
        until_step(&api, &operation, &step).await?;
        server.kill();
        api = server.restart().await?;
    }
    let ended = api.finish(operation.id.as_str(), Duration::from_secs(180)).await?;
    assert!(ended.message.starts_with("copied anew: orders-2, orders-3 from"), "{}", ended.message);
    api.healthy("orders", Duration::from_secs(60)).await?;
    for replica in &replicas {
        let (name, container) = replica;
        assert!(!has_mark(replica)?, "{name} has its former data still");
        assert!(!keeps_former(container)?, "{name} keeps its former data aside");
        let told = inside(container, "cat /data/pgdata/bellwether_copied")?;
        assert!(told.starts_with(operation.id.as_str()), "{name} was copied under `{told}`");
    }
    writer.progress(100).await?;
    let (history, found) = writer.stop().await?;
    assert_eq!(history.lost(&found), Vec::<i64>::new(), "acknowledged writes are missing");
    server.check_log()
}

#[tokio::test]
async fn a_primary_lost_in_the_middle_is_replaced_and_the_rest_is_told() -> anyhow::Result<()> {
    let (server, api) = Server::start().await?;
    let cluster = api.create("orders", 3, "strict").await?;
    let former = cluster.primary.expect("a primary");
    let writer = Writer::start(api.connection("orders").await?).await?;
    let replicas = replicas(&api).await?;
    for replica in &replicas {
        mark(replica)?;
    }
    let operation = resync(&api, json!({ "kind": "resync", "copy": true })).await?;
    until_step(&api, &operation, &format!("copy/{}", replicas[0].0)).await?;
    docker(&["kill", &container_of(former.as_str())?])?;
    writer.progress(50).await?;
    let cluster = api.healthy("orders", Duration::from_secs(180)).await?;
    assert_ne!(cluster.primary, Some(former), "a replica took over");
    let path = format!("/v1/operations/{}", operation.id);
    let ended: Operation = api.get(&path).await?;
    assert!(ended.status.is_ended() && !ended.message.is_empty(), "{ended:?}");
    for (name, container) in &replicas {
        assert!(!keeps_former(container)?, "{name} keeps its former data aside");
    }
    assert!(!has_mark(&replicas[0])?, "the first was copied, from whoever was primary");
    let (history, found) = writer.stop().await?;
    assert_eq!(history.lost(&found), Vec::<i64>::new(), "acknowledged writes are missing");
    server.check_log()
}

#[tokio::test]
async fn what_would_go_is_planned_and_what_cannot_be_is_refused() -> anyhow::Result<()> {
    let (server, api) = Server::start().await?;
    api.create("orders", 1, "async").await?;
    let path = "/v1/clusters/orders/operations";
    let all = json!({ "kind": "resync", "copy": true });
    let (status, problem) = api.send("POST", path, Some(&all)).await?;
    assert_eq!(status, 409);
    assert!(problem["detail"].as_str().is_some_and(|words| words.contains("one node only")));

    let added = api.operate("orders", "add_node", None).await?;
    api.finish(added.id.as_str(), Duration::from_secs(120)).await?;
    api.healthy("orders", Duration::from_secs(30)).await?;
    let plan = format!("{path}?plan=true");
    let (_, planned) = api.send("POST", &plan, Some(&all)).await?;
    let erased = planned["erases"][0].as_str().unwrap_or_default();
    assert!(erased.starts_with("orders-2: all of its data"), "{planned}");
    assert_eq!(planned["redundancy_min"], 0);
    assert!(planned["bytes_copied"].as_u64().is_some_and(|bytes| bytes > 1 << 20), "{planned}");
    let aligned = json!({ "kind": "resync" });
    let (status, problem) = api.send("POST", path, Some(&aligned)).await?;
    assert_eq!(status, 409);
    assert!(problem["detail"].as_str().is_some_and(|words| words.contains("nothing to align")));
    for (body, field) in [
        (json!({ "kind": "resync", "nodes": ["orders-9"], "copy": true }), "nodes"),
        (json!({ "kind": "add_node", "copy": true }), "copy"),
    ] {
        let (status, problem) = api.send("POST", path, Some(&body)).await?;
        assert_eq!((status, &problem["fields"][0]["field"]), (422, &json!(field)), "{problem}");
    }

    let one = json!({ "kind": "resync", "nodes": ["orders-2"], "copy": true });
    let operation = resync(&api, one).await?;
    assert_eq!(operation.node_name.as_deref(), Some("orders-2"));
    api.finish(operation.id.as_str(), Duration::from_secs(120)).await?;
    api.healthy("orders", Duration::from_secs(30)).await?;
    server.check_log()
}

#[tokio::test]
async fn where_the_disk_has_no_room_for_both_the_former_data_goes_first() -> anyhow::Result<()> {
    let (server, api) = Server::start().await?;
    api.create("orders", 2, "async").await?;
    let replicas = replicas(&api).await?;
    mark(&replicas[0])?;
    let container = &replicas[0].1;
    let fill =
        "fallocate -l $(($(df --output=avail -B1 /data | tail -1) - 172 * 1048576)) /data/fill";
    inside(container, fill)?;
    let plan = "/v1/clusters/orders/operations?plan=true";
    let request = json!({ "kind": "resync", "copy": true });
    until("the disk is reported", Duration::from_secs(20), || async {
        let (_, planned) = api.send("POST", plan, Some(&request)).await?;
        let erased = planned["erases"][0].as_str().unwrap_or_default();
        anyhow::ensure!(erased.contains("before the copy begins"), "{planned}");
        anyhow::ensure!(planned["refusals"] == json!([]), "{planned}");
        Ok(())
    })
    .await?;
    let operation = resync(&api, request).await?;
    api.finish(operation.id.as_str(), Duration::from_secs(120)).await?;
    api.healthy("orders", Duration::from_secs(30)).await?;
    assert!(!has_mark(&replicas[0])? && !keeps_former(container)?);
    server.check_log()
}
