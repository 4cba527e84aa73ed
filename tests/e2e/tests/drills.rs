//! H6: the change of primary is tried on demand and on schedule, with the measured result.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use bellwether_model::drill::DrillView;
use bellwether_model::event::Page;
use bellwether_model::report::{Loss, Report};
use bellwether_model::{Operation, OperationStatus};
use bellwether_testkit::docker::{container_of, docker};
use bellwether_testkit::wait::until;
use bellwether_testkit::{Api, Server, Writer};
use serde_json::{Value, json};

/// A drill may take so long, with the return of whoever was primary.
const DRILL_MAX: Duration = Duration::from_secs(120);

async fn run(api: &Api, what: Value) -> anyhow::Result<Operation> {
    let begun: Operation = api.post("/v1/clusters/orders/operations", &what).await?;
    api.finish(begun.id.as_str(), DRILL_MAX).await
}

async fn drills(api: &Api) -> anyhow::Result<Vec<DrillView>> {
    let page: Page<DrillView> = api.get("/v1/clusters/orders/drills").await?;
    Ok(page.items)
}

async fn refusal(api: &Api, what: Value) -> anyhow::Result<String> {
    let (status, problem) = api.send("POST", "/v1/clusters/orders/operations", Some(&what)).await?;
    ensure!(status == 409, "{status}: {problem}");
    Ok(problem["detail"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn a_failover_drill_kills_the_engine_once_and_tells_what_it_cost() -> anyhow::Result<()> {
    let (server, api) = Server::start().await?;
    let cluster = api.create("orders", 3, "strict").await?;
    let former = cluster.primary.context("a primary")?;
    let writer = Writer::start(api.connection("orders").await?).await?;
    writer.progress(50).await?;
    let drill = run(&api, json!({ "kind": "drill", "drill": "failover" })).await?;
    writer.progress(50).await?;

    let cluster = api.healthy("orders", Duration::from_secs(30)).await?;
    assert_ne!(cluster.primary.as_ref(), Some(&former), "another is primary");
    let told = drills(&api).await?;
    let told = told.first().context("it is listed")?;
    println!("{}", drill.message);
    let gap = told.write_gap_ms.context("it was measured")?;
    assert!(gap > 20 && gap < 15_000, "{told:?}");
    assert!(drill.message.contains(&format!("writes waited {gap} ms")), "{}", drill.message);
    assert_eq!((told.loss, told.status), (Some(Loss::Nothing), OperationStatus::Succeeded));
    assert!(told.whole_ms.is_some_and(|whole| whole >= gap), "{told:?}");
    let report = told.report.as_ref().context("a report")?;
    let report: Report = api.get(&format!("/v1/reports/{report}")).await?;
    assert_eq!((report.kind.word(), report.decision.rule), ("failover", 205), "as in earnest");
    assert!(report.seen.evidence.is_some_and(|seen| seen.engine_died));

    // Whoever has carried it out does it once, whatever is started again.
    let container = container_of(former.as_str())?;
    docker(&["exec", &container, "pkill", "-KILL", "-f", "^/proc/self/exe worker"])?;
    writer.progress(100).await?;
    let (history, found) = writer.stop().await?;
    assert_eq!(history.lost(&found), Vec::<i64>::new(), "acknowledged writes are missing");
    let operations = api.operations("orders").await?;
    let failovers = operations.iter().filter(|one| one.kind.word() == "failover").count();
    assert_eq!(failovers, 1);

    let why = refusal(&api, json!({ "kind": "drill" })).await?;
    assert!(why.contains("less than a minute ago"), "{why}");
    server.check_log()
}

#[tokio::test]
async fn drills_of_a_switchover_are_compared_with_each_other() -> anyhow::Result<()> {
    let (server, api) = Server::start().await?;
    api.create("orders", 2, "async").await?;
    let why = refusal(&api, json!({ "kind": "drill", "drill": "failover" })).await?;
    assert!(why.contains("allow the loss"), "{why}");
    let writer = Writer::start(api.connection("orders").await?).await?;
    let mut gaps = Vec::new();
    for _ in 0..2 {
        writer.progress(50).await?;
        until("it can be drilled", Duration::from_secs(30), || async {
            let cluster = api.cluster("orders").await?;
            let drill = cluster.operations.iter().find(|one| one.kind.word() == "drill");
            let drill = drill.context("it is listed")?;
            ensure!(drill.allowed, "{}", drill.reason);
            Ok(())
        })
        .await?;
        let drill = run(&api, json!({ "kind": "drill", "drill": "switchover" })).await?;
        println!("{}", drill.message);
        let told = drills(&api).await?;
        gaps.push(told.first().context("it is listed")?.write_gap_ms.context("measured")?);
        if let [before, _] = gaps.as_slice() {
            let words = format!("({before} ms in the drill before)");
            assert!(drill.message.contains(&words), "{}", drill.message);
        }
    }
    let (history, found) = writer.stop().await?;
    assert_eq!(history.lost(&found), Vec::<i64>::new(), "acknowledged writes are missing");
    server.check_log()
}

/// The server is killed in the middle of it, and again: no slot is run twice.
#[tokio::test]
async fn a_schedule_runs_every_slot_once() -> anyhow::Result<()> {
    let (mut server, api) = Server::start().await?;
    let cluster = api.create("orders", 2, "async").await?;
    let every_minute = json!({ "drill": { "schedule": "* * * * *" } });
    api.change("orders", cluster.generation, &every_minute).await?;
    assert!(api.cluster("orders").await?.next_drill_at.is_some());
    until("a drill begins by itself", Duration::from_secs(90), || async {
        let all = drills(&api).await?;
        ensure!(all.iter().any(|drill| drill.due_at.is_some()), "not yet");
        Ok(())
    })
    .await?;
    let api = server.restart().await?;
    until("it ends", DRILL_MAX, || async {
        let all = drills(&api).await?;
        ensure!(all.iter().any(|drill| drill.write_gap_ms.is_some()), "not yet: {all:?}");
        Ok(())
    })
    .await?;
    let now = api.cluster("orders").await?;
    api.change("orders", now.generation, &json!({ "drill": null })).await?;
    let all = drills(&api).await?;
    let slots: BTreeSet<_> = all.iter().filter_map(|drill| drill.due_at).collect();
    assert_eq!(slots.len(), all.len(), "{all:?}");
    assert!(all.iter().all(|drill| drill.started_by == "bellwether"));
    assert_eq!(api.cluster("orders").await?.next_drill_at, None);
    server.check_log()
}
