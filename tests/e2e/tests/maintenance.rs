//! N5, N6: nodes are drained, taken back and rebooted under load; nobody's write fails.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use bellwether_model::node::NodePhase;
use bellwether_model::plan::Plan;
use bellwether_model::provider::ProviderView;
use bellwether_model::{NodeView, Operation, OperationStatus, Timestamp};
use bellwether_testkit::wait::until;
use bellwether_testkit::{Api, Server, Writer, sql};
use serde_json::json;

const DONE_MAX: Duration = Duration::from_secs(120);

/// A write may wait for a planned change of primary, not longer.
const PAUSE_MAX: Duration = Duration::from_secs(3);

async fn node_named(api: &Api, name: &str) -> anyhow::Result<NodeView> {
    let nodes = api.nodes("orders").await?;
    nodes.into_iter().find(|node| node.name == name).context("the node")
}

/// The primary's name, and a writer through the endpoint of another node, with its address.
async fn scene(api: &Api) -> anyhow::Result<(String, Writer, String)> {
    let cluster = api.create("orders", 3, "strict").await?;
    let primary = cluster.primary_name.context("a primary")?;
    let connection = api.connection("orders").await?;
    let own = node_named(api, &primary).await?.address;
    let place = connection.read_write.iter().position(|a| !a.starts_with(&format!("{own}:")));
    let place = place.context("another node")?;
    let address = connection.read_write[place].clone();
    let writer = Writer::through(connection, place, "far").await?;
    writer.progress(50).await?;
    Ok((primary, writer, address))
}

async fn run(api: &Api, kind: &str, node: &str) -> anyhow::Result<Operation> {
    let operation = api.operate("orders", kind, Some(node)).await?;
    api.finish(operation.id.as_str(), DONE_MAX).await
}

/// One that is asked for in a moment, with another that was taken back before its time.
async fn reboot_in_a_moment(api: &Api, node: &str) -> anyhow::Result<Operation> {
    let at = |seconds: i64| Timestamp::from_millis(Timestamp::now().as_millis() + seconds * 1_000);
    let ask = |seconds: i64| {
        let body = json!({ "kind": "reboot", "node": node, "at": at(seconds) });
        async move { api.post("/v1/clusters/orders/operations", &body).await }
    };
    let taken_back: Operation = ask(5).await?;
    let shown = node_named(api, node).await?.state;
    ensure!(shown.contains("reboot at"), "{shown}");
    let path = format!("/v1/operations/{}", taken_back.id);
    let (status, answer) = api.send("DELETE", &path, None).await?;
    ensure!(status == 200, "{answer}");
    ask(2).await
}

async fn nothing_failed(writer: Writer, since: Instant) -> anyhow::Result<()> {
    writer.progress(50).await?;
    let outage = writer.history().outage(since);
    let (history, found) = writer.stop().await?;
    assert_eq!(history.errors(), 0, "no write failed");
    assert_eq!(history.lost(&found), Vec::<i64>::new());
    assert!(outage < PAUSE_MAX, "writes waited {outage:?}");
    Ok(())
}

#[tokio::test]
async fn a_drained_primary_hands_over_and_comes_back_as_a_replica() -> anyhow::Result<()> {
    let (server, api) = Server::start().await?;
    let (former, writer, _) = scene(&api).await?;
    let began = Instant::now();
    let connection = api.connection("orders").await?;
    run(&api, "drain", &former).await?;

    let drained = node_named(&api, &former).await?;
    assert_eq!(drained.phase, NodePhase::Maintenance);
    assert!(drained.state.contains("in maintenance"), "{}", drained.state);
    let cluster = api.cluster("orders").await?;
    assert_ne!(cluster.primary_name.as_ref(), Some(&former), "the role has moved");
    assert!(cluster.sentence.contains(&former), "{}", cluster.sentence);
    let address = connection
        .read_write
        .iter()
        .find(|address| address.starts_with(&format!("{}:", drained.address)))
        .context("its endpoint")?;
    let listed = api.connection("orders").await?.read_write;
    assert!(!listed.contains(address), "nobody is led there any more");
    let direct = sql::connect(&connection, address, Duration::from_secs(5)).await;
    assert!(direct.is_err(), "its endpoint takes no clients");
    writer.progress(50).await?;

    // What it lacks a vote for it has in its data.
    until("it follows", DONE_MAX, || async {
        let node = node_named(&api, &former).await?;
        ensure!(node.lag_bytes.is_some_and(|lag| lag < 1 << 20), "{:?}", node.lag_bytes);
        Ok(())
    })
    .await?;
    run(&api, "undrain", &former).await?;
    api.healthy("orders", DONE_MAX).await?;
    let again = sql::connect(&connection, address, Duration::from_secs(5)).await?;
    again.query_one("SELECT 1", &[]).await?;
    nothing_failed(writer, began).await?;
    server.check_log()
}

#[tokio::test]
async fn nodes_are_rebooted_one_after_the_other() -> anyhow::Result<()> {
    let (server, api) = Server::start().await?;
    let (former, writer, through) = scene(&api).await?;
    let began = Instant::now();
    // Clients of the node that goes are closed; this one is at a node that stays.
    for node in api.nodes("orders").await? {
        if through.starts_with(&format!("{}:", node.address)) {
            continue;
        }
        let later = reboot_in_a_moment(&api, &node.name).await?;
        let done = api.finish(later.id.as_str(), DONE_MAX).await?;
        assert!(done.started_at >= later.due_at, "{done:?}");
        assert!(done.message.contains("was back"), "{}", done.message);
        api.healthy("orders", DONE_MAX).await?;
    }
    let primary = api.cluster("orders").await?.primary_name;
    assert_ne!(primary.as_ref(), Some(&former), "it handed over before its machine stopped");
    let operations = api.operations("orders").await?;
    assert!(operations.iter().all(|o| o.kind.word() != "failover"), "nobody was lost");
    let reboots = operations.iter().filter(|o| o.kind.word() == "reboot");
    let taken_back = reboots.filter(|o| o.status == OperationStatus::Cancelled);
    assert_eq!(taken_back.count(), 2, "what was taken back did not begin");
    // What writes waited then is what is expected the next time.
    let primary = primary.context("a primary")?;
    let body = json!({ "kind": "drain", "node": primary });
    let plan: Plan = api.post("/v1/clusters/orders/operations?plan=true", &body).await?;
    assert!(plan.pauses.is_some_and(|past| past.count == 1), "{plan:?}");
    assert!(plan.write_pause_ms > 0 && plan.redundancy_min == 1, "{plan:?}");
    let capacity = api.cluster("orders").await?.capacity;
    assert!(capacity.disk_used > 0 && capacity.sentence.contains("not known"), "{capacity:?}");
    nothing_failed(writer, began).await?;
    server.check_log()
}

#[tokio::test]
async fn who_is_needed_is_not_taken_out_and_may_be_when_a_person_says_so() -> anyhow::Result<()> {
    let (server, api) = Server::start().await?;
    let cluster = api.create("orders", 1, "async").await?;
    let only = cluster.primary_name.context("a primary")?;
    let refused = |kind: &str, allow: bool| {
        let body = json!({"kind": kind, "node": only.clone(), "allow_waiting": allow});
        let api = &api;
        async move { api.send("POST", "/v1/clusters/orders/operations", Some(&body)).await }
    };
    let (status, problem) = refused("drain", true).await?;
    assert!(status == 409 && problem.to_string().contains("add one first"), "{problem}");
    let (status, problem) = refused("reboot", false).await?;
    assert!(status == 409 && problem.to_string().contains("allow waiting"), "{problem}");

    let writer = Writer::start(api.connection("orders").await?).await?;
    writer.progress(50).await?;
    let (status, operation) = refused("reboot", true).await?;
    assert_eq!(status, 202, "{operation}");
    let id = operation["id"].as_str().context("an id")?;
    api.finish(id, DONE_MAX).await?;
    api.healthy("orders", DONE_MAX).await?;
    writer.progress(50).await?;
    let (history, found) = writer.stop().await?;
    assert_eq!(history.lost(&found), Vec::<i64>::new());
    server.check_log()
}

/// Replicas first, then a replica takes over; and the disk while everything runs.
#[tokio::test]
async fn every_node_gets_another_size_while_writes_go_on() -> anyhow::Result<()> {
    let (server, api) = Server::start().await?;
    let (former, writer, _) = scene(&api).await?;
    let began = Instant::now();
    let generation = api.cluster("orders").await?.generation;
    let size = |disk: &str| json!({ "cpus": 0.5, "memory": "640MiB", "disk": disk });
    for (field, wrong) in [("size.disk", size("64MiB")), ("size.memory", size("2GiB"))] {
        let mut wrong = wrong;
        if field == "size.memory" {
            wrong["memory"] = json!("900TiB");
        }
        let refused = api.change("orders", generation, &json!({ "size": wrong })).await.err();
        let refused = refused.context("it was accepted")?.to_string();
        ensure!(refused.contains(field), "{refused}");
    }
    let plans = api.plan_change("orders", &json!({ "size": size("3GiB") })).await?;
    assert_eq!(plans.len(), 3);
    assert!(plans[2].summary.contains(&former) && plans[2].write_pause_ms > 0, "{plans:?}");

    api.change("orders", generation, &json!({ "size": size("3GiB") })).await?;
    until("every node has it", DONE_MAX, || async {
        for node in api.nodes("orders").await? {
            let (limit, disk) = (node.memory_limit, node.disk_size);
            ensure!(limit == Some(640 << 20), "{} has {limit:?}", node.name);
            ensure!(disk.is_some_and(|disk| disk > 2_800_000_000), "{} has {disk:?}", node.name);
            ensure!(node.parameter_drift.is_empty(), "{}: {}", node.name, node.state);
        }
        let cluster = api.cluster("orders").await?;
        ensure!(cluster.operation.is_none(), "{}", cluster.sentence);
        Ok(())
    })
    .await?;
    let cluster = api.healthy("orders", DONE_MAX).await?;
    assert_ne!(cluster.primary_name.as_ref(), Some(&former), "a replica took over");

    // For a disk alone nothing is started again, where the provider can do that.
    let before = api.nodes("orders").await?;
    let providers: Vec<ProviderView> = api.get("/v1/providers").await?;
    let grows = providers.iter().any(|one| one.limits.disks_grow_in_use);
    api.change("orders", cluster.generation, &json!({ "size": size("4GiB") })).await?;
    until("every disk is larger", DONE_MAX, || async {
        for node in api.nodes("orders").await? {
            let disk = node.disk_size;
            ensure!(disk.is_some_and(|disk| disk > 3_800_000_000), "{} has {disk:?}", node.name);
        }
        let cluster = api.cluster("orders").await?;
        ensure!(cluster.operation.is_none(), "{}", cluster.sentence);
        Ok(())
    })
    .await?;
    let after = api.healthy("orders", DONE_MAX).await?;
    assert_eq!(after.primary_name == cluster.primary_name, grows, "{after:?}");
    for node in api.nodes("orders").await? {
        let was = before.iter().find(|one| one.id == node.id).context("the same node")?;
        let goes_on = node.uptime_seconds > was.uptime_seconds;
        ensure!(goes_on || !grows, "{} was started again", node.name);
    }
    // Each machine that stops cuts what went through it, and its client finds another.
    let stops = if grows { 3 } else { 6 };
    writer.progress(50).await?;
    let outage = writer.history().outage(began);
    let (history, found) = writer.stop().await?;
    assert_eq!(history.lost(&found), Vec::<i64>::new());
    assert!(history.errors() <= 2 * stops, "{} writes failed", history.errors());
    assert!(outage < PAUSE_MAX, "writes waited {outage:?}");
    server.check_log()
}
