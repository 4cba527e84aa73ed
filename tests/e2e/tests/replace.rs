//! N4, N7: new nodes, with smaller disks, take the place of others under load: of one whose machine
//! is lost for good, and of the primary while the server is killed at every step.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use bellwether_model::{Bytes, Operation, OperationStatus};
use bellwether_testkit::docker::{container_of, docker, left_of};
use bellwether_testkit::wait::until;
use bellwether_testkit::{Api, Server, Writer};
use serde_json::json;

const DONE_MAX: Duration = Duration::from_secs(120);

/// A write may wait for a planned change of primary, and find another endpoint, not longer.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// Kills the server whenever another step has begun; the steps at which it was.
async fn killed_at_every_step(
    server: &mut Server,
    api: &mut Api,
    id: &str,
) -> anyhow::Result<Vec<String>> {
    let mut killed: Vec<String> = Vec::new();
    let end = Instant::now() + DONE_MAX;
    while Instant::now() < end {
        let operation: Operation = api.get(&format!("/v1/operations/{id}")).await?;
        ensure!(operation.status != OperationStatus::Failed, "{}", operation.message);
        if operation.status.is_ended() {
            return Ok(killed);
        }
        let step = operation.step_at().map(|at| operation.steps[at].name.clone());
        match step.filter(|step| !killed.contains(step)) {
            Some(step) => {
                killed.push(step);
                *api = server.restart().await?;
            }
            None => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
    anyhow::bail!("not done: killed at {killed:?}")
}

#[tokio::test]
async fn new_nodes_take_the_place_of_others_while_writes_go_on() -> anyhow::Result<()> {
    let (mut server, mut api) = Server::start().await?;
    let cluster = api.create("orders", 2, "strict").await?;
    let primary = cluster.primary_name.clone().context("a primary")?;
    let writer = Writer::start(api.connection("orders").await?).await?;
    writer.progress(50).await?;

    // A smaller disk is had by new nodes, replicas first.
    let disk = Bytes::mib(1_792);
    let wanted = json!({ "size": { "cpus": 1, "memory": "512MiB", "disk": disk } });
    let plans = api.plan_change("orders", &wanted).await?;
    assert!(plans.iter().all(|plan| plan.kind.word() == "replace_node"), "{plans:?}");
    assert_eq!((plans.len(), plans[0].redundancy_min), (2, 1));
    assert!(plans[1].pauses.is_some_and(|past| past.count == 0), "{plans:?}");

    // Lost for good: its machine will never be back, and writes wait until another is in its place,
    // which has the size that is asked for by then.
    let nodes = api.nodes("orders").await?;
    let lost = nodes.iter().find(|node| node.name != primary).context("a replica")?;
    docker(&["rm", "-f", &container_of(lost.id.as_str())?])?;
    let operation = api.operate("orders", "replace_node", Some(&lost.name)).await?;
    api.change("orders", cluster.generation, &wanted).await?;
    let done = api.finish(operation.id.as_str(), DONE_MAX).await?;
    assert_eq!(done.message, format!("orders-3 has taken the place of {}", lost.name));

    // Then the primary's turn has come: it hands over first; the server is killed at every step.
    let began = Instant::now();
    let operation = until("its turn has come", DONE_MAX, || async {
        let all = api.operations("orders").await?;
        let found = all.into_iter().find(|one| one.node_name.as_ref() == Some(&primary));
        found.filter(|one| one.kind.word() == "replace_node").context("not yet")
    })
    .await?;
    let killed = killed_at_every_step(&mut server, &mut api, operation.id.as_str()).await?;
    assert!(killed.len() > 4, "{killed:?}");
    let cluster = api.healthy("orders", DONE_MAX).await?;
    for node in api.nodes("orders").await? {
        ensure!(node.size.disk == disk && node.name != primary && node.id != lost.id, "{node:?}");
    }
    writer.progress(50).await?;
    let outage = writer.history().outage(began);
    assert!(outage < PAUSE_MAX, "writes waited {outage:?}");

    let (history, found) = writer.stop().await?;
    assert_eq!(history.lost(&found), Vec::<i64>::new());
    api.delete("orders").await?;
    assert_eq!(left_of(cluster.id.as_str())?, Vec::<String>::new());
    server.check_log()
}
