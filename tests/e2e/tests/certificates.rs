//! Certificates are renewed before they end, and a node whose certificate has ended while the
//! server was away is still known by its key. Another authority takes the place of the one that
//! signs, while clients go on.

use std::time::Duration;

use bellwether_model::authority::{AuthorityState, AuthorityView};
use bellwether_model::connection::Connection;
use bellwether_model::node::NodeRole;
use bellwether_model::{ClusterView, Timestamp};
use bellwether_testkit::docker::{container_of, inside};
use bellwether_testkit::wait::until;
use bellwether_testkit::writer::{RowClient, read_write};
use bellwether_testkit::{Api, Server, Writer, redis, sql};
use serde_json::json;

use crate::backups::engines::can_run;

/// Renewed after 8 s, ended after 12.
const LIFE: u64 = 12;

/// Where the engines listen behind the endpoints.
const POSTGRESQL_PORT: u16 = 5431;
const VALKEY_PORT: u16 = 6378;

async fn create(api: &Api, engine: &str, nodes: u32) -> anyhow::Result<ClusterView> {
    let spec = json!({
        "name": engine, "engine": engine, "nodes": nodes,
        "size": { "cpus": 1, "memory": "768MiB", "disk": "2GiB" },
        "allowlist": [{ "address": "server" }],
    });
    let cluster: ClusterView = api.post("/v1/clusters", &spec).await?;
    let operation = cluster.operation.as_ref().expect("creating is an operation");
    api.finish(operation.as_str(), Duration::from_secs(180)).await?;
    api.healthy(engine, Duration::from_secs(30)).await
}

/// When the certificates that the nodes of that cluster show end.
async fn ends(api: &Api, cluster: &str) -> anyhow::Result<Vec<Timestamp>> {
    let nodes = api.nodes(cluster).await?;
    let ends: Option<Vec<_>> = nodes.iter().map(|node| node.certificate_ends_at).collect();
    ends.ok_or_else(|| anyhow::anyhow!("not every node has a certificate yet"))
}

/// Waits until all of them show certificates that were made after those had ended.
async fn are_renewed(api: &Api, cluster: &str, former: &[Timestamp]) -> anyhow::Result<()> {
    let later = |now: &Timestamp| former.iter().all(|end| now.millis_since(*end) > LIFE * 1_000);
    until("the certificates are renewed", Duration::from_secs(60), || async {
        let now = ends(api, cluster).await?;
        anyhow::ensure!(now.iter().all(later), "{former:?} became {now:?}");
        Ok(())
    })
    .await
}

/// The engine itself, behind the endpoint, shows a certificate that has not ended.
async fn the_engine_has_it(api: &Api, engine: &str, port: u16) -> anyhow::Result<()> {
    let speak = if engine == "postgresql" { "-starttls postgres" } else { "" };
    let nodes = api.nodes(engine).await?;
    for node in &nodes {
        // Behind a replica's closed gate only other members come.
        let from = nodes.iter().find(|other| other.id != node.id).unwrap_or(node);
        let line = format!(
            "timeout 5 openssl s_client -connect {}:{port} {speak} -CAfile /data/conf/ca.pem \
             </dev/null 2>&1 || true",
            node.address
        );
        until("the engine has its new certificate", Duration::from_secs(10), || async {
            let said = inside(&container_of(from.id.as_str())?, &line)?;
            anyhow::ensure!(said.contains("return code: 0 (ok)"), "{}: {said}", node.name);
            Ok(())
        })
        .await?;
    }
    Ok(())
}

#[tokio::test]
async fn certificates_are_renewed_and_who_missed_that_is_still_known() -> anyhow::Result<()> {
    let life = LIFE.to_string();
    let (mut server, api) = Server::start_with(&["--certificate-life", &life]).await?;
    create(&api, "postgresql", 2).await?;
    let connection = api.connection("postgresql").await?;
    let writer = Writer::start(connection.clone()).await?;
    let first = ends(&api, "postgresql").await?;
    let others: Vec<&str> = [("valkey", "8"), ("mariadb", "11.8"), ("mysql", "9.7")]
        .into_iter()
        .filter(|(engine, version)| can_run(engine, version))
        .map(|(engine, _)| engine)
        .collect();
    for engine in &others {
        create(&api, engine, 1).await?;
    }

    // In good time, and nobody who is connected notices.
    are_renewed(&api, "postgresql", &first).await?;
    enter_all(&api, &others).await?;
    writer.progress(50).await?;

    // The server is away until everything has ended: those who are in go on.
    let before = ends(&api, "postgresql").await?;
    server.kill();
    until("the certificates have ended", Duration::from_secs(60), || async {
        let refused = sql::read_write(&connection).await.err();
        let words = refused.map(|error| format!("{error:#}")).unwrap_or_default();
        anyhow::ensure!(words.contains("xpired"), "a client that comes now: {words}");
        Ok(())
    })
    .await?;
    writer.progress(50).await?;
    let api = server.restart().await?;
    are_renewed(&api, "postgresql", &before).await?;
    api.healthy("postgresql", Duration::from_secs(30)).await?;
    enter_all(&api, &others).await?;
    let (history, found) = writer.stop().await?;
    assert_eq!(history.lost(&found), Vec::<i64>::new());
    rotate_the_authority(&api, &others, &connection).await?;
    server.check_log()
}

/// Waits until the rotation has got so far.
async fn until_rotated(api: &Api, state: AuthorityState) -> anyhow::Result<AuthorityView> {
    until("the authority is rotated", Duration::from_secs(30), || async {
        let view: AuthorityView = api.get("/v1/authority").await?;
        anyhow::ensure!(view.state == state && view.waiting.is_empty(), "{view:?}");
        Ok(view)
    })
    .await
}

/// Makes another authority, lets clients know of it, and lets it sign. `former` is what a client
/// has that was told of nothing.
async fn rotate_the_authority(
    api: &Api,
    others: &[&str],
    former: &Connection,
) -> anyhow::Result<()> {
    let change = async |what: &str| {
        let path = format!("/v1/authority/rotation{what}");
        api.post::<AuthorityView>(&path, &json!({})).await
    };
    let too_early = change("/end").await.err().map(|error| error.to_string()).unwrap_or_default();
    assert!(too_early.contains("no rotation"), "{too_early}");
    change("").await?;
    let view = until_rotated(api, AuthorityState::Introduced).await?;
    assert_eq!(view.ca_certificate.matches("BEGIN CERTIFICATE").count(), 2);
    // Who was told, and who was not.
    let told = api.connection("postgresql").await?;
    assert_eq!(told.ca_certificate, view.ca_certificate);
    sql::read_write(former).await?;
    enter_all(api, others).await?;
    let writer = Writer::start(told.clone()).await?;

    change("/end").await?;
    let view = until_rotated(api, AuthorityState::Settled).await?;
    assert_eq!(view.ca_certificate.matches("BEGIN CERTIFICATE").count(), 1);
    assert!(!former.ca_certificate.contains(&view.ca_certificate), "it is another one");
    sql::read_write(&told).await?;
    enter_all(api, others).await?;
    let refused = sql::read_write(former).await.err().map(|error| format!("{error:#}"));
    let words = refused.unwrap_or_default();
    assert!(words.contains("UnknownIssuer"), "a client that was not told: {words}");

    // Nodes verify each other by it, too.
    let nodes = api.nodes("postgresql").await?;
    let replica = nodes.iter().find(|node| node.role == NodeRole::Replica).expect("there is one");
    let operation = api.operate("postgresql", "switchover", Some(&replica.name)).await?;
    api.finish(operation.id.as_str(), Duration::from_secs(30)).await?;
    api.healthy("postgresql", Duration::from_secs(30)).await?;
    writer.progress(50).await?;
    let (history, found) = writer.stop().await?;
    assert_eq!((history.errors(), history.lost(&found)), (0, Vec::<i64>::new()));
    Ok(())
}

/// A client of each cluster comes in now, and verifies who it talks to.
async fn enter_all(api: &Api, others: &[&str]) -> anyhow::Result<()> {
    async fn enter<C: RowClient>(connection: &Connection) -> anyhow::Result<()> {
        until("a client comes in", Duration::from_secs(15), || async {
            read_write::<C>(connection).await.map(drop)
        })
        .await
    }
    enter::<tokio_postgres::Client>(&api.connection("postgresql").await?).await?;
    the_engine_has_it(api, "postgresql", POSTGRESQL_PORT).await?;
    for engine in others {
        let connection = api.connection(engine).await?;
        match *engine {
            "valkey" => {
                enter::<redis::Client>(&connection).await?;
                the_engine_has_it(api, engine, VALKEY_PORT).await?;
            }
            _ => enter::<mysql_async::Conn>(&connection).await?,
        }
    }
    Ok(())
}
