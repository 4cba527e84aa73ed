//! Letting go of an upstream, and handing the role over.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bellwether_contracts::Failure;
use bellwether_model::Target;
use bellwether_model::replication::Position;
use bellwether_protocol::Assignment;

use super::clients;
use super::node::Node;
use super::place::{Mark, handed_over};
use super::session::number;

/// What was received is applied within this time, or the step is begun anew.
pub(crate) const APPLY_MAX: Duration = Duration::from_secs(60);

/// The engine lets go of an upstream that does not answer, or starts to follow.
pub(crate) const LET_GO_MAX: Duration = Duration::from_secs(10);

/// Commits under way end before the engine refuses writes.
const REFUSE_MAX: Duration = Duration::from_secs(4);

/// Replicas that stream have everything within this time after the last write.
const HANDED_MAX: Duration = Duration::from_secs(3);

/// Between two looks at how far the engine is.
const LOOK_EVERY: Duration = Duration::from_millis(5);

impl Node {
    /// Receives nothing more, and applies what was received.
    pub(crate) async fn let_go(&self) -> Result<(), Failure> {
        if self.replication().await?.host.is_empty() {
            return Ok(());
        }
        self.act.execute_within(&[self.words.stop_receiving], LET_GO_MAX).await?;
        self.until_applied().await?;
        self.act.execute_within(&[self.words.stop, self.words.reset], LET_GO_MAX).await
    }

    /// Waits until everything that was received is applied.
    pub(crate) async fn until_applied(&self) -> Result<(), Failure> {
        let end = Instant::now() + APPLY_MAX;
        loop {
            let replication = self.replication().await?;
            if self.logged().await?.offset >= replication.received.offset {
                return Ok(());
            }
            if !replication.is_applying {
                let error = replication.error;
                return Err(Failure::transient(format!(
                    "what was received is not applied: {error}"
                )));
            }
            if Instant::now() > end {
                return Err(Failure::transient("applying what was received takes long"));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Refuses writes for good, and waits until replicas that receive have everything. `refuse`:
    /// the engine's words for it, which wait for commits under way at most so many seconds.
    pub(crate) async fn give_over(
        &self,
        assignment: &Assignment,
        refuse: fn(u64) -> Vec<String>,
    ) -> Result<Option<Position>, Failure> {
        let Target::Demoted { term } = assignment.target else {
            return Err(Failure::transient("this node is not to hand over any more"));
        };
        let statements = refuse(REFUSE_MAX.as_secs() - 1);
        let statements: Vec<&str> = statements.iter().map(String::as_str).collect();
        self.act.execute_within(&statements, REFUSE_MAX).await?;
        Mark::HandedOver.set(&term.to_string())?;
        clients::end(&self.act).await?;
        let end = self.logged().await?;
        let until = Instant::now() + HANDED_MAX;
        while Instant::now() < until {
            let followers = self.peers.followers(end.timeline);
            if followers.iter().all(|follower| follower.flushed >= end) {
                break;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(Some(end))
    }

    /// Whether a primary's engine takes no writes and shall: it handed over and is taken back under
    /// a later term, or its opening was interrupted.
    pub(crate) async fn must_open(&self, assignment: &Assignment) -> Result<bool, Failure> {
        let Target::Primary { term, .. } = assignment.target else { return Ok(false) };
        let is_refusing = self.is_refusing.load(Ordering::Relaxed);
        if is_refusing || Mark::Replica.is_set() || handed_over().is_some_and(|given| given >= term)
        {
            return Ok(false);
        }
        let rows = self.act.query("SELECT @@global.read_only AS read_only").await?;
        Ok(rows.first().and_then(|row| number(row, "read_only")) == Some(1))
    }

    /// Where the log of the stopped engine ends, once it has stopped in an orderly way.
    pub(crate) async fn stop_telling(&self) -> Result<Option<Position>, Failure> {
        let end = match self.server() {
            Some(_) => self.logged().await.ok(),
            None => None,
        };
        let is_clean = self.stop_server().await?;
        Ok(end.filter(|_| is_clean))
    }
}
