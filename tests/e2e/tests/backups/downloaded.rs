//! A backup is downloaded as one file, which PostgreSQL starts from without anything of ours.

use std::io::Write as _;
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};
use bellwether_model::Backup;
use bellwether_testkit::Api;

const IMAGE: &str = "bellwether/node-postgresql:17";

/// Unpacks what comes in, starts the engine over it, promotes it, and asks for what there is.
const START: &str = "set -e
mkdir /tmp/it
tar -x -C /tmp/it
cd /tmp/it/*
touch standby.signal
chown -R postgres .
chmod 700 .
run() { setpriv --reuid postgres --regid postgres --clear-groups \"$@\"; }
run pg_ctl --pgdata . --log /tmp/log -o '-k /tmp -c listen_addresses= -c max_connections=500 \
    -c max_worker_processes=64 -c max_wal_senders=64' --wait start >/dev/null || cat /tmp/log >&2
run pg_ctl --pgdata . --wait promote >/dev/null
run psql -h /tmp -d app -AtXc \
    \"SELECT count(*) || ' ' || md5(string_agg(id || text, ',' ORDER BY id)) FROM facts\"";

/// The file of that backup holds what the cluster had when it was taken.
pub(super) async fn starts_from_a_download(
    api: &Api,
    backup: &Backup,
    (count, digest): &(i64, String),
) -> anyhow::Result<()> {
    let file = api.file(&format!("/v1/backups/{}/download", backup.id)).await?;
    let mut engine = Command::new("docker")
        .args(["run", "--rm", "-i", "--network", "none", "--entrypoint", "bash", IMAGE, "-c"])
        .arg(START)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    engine.stdin.take().context("a pipe")?.write_all(&file)?;
    let ended = engine.wait_with_output()?;
    let (said, wrong) =
        (String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
    ensure!(said.trim() == format!("{count} {digest}"), "{said}{wrong}");
    println!("a file of {} bytes", file.len());
    Ok(())
}
