//! Borg on a host that is reached by SSH: stored, stored again, listed with the key alone,
//! restored, removed.

use anyhow::{Context as _, ensure};
use bellwether_model::repository::RepositoryKey;
use bellwether_testkit::Server;
use bellwether_testkit::ssh_host::SshHost;
use bellwether_testkit::wait::until;
use serde_json::json;

use super::scene::{WORK_MAX, digest, fill, list, register, restore, take};

#[tokio::test]
async fn borg_keeps_what_restic_keeps() -> anyhow::Result<()> {
    let host = SshHost::start().await?;
    let (server, api) = Server::start().await?;
    let mut stranger = host.repository("stranger")?;
    stranger["place"]["host_key"] = json!(host.public_key()?);
    let (status, problem) = api.send("POST", "/v1/repositories", Some(&stranger)).await?;
    ensure!(status == 422, "{status}: {problem}");
    let detail = problem["detail"].as_str().unwrap_or_default();
    ensure!(detail.contains("the host shows another key"), "{detail}");

    let made = register(&api, &host.repository("vault")?).await?;
    assert_eq!((made.checked_by.as_str(), made.public_key), ("server", host.public_key()?));
    api.create("orders", 1, "async").await?;
    fill(&api, "orders", 50_000).await?;
    let first = take(&api, "orders", "vault").await?;
    let before = digest(&api, "orders").await?;
    let second = take(&api, "orders", "vault").await?;
    let (all, new) = (first.stored.context("bytes")?, second.stored.context("bytes")?);
    assert!(new < all / 2, "what did not change is not stored again: {new} of {all}");

    let key: RepositoryKey = api.get("/v1/repositories/vault/key").await?;
    let gone = api.send("DELETE", "/v1/repositories/vault", None).await?;
    ensure!(gone.0 == 204, "{}", gone.1);
    let mut known = host.repository("again")?;
    known["key"] = json!("0123456789abcdef");
    let (status, problem) = api.send("POST", "/v1/repositories", Some(&known)).await?;
    ensure!(status == 422 && problem.to_string().contains("key does not open"), "{problem}");
    known["key"] = json!(key.key);
    assert_eq!(register(&api, &known).await?.backups, 2);

    restore(&api, &second, "copy", 1).await?;
    assert_eq!(digest(&api, "copy").await?, before, "as it was");

    let (status, _) = api.send("DELETE", &format!("/v1/backups/{}", first.id), None).await?;
    ensure!(status == 202, "{status}");
    until("it is removed", WORK_MAX, || async {
        let left = list(&api, "orders").await?;
        ensure!(left.len() == 1 && left[0].id == second.id, "not yet");
        Ok(())
    })
    .await?;
    server.check_log()
}
