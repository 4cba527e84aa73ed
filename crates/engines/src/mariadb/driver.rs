//! The driver: each method short, and safe to call again after an interruption.

use async_trait::async_trait;
use bellwether_contracts::driver::{Probe, Repair};
use bellwether_contracts::{Driver, Failure};
use bellwether_model::Target;
use bellwether_model::replication::Position;
use bellwether_model::transaction::Transaction;
use bellwether_protocol::Assignment;
use bellwether_protocol::assignment::Member;

use super::Mariadb;
use super::replication::refuse;
use crate::files::remove;
use crate::mysql_family::clients;
use crate::mysql_family::place::{Mark, former_root, handed_over, new_root, root};

#[async_trait]
impl Driver for Mariadb {
    async fn probe(&self) -> Probe {
        self.node.probe().await
    }

    async fn ended(&self) {
        if let Some(pid) = self.server() {
            self.processes.until_ended(pid).await;
        }
    }

    async fn bootstrap(&self, assignment: &Assignment) -> Result<(), Failure> {
        self.make_database(assignment).await
    }

    async fn seed(
        &self,
        assignment: &Assignment,
        upstream: &Member,
        progress: &(dyn Fn(u64, u64) + Send + Sync),
    ) -> Result<(), Failure> {
        self.copy_from(assignment, upstream, progress).await
    }

    async fn configure(&self, assignment: &Assignment) -> Result<(), Failure> {
        self.note_members(assignment);
        self.write_config(assignment)?;
        self.offer_copies(assignment);
        if Mark::Replica.is_set() {
            self.keep_users(assignment).await?;
            return self.confirm_or_not(assignment).await;
        }
        if self.must_open(assignment).await? {
            return self.open(assignment).await;
        }
        if handed_over().is_some() {
            return Ok(());
        }
        self.peers.ask(assignment, self.port);
        self.keep_users(assignment).await
    }

    async fn start_primary(&self, assignment: &Assignment) -> Result<(), Failure> {
        self.start_serving(assignment).await
    }

    async fn start_replica(
        &self,
        assignment: &Assignment,
        upstream: Option<&Member>,
    ) -> Result<(), Failure> {
        self.start_following(assignment, upstream).await
    }

    async fn follow(
        &self,
        assignment: &Assignment,
        upstream: Option<&Member>,
    ) -> Result<(), Failure> {
        self.follow_member(assignment, upstream).await
    }

    async fn promote(&self, assignment: &Assignment) -> Result<Option<Position>, Failure> {
        self.become_primary(assignment).await?;
        Ok(None)
    }

    async fn prepare_handover(&self) -> Result<(), Failure> {
        Ok(())
    }

    async fn hand_over(&self, assignment: &Assignment) -> Result<Option<Position>, Failure> {
        match assignment.target {
            Target::Demoted { .. } => self.give_over(assignment, refuse).await,
            // Whoever was replaced meanwhile may hold what nobody else does.
            _ => self.stop().await,
        }
    }

    async fn transactions(&self) -> Result<Vec<Transaction>, Failure> {
        clients::transactions(&self.look, self.words.running_ms).await
    }

    async fn end_clients(&self) -> Result<(), Failure> {
        clients::end(&self.act).await
    }

    async fn stop(&self) -> Result<Option<Position>, Failure> {
        self.stop_telling().await
    }

    async fn log_end(&self, from: Position) -> Result<Position, Failure> {
        Ok(self.find_log_end().await?.max(from))
    }

    async fn kill(&self) -> Result<(), Failure> {
        self.kill_server().await
    }

    async fn repair(&self, assignment: &Assignment, upstream: &Member) -> Result<Repair, Failure> {
        self.make_fit(assignment, upstream).await
    }

    async fn erase(&self) -> Result<(), Failure> {
        self.kill_server().await?;
        remove(root())?;
        remove(new_root())
    }

    async fn drop_former(&self) -> Result<(), Failure> {
        let removed = tokio::task::spawn_blocking(|| remove(former_root())).await;
        removed.unwrap_or_else(|_| Err(Failure::transient("the removal broke")))
    }

    async fn is_configuration_active(&self, assignment: &Assignment) -> Result<bool, Failure> {
        self.is_armed(assignment).await
    }
}
