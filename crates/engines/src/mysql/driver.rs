//! MySQL's ways of what the family's driver does.

use std::path::Path;

use async_trait::async_trait;
use bellwether_contracts::Failure;
use bellwether_contracts::driver::Repair;
use bellwether_model::Term;
use bellwether_model::replication::Position;
use bellwether_protocol::Assignment;
use bellwether_protocol::assignment::Member;
use tracing::warn;

use super::Mysql;
use crate::mysql_family::backup::Copied;
use crate::mysql_family::driver::Hands;
use crate::mysql_family::place::{Mark, conf};
use crate::mysql_family::replication::LET_GO_MAX;
use crate::mysql_family::session::text;
use crate::mysql_family::{quote, replication_user};

/// The transactions that were received to their end.
const RECEIVED: &str = "SELECT REPLACE(RECEIVED_TRANSACTION_SET, '\n', '') AS received \
                        FROM performance_schema.replication_connection_status \
                        WHERE CHANNEL_NAME = ''";

#[async_trait]
impl Hands for Mysql {
    fn settings(&self, assignment: &Assignment) -> String {
        self.text_of_settings(assignment)
    }

    fn refuse(seconds: u64) -> Vec<String> {
        vec![
            format!("SET SESSION lock_wait_timeout = {seconds}"),
            "SET GLOBAL super_read_only = ON".to_owned(),
        ]
    }

    fn opening(_term: Term) -> Vec<String> {
        vec!["SET GLOBAL super_read_only = OFF".to_owned()]
    }

    fn closing(_own: &Member) -> Vec<String> {
        vec![
            "SET GLOBAL super_read_only = ON".to_owned(),
            "SET GLOBAL rpl_semi_sync_source_enabled = OFF".to_owned(),
        ]
    }

    fn following(
        assignment: &Assignment,
        own: &Member,
        upstream: &Member,
        _logged: Position,
    ) -> Vec<String> {
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
        vec!["STOP REPLICA".to_owned(), change, "START REPLICA".to_owned()]
    }

    async fn make_database(&self, assignment: &Assignment) -> Result<(), Failure> {
        self.make_first(assignment).await
    }

    async fn copy_from(
        &self,
        assignment: &Assignment,
        upstream: &Member,
        progress: &(dyn Fn(u64, u64) + Send + Sync),
    ) -> Result<(), Failure> {
        self.copy_all(assignment, upstream, progress).await
    }

    async fn apply_received(&self) -> Result<(), Failure> {
        if self.replication().await?.host.is_empty() {
            return Mark::Unapplied.clear();
        }
        let rows = self.act.query(RECEIVED).await?;
        let received = rows.first().and_then(|row| text(row, "received")).unwrap_or_default();
        if received.is_empty() {
            return Mark::Unapplied.clear();
        }
        // No further: of half a transaction at the end, which was cut off by a stop, the engine
        // would wait a minute for the other half before it stops to apply.
        let start =
            format!("START REPLICA SQL_THREAD UNTIL SQL_AFTER_GTIDS = {}", quote(&received));
        let start = self.act.execute_within(&[&start], LET_GO_MAX).await;
        let applied = match start {
            Ok(()) => self.until_applied().await,
            failed => failed,
        };
        match applied {
            Ok(()) => Mark::Unapplied.clear(),
            // Known to be whole again once it streams.
            Err(failure) => {
                warn!("what was received cannot be applied: {failure}");
                Ok(())
            }
        }
    }

    async fn find_log_end(&self, from: Position) -> Result<Position, Failure> {
        let offset = self.logged_in_files().await?.count();
        Ok(Position { offset: offset.max(from.offset), ..from })
    }

    async fn copy_here(&self, directory: &Path) -> Result<Copied, Failure> {
        self.copy_beside(directory).await
    }

    async fn make_fit(
        &self,
        assignment: &Assignment,
        upstream: &Member,
    ) -> Result<Repair, Failure> {
        self.take_off_or_copy(assignment, upstream).await
    }
}
