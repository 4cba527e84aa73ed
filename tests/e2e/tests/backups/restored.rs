//! A backup becomes a cluster again: beside the one that it was taken of, and on a server that has
//! nothing but the repository and its key.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use bellwether_model::repository::RepositoryKey;
use bellwether_model::{Backup, ClusterPhase, Operation};
use bellwether_testkit::s3::S3;
use bellwether_testkit::{Server, sql};
use serde_json::json;

use super::scene::{WORK_MAX, ask_restore, digest, fill, list, register, restore, take};
use crate::database_users::{Users, stay_behind};

#[tokio::test]
async fn everything_is_lost_and_comes_back_with_the_key_alone() -> anyhow::Result<()> {
    let store = S3::start().await?;
    let (server, api) = Server::start().await?;
    register(&api, &store.repository("vault", "vault")).await?;
    api.create("orders", 2, "strict").await?;
    fill(&api, "orders", 20_000).await?;
    let before = digest(&api, "orders").await?;
    let users = Users { api: &api, cluster: "orders" };
    users.make("web", "app", "read_write").await?;
    let second = users.rotate("app").await?;
    let backup = take(&api, "orders", "vault").await?;
    fill(&api, "orders", 500).await?;
    let key: RepositoryKey = api.get("/v1/repositories/vault/key").await?;

    // Beside the cluster that goes on.
    restore(&api, &backup, "copy", 2).await?;
    assert_eq!(digest(&api, "copy").await?, before, "as it was");
    fill(&api, "copy", 10).await?;
    assert_ne!(digest(&api, "orders").await?, before, "the other goes on");
    let old = api.connection("orders").await?.password;
    let mut stolen = api.connection("copy").await?;
    assert_ne!(stolen.password, old);
    stolen.password = old;
    assert!(sql::read_write(&stolen).await.is_err(), "it has passwords of its own");
    stay_behind::<tokio_postgres::Client>(&api, &[users.connection("web").await?, second]).await?;
    server.check_log()?;
    drop((server, api));

    // Nothing is left but the bucket and the key.
    let (server, api) = Server::start().await?;
    let mut known = store.repository("vault", "vault");
    known["key"] = json!("0123456789abcdef");
    let (status, problem) = api.send("POST", "/v1/repositories", Some(&known)).await?;
    ensure!(status == 422, "{status}: {problem}");
    assert!(problem["detail"].as_str().unwrap_or_default().contains("key does not open"));
    known["key"] = json!(key.key);
    assert_eq!(register(&api, &known).await?.backups, 1);
    let found = list(&api, "orders").await?;
    let found = found.first().context("it is listed")?;
    assert_eq!(found.id, backup.id);
    restore(&api, found, "orders", 1).await?;
    assert_eq!(digest(&api, "orders").await?, before, "as it was");

    // And it is proven, in a node that is gone afterwards.
    let path = format!("/v1/backups/{}/verify", found.id);
    let begun: Operation = api.post(&path, &json!({})).await?;
    let proof = api.finish(begun.id.as_str(), WORK_MAX * 2).await?;
    println!("{}", proof.message);
    let found: Backup = api.get(&format!("/v1/backups/{}", found.id)).await?;
    let proof = found.proof.as_ref().context("a proof")?;
    assert!(proof.proven && proof.compared >= 1 && proof.restore_ms.is_some(), "{proof:?}");
    let clusters = api.send("GET", "/v1/clusters", None).await?.1;
    assert_eq!(clusters["items"].as_array().map(Vec::len), Some(1), "{clusters}");
    api.healthy("orders", Duration::from_secs(10)).await?;
    server.check_log()
}

/// What was stored is gone: that is said soon, and nothing is left of the attempt.
#[tokio::test]
async fn a_restore_that_cannot_succeed_fails_soon_and_is_cleaned_up() -> anyhow::Result<()> {
    let store = S3::start().await?;
    let (server, api) = Server::start().await?;
    register(&api, &store.repository("vault", "vault")).await?;
    api.create("orders", 1, "async").await?;
    let backup = take(&api, "orders", "vault").await?;
    let path = format!("/v1/backups/{}/verify", backup.id);

    // Damage in the middle of what was stored is found by a proof, and named.
    store.damage("vault")?;
    let begun: Operation = api.post(&path, &json!({})).await?;
    let failure = api.finish(begun.id.as_str(), WORK_MAX).await;
    let words = failure.err().context("it cannot be proven")?.to_string();
    ensure!(words.contains("the repository is damaged"), "{words}");
    let shown: Backup = api.get(&format!("/v1/backups/{}", backup.id)).await?;
    let proof = shown.proof.context("it was tried")?;
    ensure!(!proof.proven && proof.message.contains("the repository is damaged"), "{proof:?}");
    println!("{}", proof.message);

    store.clear().await?;
    let operation = ask_restore(&api, &backup, "copy", 1).await?;
    let failure = api.finish(&operation, WORK_MAX).await;
    let words = failure.err().context("it cannot succeed")?.to_string();
    let told = ["there is no such bucket", "there is no repository at that place"];
    ensure!(told.iter().any(|told| words.contains(told)), "{words}");
    let copy = api.cluster("copy").await?;
    assert_eq!((copy.phase, copy.nodes_total), (ClusterPhase::Failed, 0));
    api.delete("copy").await?;

    // The same is found by a proof, and shown where it matters.
    let begun: Operation = api.post(&path, &json!({})).await?;
    let failure = api.finish(begun.id.as_str(), WORK_MAX).await;
    ensure!(failure.is_err(), "there is nothing to prove");
    let standing = api.cluster("orders").await?.backup;
    ensure!(standing.problem.contains("could not be proven"), "{}", standing.problem);

    // An empty store is not filled anew as if nothing had happened.
    let failure = take(&api, "orders", "vault").await;
    let words = failure.err().context("it cannot be stored")?.to_string();
    ensure!(told.iter().any(|told| words.contains(told)), "{words}");
    server.check_log()
}
