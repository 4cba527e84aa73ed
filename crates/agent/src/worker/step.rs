//! The steps that the worker takes with the engine, beside its loop.

use std::sync::{Arc, Mutex};

use bellwether_contracts::driver::{Joined, Repair};
use bellwether_contracts::{Driver, Failure, OpenRepository};
use bellwether_model::NodeId;
use bellwether_model::replication::Position;
use bellwether_protocol::Assignment;

use super::converge::Act;

/// What a step that ran beside the loop leaves.
pub(super) enum Ended {
    Nothing,
    Repaired(Repair),
    Stopped(Option<Position>),
    /// Where the log ended that was taken over, as far as that is known.
    Promoted(Option<Position>),
    /// Whether there was a group to join.
    Joined(Joined),
}

pub(super) type StepResult = Result<Ended, Failure>;

/// Takes a step with the engine; some take long.
pub(super) async fn perform(
    driver: Arc<dyn Driver>,
    assignment: Assignment,
    act: Act,
    progress: Arc<Mutex<Option<(u64, u64)>>>,
    repositories: OpenRepository,
) -> StepResult {
    let member = |id: &NodeId| {
        assignment
            .group
            .member(id)
            .cloned()
            .ok_or_else(|| Failure::transient("the upstream is no member any more"))
    };
    let tell = move |done: u64, all: u64| {
        *progress.lock().expect("nothing panics while it is held") = Some((done, all));
    };
    match &act {
        Act::Bootstrap => driver.bootstrap(&assignment).await?,
        Act::Restore => {
            let restore = assignment.restore.as_ref();
            let restore = restore.ok_or_else(|| Failure::transient("nothing is to be restored"))?;
            let repository = repositories(&restore.access);
            driver.restore(&assignment, restore, repository.as_ref(), &tell).await?;
        }
        Act::Seed(upstream) => {
            driver.stop().await?;
            driver.seed(&assignment, &member(upstream)?, &tell).await?;
        }
        Act::StartPrimary(_) => driver.start_primary(&assignment).await?,
        Act::StartReplica(upstream) => {
            let upstream = upstream.as_ref().map(member).transpose()?;
            driver.start_replica(&assignment, upstream.as_ref()).await?;
        }
        Act::Follow(upstream) => {
            let upstream = upstream.as_ref().map(member).transpose()?;
            driver.follow(&assignment, upstream.as_ref()).await?;
        }
        Act::Promote(_) => return Ok(Ended::Promoted(driver.promote(&assignment).await?)),
        Act::Found(_) => driver.found(&assignment).await?,
        Act::Join => return Ok(Ended::Joined(driver.join(&assignment).await?)),
        Act::Demote => return Ok(Ended::Stopped(driver.hand_over(&assignment).await?)),
        Act::Stop => {
            driver.stop().await?;
        }
        Act::Kill | Act::Reset => driver.kill().await?,
        Act::Repair(upstream) => {
            driver.stop().await?;
            let repair = driver.repair(&assignment, &member(upstream)?).await?;
            return Ok(Ended::Repaired(repair));
        }
        Act::Erase => {
            driver.erase().await?;
            driver.drop_former().await?;
        }
        Act::Exchange => {
            let order = assignment.replace.as_ref();
            let order = order.ok_or_else(|| Failure::transient("nothing is to be exchanged"))?;
            driver.exchange(&assignment, &order.token).await?;
        }
        Act::AdoptTerm(_) | Act::GiveUp(_) | Act::Retry => {}
    }
    Ok(Ended::Nothing)
}

/// The step in words.
pub(super) fn words(act: &Act) -> &'static str {
    match act {
        Act::Bootstrap => "creating the database",
        Act::Restore => "restoring the backup",
        Act::Seed(_) => "copying the data",
        Act::StartPrimary(_) | Act::StartReplica(_) => "starting the engine",
        Act::Follow(Some(_)) => "following another node",
        Act::Follow(None) => "letting go of the former primary",
        Act::Promote(_) => "becoming primary",
        Act::Found(_) => "beginning the group",
        Act::Join => "joining the group",
        Act::AdoptTerm(_) => "taking the new term",
        Act::Demote | Act::GiveUp(_) => "giving the role up",
        Act::Stop | Act::Kill | Act::Reset => "stopping the engine",
        Act::Repair(_) => "making the data fit to follow",
        Act::Erase => "removing the data",
        Act::Exchange => "putting other data in its place",
        Act::Retry => "trying again",
    }
}
