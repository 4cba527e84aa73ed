//! From the create command to a writable three-node cluster with images present, and how much of it
//! is the engine's own: initdb and pg_basebackup in such a container.

use std::time::Instant;

use bellwether_testkit::docker::docker;
use bellwether_testkit::{Server, sql};
use serde_json::json;

use crate::figures::percentile;

pub(crate) async fn run(runs: usize) -> anyhow::Result<()> {
    let mut created = Vec::new();
    let mut floors = Vec::new();
    for run in 1..=runs {
        let (_server, api) = Server::start().await?;
        let began = Instant::now();
        api.create("bench", 3, "async").await?;
        let connection = api.connection("bench").await?;
        let client = sql::read_write(&connection).await?;
        client.batch_execute("CREATE TABLE written (id int)").await?;
        created.push(began.elapsed().as_secs_f64() * 1_000.0);
        api.delete("bench").await?;
        floors.push(floor()?);
        println!(
            "run {run}: {:.0} ms, the engine alone {:.0} ms",
            created[run - 1],
            floors[run - 1]
        );
    }
    let figures = json!({
        "bench": "create", "runs": runs,
        "create_ms": percentile(&created, 50.0),
        "engine_floor_ms": percentile(&floors, 50.0),
    });
    println!("{figures}");
    Ok(())
}

/// One initdb, one start, one copy, one start of the copy, one after the other.
fn floor() -> anyhow::Result<f64> {
    let script = "set -e; cd /tmp; b=/usr/lib/postgresql/17/bin; \
        $b/initdb -D a -k -A trust -U postgres >/dev/null; \
        $b/pg_ctl -D a -w -o '-c unix_socket_directories=/tmp' start >/dev/null; \
        $b/pg_basebackup -h /tmp -U postgres -D b -c fast -X stream; touch b/standby.signal; \
        $b/pg_ctl -D b -w -o '-p 5439 -c unix_socket_directories=/tmp' start >/dev/null";
    let began = Instant::now();
    docker(&[
        "run",
        "--rm",
        "--user",
        "postgres",
        "--entrypoint",
        "bash",
        "bellwether/node-postgresql:17",
        "-c",
        script,
    ])?;
    Ok(began.elapsed().as_secs_f64() * 1_000.0)
}
