//! H4: what only a former primary held is counted, kept on it and told, when it comes back.

use std::time::Duration;

use anyhow::Context as _;
use bellwether_model::Operation;
use bellwether_testkit::Server;
use bellwether_testkit::docker::{container_of, docker, inside};
use bellwether_testkit::sql;

/// What the engine of that container says to its own agent's user.
fn ask(container: &str, statement: &str) -> anyhow::Result<String> {
    let socket = "host=/run/bellwether/postgresql port=5431 user=postgres dbname=app";
    docker(&["exec", container, "psql", socket, "-AtXc", statement])
}

#[tokio::test]
async fn what_only_a_former_primary_held_is_counted_kept_and_told() -> anyhow::Result<()> {
    let (server, api) = Server::start().await?;
    let cluster = api.create("orders", 2, "async").await?;
    let former = cluster.primary.context("a primary")?;
    let client = sql::read_write(&api.connection("orders").await?).await?;
    client.batch_execute("CREATE TABLE kept (id int)").await?;
    let container = container_of(former.as_str())?;
    // Nothing more gets from engine to engine; seven transactions, and one that is taken back.
    let cut = "nft add table inet cut && nft add chain inet cut out \
               '{ type filter hook output priority -10; }' && \
               nft add rule inet cut out tcp sport 5431 drop";
    inside(&container, cut)?;
    for id in 1..=7 {
        ask(&container, &format!("INSERT INTO kept VALUES ({id})"))?;
    }
    ask(&container, "BEGIN; INSERT INTO kept VALUES (8); ROLLBACK")?;
    docker(&["kill", &container])?;
    let healthy = api.healthy("orders", Duration::from_secs(90)).await?;
    assert_ne!(healthy.primary.as_ref(), Some(&former));

    let nodes = api.nodes("orders").await?;
    let returned = nodes.iter().find(|node| node.id == former).context("still a member")?;
    let found = returned.diverged.first().context("what only it held is listed")?;
    assert_eq!(found.transactions, Some(7), "{found:?}");
    assert!(found.bytes > 0 && found.segments > 0 && !found.is_cut, "{found:?}");
    assert_eq!(found.records.get("Transaction COMMIT"), Some(&7), "{found:?}");
    let files = inside(&container, &format!("ls {}", found.directory))?;
    assert!(files.contains("summary.json") && files.contains("0000000"), "{files}");
    let records = inside(&container, &format!("cat {}/records.txt", found.directory))?;
    assert_eq!(records.matches("desc: COMMIT").count(), 7);

    let operations = api.operations("orders").await?;
    let of = |kind: &str| -> anyhow::Result<&Operation> {
        operations.iter().find(|one| one.kind.word() == kind).context("such an operation")
    };
    let (rejoin, failover) = (of("rejoin")?, of("failover")?);
    assert!(rejoin.message.contains("7 transactions"), "{}", rejoin.message);
    assert!(failover.message.contains("7 transactions"), "{}", failover.message);
    assert_eq!(rejoin.state["found_transactions"], 7);
    assert_eq!(failover.state["found_transactions"], 7);
    server.check_log()
}
