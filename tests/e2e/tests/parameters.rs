//! Settings of the engine are changed node after node under load, verified everywhere, and taken
//! back where an engine refuses them.

use std::time::Duration;

use anyhow::Context as _;
use bellwether_model::plan::Plan;
use bellwether_model::settings::ParameterView;
use bellwether_model::{Operation, OperationKind, OperationStatus};
use bellwether_testkit::docker::{container_of, docker, inside};
use bellwether_testkit::wait::until;
use bellwether_testkit::{Api, History, Server, Writer};
use serde_json::{Value, json};

/// What a client's own deadline leaves when a write waits for longer.
const DEADLINE: &str = "deadline has elapsed";

/// Asks for these settings, and no others; the operation.
async fn ask(api: &Api, parameters: Value) -> anyhow::Result<Operation> {
    let generation = api.cluster("orders").await?.generation;
    api.change("orders", generation, &json!({ "parameters": parameters })).await?;
    let all = api.operations("orders").await?;
    let found = all.into_iter().find(|one| one.kind == OperationKind::Reconfigure);
    found.context("a change of settings is an operation")
}

async fn change(api: &Api, parameters: Value) -> anyhow::Result<Operation> {
    let operation = ask(api, parameters).await?;
    let ended = api.finish(operation.id.as_str(), Duration::from_secs(180)).await?;
    api.healthy("orders", Duration::from_secs(60)).await?;
    Ok(ended)
}

/// The end of an operation that must fail; its message.
async fn failure(api: &Api, operation: &Operation) -> anyhow::Result<String> {
    let path = format!("/v1/operations/{}", operation.id);
    let ended: Operation = until("the operation ends", Duration::from_secs(180), || async {
        let operation: Operation = api.get(&path).await?;
        anyhow::ensure!(operation.status.is_ended(), "{:?}", operation.steps);
        Ok(operation)
    })
    .await?;
    anyhow::ensure!(ended.status == OperationStatus::Failed, "{ended:?}");
    Ok(ended.message)
}

/// What each node's engine itself says of a setting, and when it was started.
async fn in_force(api: &Api, name: &str) -> anyhow::Result<Vec<(String, String, String)>> {
    let mut all = Vec::new();
    for node in api.nodes("orders").await? {
        let line = format!(
            "psql -X -U postgres -h /run/bellwether/postgresql -p 5431 -At -F ' ' -c \
             \"SELECT current_setting('{name}'), \
             to_char(pg_postmaster_start_time(), 'HH24:MI:SS.US')\""
        );
        let said = inside(&container_of(node.id.as_str())?, &line)?;
        let (value, started) = said.split_once(' ').context("two values")?;
        all.push((node.name, value.to_owned(), started.to_owned()));
    }
    all.sort();
    Ok(all)
}

async fn expect(api: &Api, name: &str, value: &str) -> anyhow::Result<()> {
    let found = in_force(api, name).await?;
    let wrong: Vec<_> = found.iter().filter(|(_, in_force, _)| in_force != value).collect();
    anyhow::ensure!(wrong.is_empty(), "{name} shall be {value}: {wrong:?}");
    let shown: Vec<ParameterView> = api.get("/v1/clusters/orders/parameters").await?;
    let shown = shown.into_iter().find(|one| one.name == name).context("shown")?;
    anyhow::ensure!(shown.differs.is_empty(), "{name} differs on {:?}", shown.differs);
    Ok(())
}

/// Nothing was refused, but where a write waited for longer than its client would.
fn check_errors(history: &History, pause: Duration) {
    let errors = history.attempts.iter().filter(|attempt| !attempt.acknowledged);
    let other: Vec<_> = errors.filter(|a| !a.error.contains(DEADLINE)).collect();
    assert!(other.is_empty(), "writes were refused: {other:?}");
    assert!(history.longest_gap() < pause, "writes waited {:?}", history.longest_gap());
}

#[tokio::test]
async fn settings_change_under_load_on_every_node() -> anyhow::Result<()> {
    let (server, api) = Server::start().await?;
    api.create("orders", 3, "prefer").await?;
    let writer = Writer::start(api.connection("orders").await?).await?;
    writer.progress(50).await?;

    let before = in_force(&api, "work_mem").await?;
    let ended = change(&api, json!({ "work_mem": "16MiB", "jit": false })).await?;
    assert!(ended.message.contains("work_mem 4MiB → 16MiB"), "{}", ended.message);
    expect(&api, "work_mem", "16MB").await?;
    expect(&api, "jit", "off").await?;
    let after = in_force(&api, "work_mem").await?;
    let started = |all: &[(String, String, String)]| -> Vec<String> {
        all.iter().map(|one| one.2.clone()).collect()
    };
    assert_eq!(started(&before), started(&after), "no engine was started again");
    assert_eq!(writer.history().errors(), 0);

    // Raised: replicas first, then by a promotion.
    let primary = api.cluster("orders").await?.primary;
    let wanted = json!({ "work_mem": "16MiB", "max_connections": 200, "shared_buffers": "64MiB" });
    let ended = change(&api, wanted).await?;
    println!("raised: {}", ended.message);
    expect(&api, "max_connections", "200").await?;
    expect(&api, "shared_buffers", "64MB").await?;
    expect(&api, "jit", "on").await?;
    assert_ne!(api.cluster("orders").await?.primary, primary, "a replica took over");
    check_errors(&writer.history(), Duration::from_secs(4));

    // Lowered: the primary first, where it is.
    let primary = api.cluster("orders").await?.primary;
    let ended = change(&api, json!({ "max_connections": 60 })).await?;
    println!("lowered: {}", ended.message);
    expect(&api, "max_connections", "60").await?;
    expect(&api, "work_mem", "4MB").await?;
    assert_eq!(api.cluster("orders").await?.primary, primary, "it was started again in its place");

    writer.progress(50).await?;
    let (history, found) = writer.stop().await?;
    println!("longest gap {:?}, errors {}", history.longest_gap(), history.errors());
    check_errors(&history, Duration::from_secs(8));
    assert_eq!(history.lost(&found), Vec::<i64>::new(), "acknowledged writes are missing");
    server.check_log()
}

#[tokio::test]
async fn what_an_engine_refuses_is_taken_back_with_its_words() -> anyhow::Result<()> {
    let (server, api) = Server::start().await?;
    let made = api.create("orders", 3, "strict").await?;
    let writer = Writer::start(api.connection("orders").await?).await?;
    writer.progress(50).await?;
    change(&api, json!({ "work_mem": "8MiB" })).await?;
    // The machine has reserved no huge pages: a replica finds out, and the primary is not touched.
    let operation = ask(&api, json!({ "work_mem": "32MiB", "huge_pages": "on" })).await?;
    let message = failure(&api, &operation).await?;
    assert!(message.contains("could not map anonymous shared memory"), "{message}");
    assert!(message.contains("former settings are in force again"), "{message}");
    let cluster = api.healthy("orders", Duration::from_secs(60)).await?;
    assert_eq!(cluster.primary, made.primary, "the primary was not touched");
    assert_eq!(serde_json::to_value(&cluster.spec.parameters)?, json!({ "work_mem": "8MiB" }));
    expect(&api, "huge_pages", "try").await?;
    expect(&api, "work_mem", "8MB").await?;
    for (parameters, field) in [
        (json!({ "max_connections": 1_000_000 }), "max_connections"),
        (json!({ "fsync": "off" }), "fsync"),
        (json!({ "work_mem": "much" }), "work_mem"),
    ] {
        let refused = ask(&api, parameters).await.expect_err("refused").to_string();
        assert!(refused.contains(&format!("parameters.{field}")), "{refused}");
    }
    writer.progress(50).await?;
    let (history, found) = writer.stop().await?;
    check_errors(&history, Duration::from_secs(4));
    assert_eq!(history.lost(&found), Vec::<i64>::new(), "acknowledged writes are missing");
    server.check_log()
}

#[tokio::test]
async fn a_single_node_is_started_again_and_comes_back_from_what_it_refuses() -> anyhow::Result<()>
{
    let (server, api) = Server::start().await?;
    let spec = json!({
        "name": "orders", "engine": "postgresql", "version": "17", "nodes": 1,
        "size": { "cpus": 1, "memory": "512MiB", "disk": "2GiB" },
        "parameters": { "max_connections": 70, "log_min_duration_statement": "250ms" },
        "allowlist": [{ "address": "server" }],
    });
    let made: bellwether_model::ClusterView = api.post("/v1/clusters", &spec).await?;
    let creation = made.operation.context("creating is an operation")?;
    api.finish(creation.as_str(), Duration::from_secs(240)).await?;
    api.healthy("orders", Duration::from_secs(30)).await?;
    expect(&api, "max_connections", "70").await?;
    expect(&api, "log_min_duration_statement", "250ms").await?;

    let writer = Writer::start(api.connection("orders").await?).await?;
    writer.progress(50).await?;
    let ended = change(&api, json!({ "max_connections": 90 })).await?;
    println!("single: {}", ended.message);
    expect(&api, "max_connections", "90").await?;
    check_errors(&writer.history(), Duration::from_secs(6));
    let operation = ask(&api, json!({ "max_connections": 90, "huge_pages": "on" })).await?;
    let message = failure(&api, &operation).await?;
    assert!(message.contains("could not map anonymous shared memory"), "{message}");
    api.healthy("orders", Duration::from_secs(60)).await?;
    expect(&api, "huge_pages", "try").await?;
    writer.progress(50).await?;
    let (history, found) = writer.stop().await?;
    println!("with a refusal: longest gap {:?}", history.longest_gap());
    assert_eq!(history.lost(&found), Vec::<i64>::new(), "acknowledged writes are missing");
    server.check_log()
}

#[tokio::test]
async fn a_primary_lost_in_the_middle_is_replaced_and_the_change_goes_on() -> anyhow::Result<()> {
    let (server, api) = Server::start().await?;
    let former = api.create("orders", 3, "strict").await?.primary.context("a primary")?;
    let writer = Writer::start(api.connection("orders").await?).await?;
    writer.progress(50).await?;
    let operation = ask(&api, json!({ "max_connections": 200 })).await?;
    until("a replica is changed", Duration::from_secs(60), || async {
        let found = in_force(&api, "max_connections").await?;
        anyhow::ensure!(found.iter().any(|(_, value, _)| value == "200"), "not yet: {found:?}");
        Ok(())
    })
    .await?;
    docker(&["kill", &container_of(former.as_str())?])?;
    api.finish(operation.id.as_str(), Duration::from_secs(240)).await?;
    let cluster = api.healthy("orders", Duration::from_secs(120)).await?;
    assert_ne!(cluster.primary, Some(former), "a replica took over");
    until("every node has it", Duration::from_secs(60), || async {
        expect(&api, "max_connections", "200").await
    })
    .await?;
    writer.progress(50).await?;
    let (history, found) = writer.stop().await?;
    assert_eq!(history.lost(&found), Vec::<i64>::new(), "acknowledged writes are missing");
    server.check_log()
}

#[tokio::test]
async fn a_plan_is_a_difference_with_restarts_and_the_pause() -> anyhow::Result<()> {
    let (server, api) = Server::start().await?;
    api.create("orders", 2, "async").await?;
    let wanted = json!({ "parameters": { "max_connections": 150 } });
    let plans: Vec<Plan> = api.plan_change("orders", &wanted).await?;
    let [plan] = plans.as_slice() else { anyhow::bail!("{plans:?}") };
    assert_eq!(plan.restarts, ["orders-2", "orders-1"]);
    assert_eq!((plan.changes[0].from.as_str(), plan.changes[0].to.as_str()), ("102", "150"));
    assert!(plan.write_pause_ms > 0 && plan.refusals.is_empty());
    server.check_log()
}
