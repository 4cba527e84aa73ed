//! A backup is taken from a replica while writes go on, and a second one stores what is new.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use bellwether_model::backup::BackupStatus;
use bellwether_model::repository::RepositoryKey;
use bellwether_testkit::docker::{container_of, docker};
use bellwether_testkit::s3::S3;
use bellwether_testkit::wait::until;
use bellwether_testkit::{Server, Writer};
use serde_json::json;

use super::scene::{WORK_MAX, ask, fill, list, register, take};

#[tokio::test]
async fn a_backup_is_taken_from_a_replica_while_writes_go_on() -> anyhow::Result<()> {
    let store = S3::start().await?;
    let (server, api) = Server::start().await?;
    let made = register(&api, &store.repository("vault", "vault")).await?;
    assert_eq!((made.checked_by.as_str(), made.backups), ("server", 0));
    let (status, problem) =
        api.send("POST", "/v1/repositories", Some(&store.repository("vault", "other"))).await?;
    assert_eq!((status, problem["code"].as_str()), (409, Some("name-taken")));
    let cluster = api.create("orders", 2, "strict").await?;
    let primary = cluster.primary_name.context("a primary")?;
    fill(&api, "orders", 50_000).await?;
    let writer = Writer::start(api.connection("orders").await?).await?;
    writer.progress(20).await?;
    let first = take(&api, "orders", "vault").await?;
    let facts = first.facts.as_ref().context("facts")?;
    assert_eq!(first.status, BackupStatus::Complete);
    assert!(!facts.from_primary && facts.node_name != primary, "{facts:?}");
    assert!(facts.size > 10 << 20 && first.archives.len() == 2, "{first:?}");
    writer.progress(20).await?;
    let second = take(&api, "orders", "vault").await?;
    let (all, new) = (first.stored.context("bytes")?, second.stored.context("bytes")?);
    assert!(new < all / 2, "what did not change is not stored again: {new} of {all}");
    let standing = api.cluster("orders").await?.backup;
    assert_eq!(standing.problem, "");
    assert!(standing.recoverable_to.is_some_and(|at| at > facts.taken_at));
    let (history, found) = writer.stop().await?;
    assert_eq!(history.lost(&found), Vec::<i64>::new(), "acknowledged writes are missing");

    let key: RepositoryKey = api.get("/v1/repositories/vault/key").await?;
    assert!(key.key.len() >= 32 && key.address.starts_with("s3:http"), "{}", key.address);
    let audit = api.send("GET", "/v1/audit?limit=5", None).await?.1;
    assert!(audit.to_string().contains("repository.key"), "{audit}");
    let log = server.log();
    assert!(!log.contains(&key.key), "a key is in the log");

    // It goes only when that is meant, and what was written until then is stored first.
    let generation = api.cluster("orders").await?.generation;
    api.change("orders", generation, &json!({ "protected": true })).await?;
    let go = "/v1/clusters/orders?confirm=orders&final_backup=vault";
    let (status, problem) = api.send("DELETE", go, None).await?;
    assert_eq!(status, 409, "{problem}");
    assert!(problem["detail"].to_string().contains("protected"), "{problem}");
    api.change("orders", generation + 1, &json!({ "protected": false })).await?;
    let (status, operation) = api.send("DELETE", go, None).await?;
    assert_eq!(status, 202, "{operation}");
    api.finish(operation["id"].as_str().context("an operation")?, WORK_MAX).await?;
    let kept = list(&api, "orders").await?;
    assert_eq!(kept.len(), 3, "backups outlive their cluster");
    assert!(kept.iter().all(|backup| backup.status == BackupStatus::Complete), "{kept:?}");
    server.check_log()
}

/// The agent's worker is killed in the middle of it: it is taken to its end all the same.
#[tokio::test]
async fn a_backup_outlives_the_agent_and_fails_in_clear_words() -> anyhow::Result<()> {
    let store = S3::start().await?;
    let impatient = ["--repository-answer", "6", "--backup-retry", "1"];
    let (server, api) = Server::start_with(&impatient).await?;
    register(&api, &store.repository("vault", "vault")).await?;
    let cluster = api.create("orders", 1, "async").await?;
    fill(&api, "orders", 200_000).await?;
    let begun = ask(&api, "orders", json!({ "rate_kib": 2_000 })).await?;
    let container = container_of(cluster.primary.context("a primary")?.as_str())?;
    until("the tool runs", Duration::from_secs(30), || async {
        docker(&["exec", &container, "pgrep", "-x", "restic"]).map(|_| ())
    })
    .await?;
    docker(&["exec", &container, "pkill", "-KILL", "-f", "^/proc/self/exe worker"])?;
    let ended = api.finish(begun.id.as_str(), WORK_MAX).await?;
    println!("{}", ended.message);

    // Nobody answers at the store: it fails in time, after three attempts with pauses between them,
    // says why, and is shown.
    store.freeze(true)?;
    let (begun, at) = (ask(&api, "orders", json!({})).await?, Instant::now());
    let failure = api.finish(begun.id.as_str(), Duration::from_secs(60)).await;
    ensure!(at.elapsed() >= Duration::from_secs(3 * 6 + 1 + 4), "{:?}", at.elapsed());
    let words = failure.err().context("it cannot succeed")?.to_string();
    ensure!(words.contains("no answer within"), "{words}");
    let standing = api.cluster("orders").await?.backup;
    assert!(standing.problem.contains("the last backup failed"), "{}", standing.problem);
    store.freeze(false)?;
    let newest = list(&api, "orders").await?;
    assert_eq!(newest[0].status, BackupStatus::Failed);
    server.check_log()
}
