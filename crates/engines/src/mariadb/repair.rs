//! A former primary's data, made fit to follow: what no replica confirmed and nobody was told of is
//! taken off the end of its log by the engine itself; whatever else only this node holds is set
//! aside, and a full copy is asked for.

use bellwether_contracts::Failure;
use bellwether_contracts::driver::{DataState, Repair};
use bellwether_protocol::Assignment;
use bellwether_protocol::assignment::Member;
use tracing::{info, warn};

use super::{Mariadb, gtid};
use crate::mysql_family::driver::Hands as _;
use crate::mysql_family::history::History;
use crate::mysql_family::node::own;
use crate::mysql_family::place::{Mark, data_state};
use crate::mysql_family::session::Session;

/// Lets the end of the recovery take off what no replica confirmed.
const TRUNCATING: [&str; 2] = ["--rpl-semi-sync-slave-enabled=ON", "--init-rpl-role=SLAVE"];

impl Mariadb {
    pub(super) async fn take_off_or_copy(
        &self,
        assignment: &Assignment,
        upstream: &Member,
    ) -> Result<Repair, Failure> {
        if !matches!(data_state(), DataState::Present { .. }) {
            return Ok(Repair::NeedsCopy);
        }
        let history = self.history_of(assignment, upstream).await?;
        let before = self.last_logged().await?;
        if !history.holds(before) {
            // Before anything is changed.
            self.keep_diverged(assignment.group.term, &history).await;
        }
        self.write_config(assignment)?;
        let id = gtid::replica_id(own(assignment)?.ordinal);
        let mut arguments = vec![format!("--server-id={id}")];
        arguments.extend(TRUNCATING.map(str::to_owned));
        if let Err(failure) = self.start(&arguments).await {
            warn!("{failure}; a full copy is needed");
            return Ok(Repair::NeedsCopy);
        }
        let after = self.logged().await?;
        if !history.holds(after) {
            warn!("this node's history is no part of the cluster's; a full copy is needed");
            self.stop_server().await?;
            return Ok(Repair::NeedsCopy);
        }
        Mark::Replica.set("")?;
        Mark::HandedOver.clear()?;
        self.stop_server().await?;
        if after == before {
            return Ok(Repair::CatchUp);
        }
        info!("the end of the log, which nobody was told of, is taken off");
        Ok(Repair::Rewound)
    }

    /// The history of another member's data, as its engine tells it.
    async fn history_of(
        &self,
        assignment: &Assignment,
        member: &Member,
    ) -> Result<History, Failure> {
        let password = &assignment.secrets.replication_password;
        let session = Session::to_member(member, self.port, password);
        let rows = session.query(self.words.logged).await?;
        let end = rows.first().map(self.words.place).unwrap_or_default();
        History::read(&session, end).await
    }
}
