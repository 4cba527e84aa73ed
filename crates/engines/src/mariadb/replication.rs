//! What a replica's engine is told of its data when it starts.

use bellwether_contracts::Failure;
use tracing::{info, warn};

use super::{Mariadb, gtid};
use crate::mysql_family::alone::{run_log, said};
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
        let mut read = self.command(self.words.log_reader);
        read.arg("--no-defaults").arg(format!("--start-position={from}")).args(logs);
        let socket = socket_file();
        let run = run_log(&mut read, self.words.client, &socket, &|_, _| {});
        let (read, ran) = tokio::time::timeout(APPLY_MAX, run)
            .await
            .map_err(|_| Failure::transient("the replay does not end"))??;
        let (read_said, ran_said) = (said(&read), said(&ran));
        // All that was received is applied.
        let is_nothing_new = read_said.contains(NOTHING_NEW);
        if ran.status.success() && (read.status.success() || is_nothing_new) {
            return Ok(());
        }
        let last = ran_said.lines().last().or(read_said.lines().last());
        Err(Failure::transient(last.unwrap_or("the log cannot be read").to_owned()))
    }
}
