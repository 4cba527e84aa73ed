//! What a replica's engine is told of its data when it starts.

use bellwether_contracts::Failure;
use tracing::{info, warn};

use super::{Mariadb, gtid};
use crate::mysql_family::node::relay_logs;
use crate::mysql_family::place::{Mark, socket_file};
use crate::mysql_family::quote;
use crate::mysql_family::replication::APPLY_MAX;

/// What `mariadb-binlog` says where the log ends before, or at, where it is to begin.
const NOTHING_NEW: &str = "never reached expected GTID state";

impl Mariadb {
    /// Tells an engine with copied data where that begins.
    pub(super) async fn begin_copied(&self) -> Result<(), Failure> {
        let Some(ids) = Mark::BeginsAt.read() else { return Ok(()) };
        let (slave, binlog) = (
            format!("SET GLOBAL gtid_slave_pos = {}", quote(&ids)),
            format!("SET GLOBAL gtid_binlog_state = {}", quote(&ids)),
        );
        self.act.execute(&["RESET SLAVE ALL", "RESET MASTER", &slave, &binlog]).await?;
        Mark::BeginsAt.clear()
    }

    /// Applies what the relay log still holds. The engine itself would throw it away when it is
    /// told to start with global transaction ids.
    pub(super) async fn replay_received(&self) -> Result<(), Failure> {
        if !Mark::Unapplied.is_set() {
            return Ok(());
        }
        let from = gtid::id(self.logged().await?);
        let logs = relay_logs()?;
        if logs.is_empty() || from.is_empty() {
            return Mark::Unapplied.clear();
        }
        match self.replay(&from, &logs).await {
            Ok(()) => {
                info!("what was received is applied");
                Mark::Unapplied.clear()
            }
            // Known to be whole again once it streams.
            Err(failure) => {
                warn!("what was received cannot be applied: {failure}");
                Ok(())
            }
        }
    }

    /// Reads logs from after that id and runs what they hold.
    async fn replay(&self, from: &str, logs: &[std::path::PathBuf]) -> Result<(), Failure> {
        let broken = |error: std::io::Error| Failure::transient(format!("the replay: {error}"));
        let mut read = self
            .command("mariadb-binlog")
            .arg("--no-defaults")
            .arg(format!("--start-position={from}"))
            .args(logs)
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(broken)?;
        let pipe: Option<std::process::Stdio> = match read.stdout.take() {
            Some(output) => Some(output.try_into().map_err(broken)?),
            None => None,
        };
        // As the engine's superuser, which a socket in a closed directory lets in.
        let mut run = tokio::process::Command::new("/usr/bin/mariadb");
        run.args(["--no-defaults", "--binary-mode", "--user=root"])
            .arg(format!("--socket={}", socket_file().display()))
            .stdin(pipe.unwrap_or_else(std::process::Stdio::null))
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::piped())
            .kill_on_drop(true);
        let run = run.output();
        let (ran, read) =
            tokio::time::timeout(APPLY_MAX, async { tokio::join!(run, read.wait_with_output()) })
                .await
                .map_err(|_| Failure::transient("the replay does not end"))?;
        let (ran, read) = (ran.map_err(broken)?, read.map_err(broken)?);
        let said = String::from_utf8_lossy(&read.stderr);
        // All that was received is applied.
        let is_nothing_new = said.contains(NOTHING_NEW);
        if ran.status.success() && (read.status.success() || is_nothing_new) {
            return Ok(());
        }
        let ran = String::from_utf8_lossy(&ran.stderr);
        let last = ran.lines().last().or(said.lines().last());
        Err(Failure::transient(last.unwrap_or("the log cannot be read").to_owned()))
    }
}
