//! Following, letting go, and becoming a primary.

use bellwether_contracts::Failure;
use bellwether_protocol::Assignment;
use bellwether_protocol::assignment::Member;
use tracing::{info, warn};

use super::{Mariadb, gtid};
use crate::mysql_family::history::row;
use crate::mysql_family::node::{own, relay_logs, term};
use crate::mysql_family::place::{Mark, conf, socket_file};
use crate::mysql_family::replication::{APPLY_MAX, LET_GO_MAX};
use crate::mysql_family::{clients, quote, replication_user};

/// What `mariadb-binlog` says where the log ends before, or at, where it is to begin.
const NOTHING_NEW: &str = "never reached expected GTID state";

impl Mariadb {
    /// Starts the engine as a replica. What it received before it ended is applied first: it may
    /// have been confirmed, and the upstream that sent it may be gone.
    pub(super) async fn start_following(
        &self,
        assignment: &Assignment,
        upstream: Option<&Member>,
    ) -> Result<(), Failure> {
        self.note_members(assignment);
        Mark::Replica.set("")?;
        Mark::HandedOver.clear()?;
        let own = own(assignment)?;
        self.start_as(assignment, gtid::replica_id(own.ordinal), &[]).await?;
        self.begin_copied().await?;
        self.apply_received().await?;
        self.follow_member(assignment, upstream).await
    }

    /// Starts the engine, fenced, with that server id.
    pub(super) async fn start_as(
        &self,
        assignment: &Assignment,
        server_id: u64,
        arguments: &[&str],
    ) -> Result<(), Failure> {
        self.write_config(assignment)?;
        let mut all = vec![format!("--server-id={server_id}")];
        all.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        self.start(&all).await
    }

    /// Tells an engine with copied data where that begins.
    async fn begin_copied(&self) -> Result<(), Failure> {
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
    async fn apply_received(&self) -> Result<(), Failure> {
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

    /// Makes the running engine follow that member, or nobody.
    pub(super) async fn follow_member(
        &self,
        assignment: &Assignment,
        upstream: Option<&Member>,
    ) -> Result<(), Failure> {
        self.note_members(assignment);
        let own = own(assignment)?;
        let was_primary = !Mark::Replica.is_set();
        if was_primary {
            self.peers.forget();
            let id = format!("SET GLOBAL server_id = {}", gtid::replica_id(own.ordinal));
            let off = "SET GLOBAL rpl_semi_sync_master_enabled = OFF";
            self.act.execute(&["SET GLOBAL read_only = ON", off, &id]).await?;
            Mark::Replica.set("")?;
            Mark::HandedOver.clear()?;
        }
        let Some(upstream) = upstream else { return self.let_go().await };
        self.confirm_or_not(assignment).await?;
        let logged = gtid::id(self.logged().await?);
        let conf = conf().display();
        let change = format!(
            "CHANGE MASTER TO MASTER_HOST = {host}, MASTER_PORT = {port}, MASTER_USER = {user}, \
             MASTER_PASSWORD = {password}, MASTER_USE_GTID = slave_pos, MASTER_CONNECT_RETRY = 1, \
             MASTER_HEARTBEAT_PERIOD = 0.5, MASTER_SSL = 1, MASTER_SSL_CA = '{conf}/ca.pem', \
             MASTER_SSL_VERIFY_SERVER_CERT = 1",
            host = quote(&upstream.address),
            port = assignment.engine.ports.private,
            user = quote(&replication_user(own)),
            password = quote(&assignment.secrets.replication_password),
        );
        // What this node holds is in its own log, whoever wrote it.
        let mut statements = vec!["STOP SLAVE".to_owned()];
        if !logged.is_empty() {
            statements.push(format!("SET GLOBAL gtid_slave_pos = {}", quote(&logged)));
        }
        statements.extend([change, "START SLAVE".to_owned()]);
        let statements: Vec<&str> = statements.iter().map(String::as_str).collect();
        self.act.execute_within(&statements, LET_GO_MAX).await
    }

    /// Makes a running replica the primary of the assigned term.
    pub(super) async fn become_primary(&self, assignment: &Assignment) -> Result<(), Failure> {
        self.note_members(assignment);
        let _opening = self.begin_opening();
        self.let_go().await?;
        // Sessions of readers have a replica's server id.
        clients::end(&self.act).await?;
        self.act.execute(&["SET GLOBAL rpl_semi_sync_slave_enabled = OFF"]).await?;
        Mark::Replica.clear()?;
        self.open(assignment).await
    }

    /// Starts the engine with a primary's data to accept writes.
    pub(super) async fn start_serving(&self, assignment: &Assignment) -> Result<(), Failure> {
        self.note_members(assignment);
        if Mark::Replica.is_set() {
            return Err(Failure::permanent("a replica's data is promoted, never just started"));
        }
        let term = term(assignment)?;
        let _opening = self.begin_opening();
        self.start_as(assignment, gtid::primary_id(term), &[]).await?;
        // Received in an earlier life.
        self.act.execute(&["RESET SLAVE ALL"]).await?;
        Mark::Unapplied.clear()?;
        self.open(assignment).await
    }

    /// Lets a fenced engine accept writes as the primary of the assigned term.
    pub(super) async fn open(&self, assignment: &Assignment) -> Result<(), Failure> {
        let term = term(assignment)?;
        self.begin_anew();
        let last = self.logged().await?;
        let id = format!("SET GLOBAL server_id = {}", gtid::primary_id(term));
        let own_id = format!("SET SESSION server_id = {}", gtid::primary_id(term));
        // Nobody can write yet, and the row of the term waits for nobody.
        self.act.execute(&["SET GLOBAL rpl_semi_sync_master_enabled = OFF", &id, &own_id]).await?;
        self.keep_users(assignment).await?;
        if last.timeline != term {
            self.act.execute(&[&row(term, last)]).await?;
        }
        self.require_confirmations(assignment).await?;
        Mark::HandedOver.clear()?;
        self.act.execute(&["SET GLOBAL read_only = OFF"]).await?;
        self.peers.ask(assignment, self.port);
        Ok(())
    }
}

/// How the engine is told to refuse writes, and to wait so long for commits under way.
pub(super) fn refuse(seconds: u64) -> Vec<String> {
    vec![format!(
        "SET STATEMENT lock_wait_timeout = {seconds}, max_statement_time = {seconds} \
         FOR SET GLOBAL read_only = ON"
    )]
}
