//! Following, and becoming a primary.

use bellwether_contracts::Failure;
use bellwether_protocol::Assignment;
use bellwether_protocol::assignment::Member;
use tracing::warn;

use super::Mysql;
use crate::mysql_family::history::row;
use crate::mysql_family::node::{own, term};
use crate::mysql_family::place::{Mark, conf};
use crate::mysql_family::replication::LET_GO_MAX;
use crate::mysql_family::{clients, quote, replication_user};

impl Mysql {
    /// Starts the engine as a replica. What it received before it ended is applied first: it may
    /// have been confirmed, and the upstream that sent it may be gone.
    pub(super) async fn start_following(
        &self,
        assignment: &Assignment,
        upstream: Option<&Member>,
    ) -> Result<(), Failure> {
        self.note_members(assignment);
        self.write_config(assignment)?;
        Mark::Replica.set("")?;
        Mark::HandedOver.clear()?;
        self.start(&[]).await?;
        match self.apply_received().await {
            Ok(()) => Mark::Unapplied.clear()?,
            // Known to be whole again once it streams.
            Err(failure) => warn!("what was received cannot be applied: {failure}"),
        }
        self.follow_member(assignment, upstream).await
    }

    async fn apply_received(&self) -> Result<(), Failure> {
        if self.replication().await?.host.is_empty() {
            return Ok(());
        }
        self.act.execute_within(&["START REPLICA SQL_THREAD"], LET_GO_MAX).await?;
        self.until_applied().await
    }

    /// Makes the running engine follow that member, or nobody.
    pub(super) async fn follow_member(
        &self,
        assignment: &Assignment,
        upstream: Option<&Member>,
    ) -> Result<(), Failure> {
        self.note_members(assignment);
        let own = own(assignment)?;
        if !Mark::Replica.is_set() {
            self.peers.forget();
            let off = "SET GLOBAL rpl_semi_sync_source_enabled = OFF";
            self.act.execute(&["SET GLOBAL super_read_only = ON", off]).await?;
            Mark::Replica.set("")?;
            Mark::HandedOver.clear()?;
        }
        let Some(upstream) = upstream else { return self.let_go().await };
        self.confirm_or_not(assignment).await?;
        let change = format!(
            "CHANGE REPLICATION SOURCE TO SOURCE_HOST = {host}, SOURCE_PORT = {port}, \
             SOURCE_USER = {user}, SOURCE_PASSWORD = {password}, SOURCE_AUTO_POSITION = 1, \
             SOURCE_CONNECT_RETRY = 1, SOURCE_RETRY_COUNT = 86400000, \
             SOURCE_HEARTBEAT_PERIOD = 0.5, SOURCE_SSL = 1, SOURCE_SSL_CA = '{conf}/ca.pem', \
             SOURCE_SSL_VERIFY_SERVER_CERT = 1",
            conf = conf().display(),
            host = quote(&upstream.address),
            port = assignment.engine.ports.private,
            user = quote(&replication_user(own)),
            password = quote(&assignment.secrets.replication_password),
        );
        let statements = ["STOP REPLICA", &change, "START REPLICA"];
        self.act.execute_within(&statements, LET_GO_MAX).await
    }

    /// Makes a running replica the primary of the assigned term.
    pub(super) async fn become_primary(&self, assignment: &Assignment) -> Result<(), Failure> {
        self.note_members(assignment);
        let _opening = self.begin_opening();
        self.let_go().await?;
        clients::end(&self.act).await?;
        self.act.execute(&["SET GLOBAL rpl_semi_sync_replica_enabled = OFF"]).await?;
        Mark::Replica.clear()?;
        self.open(assignment).await
    }

    /// Starts the engine with a primary's data to accept writes.
    pub(super) async fn start_serving(&self, assignment: &Assignment) -> Result<(), Failure> {
        self.note_members(assignment);
        self.write_config(assignment)?;
        if Mark::Replica.is_set() {
            return Err(Failure::permanent("a replica's data is promoted, never just started"));
        }
        let _opening = self.begin_opening();
        self.start(&[]).await?;
        // Received in an earlier life.
        self.act.execute(&["RESET REPLICA ALL"]).await?;
        Mark::Unapplied.clear()?;
        self.open(assignment).await
    }

    /// Lets a fenced engine accept writes as the primary of the assigned term.
    pub(super) async fn open(&self, assignment: &Assignment) -> Result<(), Failure> {
        let term = term(assignment)?;
        self.begin_anew();
        let last = self.logged().await?;
        // Clients cannot write yet, and the row of the term waits for nobody.
        let off = "SET GLOBAL rpl_semi_sync_source_enabled = OFF";
        self.act.execute(&[off, "SET GLOBAL super_read_only = OFF"]).await?;
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
    vec![
        format!("SET SESSION lock_wait_timeout = {seconds}"),
        "SET GLOBAL super_read_only = ON".to_owned(),
    ]
}
