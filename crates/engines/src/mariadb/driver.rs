//! MariaDB's ways of what the family's driver does.

use std::path::Path;

use async_trait::async_trait;
use bellwether_contracts::Failure;
use bellwether_contracts::driver::{Joined, Probe, Repair};
use bellwether_model::Term;
use bellwether_model::replication::Position;
use bellwether_protocol::Assignment;
use bellwether_protocol::assignment::Member;

use super::seed::{begins_at, note_end};
use super::written::Watch;
use super::{Mariadb, gtid, written};
use crate::mysql_family::backup::Copied;
use crate::mysql_family::driver::Hands;
use crate::mysql_family::kept_log::Written;
use crate::mysql_family::node::{own, term};
use crate::mysql_family::place::{Mark, conf};
use crate::mysql_family::{quote, replication_user};

#[async_trait]
impl Hands for Mariadb {
    fn settings(&self, assignment: &Assignment) -> String {
        self.text_of_settings(assignment)
    }

    fn arguments(&self, assignment: &Assignment) -> Result<Vec<String>, Failure> {
        let id = match Mark::Replica.is_set() {
            true => gtid::replica_id(own(assignment)?.ordinal),
            false => gtid::primary_id(term(assignment)?),
        };
        Ok(vec![format!("--server-id={id}")])
    }

    fn refuse(seconds: u64) -> Vec<String> {
        vec![format!(
            "SET STATEMENT lock_wait_timeout = {seconds}, max_statement_time = {seconds} \
             FOR SET GLOBAL read_only = ON"
        )]
    }

    fn opening(term: Term) -> Vec<String> {
        let id = gtid::primary_id(term);
        vec![format!("SET GLOBAL server_id = {id}"), format!("SET SESSION server_id = {id}")]
    }

    fn closing(own: &Member) -> Vec<String> {
        vec![
            "SET GLOBAL read_only = ON".to_owned(),
            "SET GLOBAL rpl_semi_sync_master_enabled = OFF".to_owned(),
            format!("SET GLOBAL server_id = {}", gtid::replica_id(own.ordinal)),
        ]
    }

    /// What this node holds is in its own log, whoever wrote it.
    fn following(
        assignment: &Assignment,
        own: &Member,
        upstream: &Member,
        logged: Position,
    ) -> Vec<String> {
        let mut statements = vec!["STOP SLAVE".to_owned()];
        if logged.offset > 0 {
            let id = quote(&gtid::id(logged));
            statements.push(format!("SET GLOBAL gtid_slave_pos = {id}"));
        }
        statements.push(format!(
            "CHANGE MASTER TO MASTER_HOST = {host}, MASTER_PORT = {port}, MASTER_USER = {user}, \
             MASTER_PASSWORD = {password}, MASTER_USE_GTID = slave_pos, MASTER_CONNECT_RETRY = 1, \
             MASTER_HEARTBEAT_PERIOD = 0.5, MASTER_SSL = 1, MASTER_SSL_CA = '{conf}/ca.pem', \
             MASTER_SSL_VERIFY_SERVER_CERT = 1",
            host = quote(&upstream.address),
            port = assignment.engine.ports.private,
            user = quote(&replication_user(own)),
            password = quote(&assignment.secrets.replication_password),
            conf = conf().display(),
        ));
        statements.push("START SLAVE".to_owned());
        statements
    }

    async fn look(&self) -> Probe {
        if self.is_of_group { self.probe_member().await } else { self.probe().await }
    }

    async fn found_group(&self, assignment: &Assignment) -> Result<(), Failure> {
        self.begin_group(assignment).await
    }

    async fn join_a_group(&self, assignment: &Assignment) -> Result<Joined, Failure> {
        self.join_group(assignment).await
    }

    fn offer_copies(&self, assignment: &Assignment) {
        self.listen_for_copies(assignment);
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
        self.begin_copied().await?;
        self.replay_received().await
    }

    async fn find_log_end(&self, from: Position) -> Result<Position, Failure> {
        Ok(self.last_logged().await?.max(from))
    }

    async fn copy_here(&self, directory: &Path) -> Result<Copied, Failure> {
        self.copy_beside(directory).await
    }

    fn begins_at(directory: &Path) -> Result<Option<String>, Failure> {
        begins_at(directory).map(Some)
    }

    fn watch_log(&self, assignment: &Assignment) {
        let mut watch = self.watch.lock().expect("nothing panics while it is held");
        match assignment.log {
            Some(_) => {
                watch.get_or_insert_with(Watch::begin);
            }
            None => *watch = None,
        }
    }

    fn written(log: &Path) -> Vec<Written> {
        written::written(log)
    }

    fn note_end(data: &Path, end: Position) -> Result<(), Failure> {
        note_end(data, end)
    }

    async fn make_fit(
        &self,
        assignment: &Assignment,
        upstream: &Member,
    ) -> Result<Repair, Failure> {
        self.take_off_or_copy(assignment, upstream).await
    }
}
