//! What each replication mode and the rules of access become in the engine itself.

use std::time::Duration;

use bellwether_testkit::docker::{container_of, docker, inside};
use bellwether_testkit::{Api, Server, Writer, sql};
use serde_json::json;

async fn setting(api: &Api, name: &str) -> anyhow::Result<String> {
    let client = sql::read_write(&api.connection("orders").await?).await?;
    Ok(client.query_one(&format!("SHOW {name}"), &[]).await?.get(0))
}

#[tokio::test]
async fn modes_become_the_engines_settings_and_change_under_load() -> anyhow::Result<()> {
    let (server, api) = Server::start().await?;
    api.create("orders", 3, "async").await?;
    assert_eq!(setting(&api, "synchronous_standby_names").await?, "");
    let writer = Writer::start(api.connection("orders").await?).await?;
    for (mode, starts) in [("prefer", "ANY 1 ("), ("strict", "ANY 1 ("), ("quorum(2)", "ANY 2 (")] {
        let generation = api.cluster("orders").await?.generation;
        api.change("orders", generation, &json!({ "replication": mode })).await?;
        bellwether_testkit::wait::until(mode, Duration::from_secs(15), || async {
            let names = setting(&api, "synchronous_standby_names").await?;
            anyhow::ensure!(names.starts_with(starts), "{names}");
            Ok(())
        })
        .await?;
        writer.progress(20).await?;
    }
    // Without enough confirmations a strict mode waits, rather than acknowledge.
    let watcher = sql::read_write(&api.connection("orders").await?).await?;
    let nodes = api.nodes("orders").await?;
    let primary = api.cluster("orders").await?.primary.expect("a primary");
    let replicas = nodes.iter().filter(|node| node.id != primary);
    let containers: Vec<String> =
        replicas.map(|node| container_of(node.id.as_str())).collect::<Result<_, _>>()?;
    containers.iter().try_for_each(|id| docker(&["pause", id]).map(|_| ()))?;
    let waiting = "SELECT count(*) FROM pg_stat_activity \
                   WHERE wait_event = 'SyncRep' AND query_start < now() - interval '1 second'";
    bellwether_testkit::wait::until("a write waits", Duration::from_secs(15), || async {
        let count: i64 = watcher.query_one(waiting, &[]).await?.get(0);
        anyhow::ensure!(count > 0, "no write waits for a confirmation");
        Ok(())
    })
    .await?;
    // That nothing comes can only be shown by time.
    let before = writer.history().acknowledged().len();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(writer.history().acknowledged().len(), before, "nobody could confirm");
    containers.iter().try_for_each(|id| docker(&["unpause", id]).map(|_| ()))?;
    writer.progress(20).await?;
    let (history, found) = writer.stop().await?;
    assert_eq!(history.lost(&found), Vec::<i64>::new(), "acknowledged writes are missing");
    server.check_log()
}

#[tokio::test]
async fn strangers_are_kept_from_the_engine() -> anyhow::Result<()> {
    let (server, api) = Server::start().await?;
    let cluster = api.create("orders", 1, "async").await?;
    let connection = api.connection("orders").await?;
    let container = container_of(cluster.primary.expect("a primary").as_str())?;
    let (host, _) = connection.read_write[0].rsplit_once(':').expect("host and port");
    let password = connection.password.clone().unwrap_or_default();
    let psql = |options: &str, user: &str, password: &str| {
        let line = format!(
            "PGPASSWORD='{password}' PGCONNECT_TIMEOUT=3 psql \
             'host={host} port=5432 dbname=app user={user} {options}' -Atc 'SELECT 1' 2>&1 || true"
        );
        inside(&container, &line)
    };
    let user = connection.user.as_str();
    assert_eq!(psql("sslmode=require", user, &password)?, "1");
    let plain = psql("sslmode=disable", user, &password)?;
    assert!(plain.contains("no encryption"), "{plain}");
    let wrong = psql("sslmode=require", user, "wrong")?;
    assert!(wrong.contains("password authentication failed"), "{wrong}");
    let superuser = psql("sslmode=require", "postgres", &password)?;
    assert!(superuser.contains("FATAL"), "{superuser}");

    let client = sql::read_write(&connection).await?;
    let row = client.query_one("SHOW password_encryption", &[]).await?;
    assert_eq!(row.get::<_, &str>(0), "scram-sha-256");
    let row =
        client.query_one("SELECT rolsuper FROM pg_roles WHERE rolname = current_user", &[]).await?;
    assert!(!row.get::<_, bool>(0), "users are no superusers");
    // The password is in no process list and in no log.
    let seen = inside(&container, "cat /proc/[0-9]*/cmdline | tr '\\0' ' '")?;
    assert!(!seen.contains(&password) && !server.log().contains(&password));
    server.check_log()
}
