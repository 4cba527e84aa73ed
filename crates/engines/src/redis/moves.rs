//! Slots that leave this shard and come to it, as they are assigned.
//!
//! Whose a slot is, is decided in the store alone. A primary that was told to have sealed slots
//! takes no writes to them again before it is assigned them anew: under another token, which says
//! that nothing was decided under the former, or as the primary of another term. And before a
//! primary claims what has come, it shuts out whoever brought it: the user for that is of one
//! token, and goes with its connections.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use bellwether_contracts::Failure;
use bellwether_model::Term;
use bellwether_model::shard::{MoveEnd, MoveReport, SlotMove, SlotRange, ranges, without};
use bellwether_protocol::Assignment;
use bellwether_protocol::assignment::Sharding;
use tracing::warn;

use super::mover::{Mover, Way, close, sweep};
use super::replication::primary_term;
use super::shards::engine_id;
use super::{Handed, MOVE_USER, Redis, conf, socket};
use crate::files::remove_file;

/// The other shard's primary says within this time that slots are its own.
const NEWS_MAX: Duration = Duration::from_millis(500);

/// What is left of slots that went is removed within this time, or not before they come again.
const SWEEP_MAX: Duration = Duration::from_secs(2);

/// What the user may that brings keys.
const MAY: [&str; 10] = [
    "+asking",
    "+restore-asking",
    "+del",
    "+wait",
    "+waitaof",
    "+cluster|countkeysinslot",
    "+cluster|getkeysinslot",
    "+cluster|setslot",
    "+cluster|nodes",
    "+auth",
];

/// Whether that end of a move is what this node is assigned to be.
fn is_own(end: &MoveEnd, assignment: &Assignment) -> bool {
    let term: Option<Term> = primary_term(&assignment.target);
    end.primary == assignment.node && term == Some(end.term)
}

/// The move of slots that this node, as the primary of its term, shall make.
pub(super) fn leaving<'a>(assignment: &Assignment, sharding: &'a Sharding) -> Option<&'a SlotMove> {
    sharding.leaving.as_ref().filter(|order| is_own(&order.from, assignment))
}

/// The slots that its engine may claim at any time: not those that may be another's already.
pub(super) fn claimable(assignment: &Assignment, sharding: &Sharding) -> Vec<SlotRange> {
    match leaving(assignment, sharding) {
        Some(order) => without(&sharding.slots, &order.slots),
        None => sharding.slots.clone(),
    }
}

/// Where the token is noted whose slots may have been told to be sealed.
fn note() -> PathBuf {
    conf().join("sealed")
}

/// Follows from what the primaries of both shards know; good for one token.
fn move_password(peer_key: &str, token: &str) -> String {
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, peer_key.as_bytes());
    let tag = ring::hmac::sign(&key, format!("the mover of {token}").as_bytes());
    tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Redis {
    /// How far it has come with slots that leave.
    pub(super) fn move_report(&self) -> Option<MoveReport> {
        let moving = self.moving.lock().expect("nothing panics while it is held");
        let moving = moving.as_ref()?;
        Some(MoveReport { token: moving.token.clone(), state: moving.state() })
    }

    fn take_mover(&self) -> Option<Mover> {
        self.moving.lock().expect("nothing panics while it is held").take()
    }

    /// Ends the move under way, before something else says whether writes are let in. What was told
    /// to be sealed is refused from here on, for it may be another's.
    pub(super) async fn abandon_move(&self) -> Result<(), Failure> {
        let Some(moving) = self.take_mover() else { return Ok(()) };
        let sealed = moving.end().await;
        if sealed.is_empty() {
            return Ok(());
        }
        let own = self.own_peer().await?.slots;
        self.refuse(&without(&own, &without(&own, &sealed))).await
    }

    /// Follows what is assigned of slots that leave and come, before writes are let in anew.
    pub(super) async fn keep_moves(&self, assignment: &Assignment) -> Result<(), Failure> {
        let Some(sharding) = &assignment.sharding else { return Ok(()) };
        let term = primary_term(&assignment.target);
        let has_handed = matches!(self.handed(), Handed::Over(handed) if Some(handed) >= term);
        if term.is_none() || has_handed {
            return self.abandon_move().await;
        }
        let own = self.own_peer().await?;
        if own.is_replica {
            return self.abandon_move().await;
        }
        let coming = sharding.coming.as_ref().filter(|order| is_own(&order.to, assignment));
        self.let_in(assignment, coming).await?;
        let order = leaving(assignment, sharding);
        let is_under_way = order.is_some_and(|order| {
            let moving = self.moving.lock().expect("nothing panics while it is held");
            moving.as_ref().is_some_and(|moving| moving.token == order.token)
        });
        if !is_under_way {
            self.follow_decision(assignment, sharding, order).await?;
        }
        self.claim(&claimable(assignment, sharding)).await?;
        let open = coming.map_or(&[][..], |order| order.slots.as_slice());
        let closed = without(&ranges(own.importing), open);
        Self::close_beside(assignment, closed);
        Ok(())
    }

    /// Nobody waits for it: it may take as long as replicas do.
    fn close_beside(assignment: &Assignment, slots: Vec<SlotRange>) {
        if slots.is_empty() {
            return;
        }
        let password = assignment.secrets.rewind_password.clone();
        tokio::spawn(async move {
            let closed = close(&socket().join("engine.sock"), &password, &slots).await;
            closed.unwrap_or_else(|failure| warn!("slots that have come: {failure}"));
        });
    }

    /// Lets go of slots that were decided to be another's, takes the rest again, and begins what is
    /// to be moved now.
    async fn follow_decision(
        &self,
        assignment: &Assignment,
        sharding: &Sharding,
        order: Option<&SlotMove>,
    ) -> Result<(), Failure> {
        let former = self.take_mover();
        let left = former.as_ref().map_or_else(Vec::new, |former| former.slots.clone());
        if let Some(former) = former {
            former.end().await;
        }
        let noted = std::fs::read_to_string(note()).ok();
        let may_be_sealed = order.filter(|order| Some(&order.token) == noted.as_ref());
        if let Some(order) = may_be_sealed {
            // By the agent as it was before: perhaps it was decided on.
            let own = self.own_peer().await?.slots;
            let kept = without(&own, &order.slots);
            self.refuse(&without(&own, &kept)).await?;
            self.note_mover(Mover::failed(order, "its agent was started again"));
            return Ok(());
        }
        let beyond = without(&self.own_peer().await?.slots, &sharding.slots);
        self.until_gone(&beyond).await?;
        self.claim(&sharding.slots).await?;
        if matches!(self.handed(), Handed::No) {
            self.link.run(&["CLIENT", "UNPAUSE"]).await?;
        }
        remove_file(&note())?;
        let gone = without(&left, &sharding.slots);
        if !gone.is_empty() {
            let socket = socket().join("engine.sock");
            let password = &assignment.secrets.rewind_password;
            let sweeping = sweep(self.kind, &socket, password, &gone);
            match tokio::time::timeout(SWEEP_MAX, sweeping).await {
                Ok(Ok(())) => {}
                Ok(Err(failure)) => warn!("what is left of slots that went: {failure}"),
                Err(_) => warn!("what is left of slots that went is not removed in time"),
            }
        }
        // Not before it is known that nobody else holds writes, or lets them go.
        if let Some(order) = order.filter(|_| matches!(self.handed(), Handed::No)) {
            let way = self.way(assignment, sharding, order)?;
            self.note_mover(Mover::begin(way));
        }
        Ok(())
    }

    fn note_mover(&self, mover: Mover) {
        *self.moving.lock().expect("nothing panics while it is held") = Some(mover);
    }

    fn way(
        &self,
        assignment: &Assignment,
        sharding: &Sharding,
        order: &SlotMove,
    ) -> Result<Way, Failure> {
        let to = sharding.others.iter().find(|member| member.node == order.to.primary);
        let to = to.ok_or_else(|| Failure::transient("the other shard's primary is not known"))?;
        Ok(Way {
            order: order.clone(),
            own_id: engine_id(assignment.node.as_str()),
            socket: socket().join("engine.sock"),
            password: assignment.secrets.rewind_password.clone(),
            address: to.address.clone(),
            port: assignment.engine.ports.private,
            move_password: move_password(&assignment.secrets.peer_key, &order.token),
            directory: conf().to_owned(),
            note: note(),
            kind: self.kind,
        })
    }

    /// Waits a moment until the engine has heard that these are another's; clients are led there
    /// then. Without the news they are refused.
    async fn until_gone(&self, slots: &[SlotRange]) -> Result<(), Failure> {
        let end = Instant::now() + NEWS_MAX;
        loop {
            let own = self.own_peer().await?.slots;
            let left = without(&own, &without(&own, slots));
            if left.is_empty() {
                return Ok(());
            }
            if Instant::now() > end {
                return self.refuse(&left).await;
            }
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    }

    /// Its engine no longer knows anybody who has these slots.
    pub(super) async fn refuse(&self, slots: &[SlotRange]) -> Result<(), Failure> {
        self.run_about("DELSLOTSRANGE", slots).await
    }

    /// Lets the mover of that token in, and no other any more.
    async fn let_in(
        &self,
        assignment: &Assignment,
        order: Option<&SlotMove>,
    ) -> Result<(), Failure> {
        let token = order.map(|order| order.token.clone());
        let known = self.lets_in.lock().expect("nothing panics while it is held").clone();
        if known == Some(token.clone()) {
            return Ok(());
        }
        // With the user go its connections.
        self.link.run(&["ACL", "DELUSER", MOVE_USER]).await?;
        if let Some(order) = order {
            let password = move_password(&assignment.secrets.peer_key, &order.token);
            let password = format!(">{password}");
            let begin = ["ACL", "SETUSER", MOVE_USER, "reset", "on", &password, "~*", "-@all"];
            let words: Vec<&str> = begin.into_iter().chain(MAY).collect();
            self.link.run(&words).await?;
        }
        *self.lets_in.lock().expect("nothing panics while it is held") = Some(token);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_token_has_a_password_of_its_own() {
        assert_eq!(move_password("key", "a"), move_password("key", "a"));
        assert_ne!(move_password("key", "a"), move_password("key", "b"));
        assert_ne!(move_password("key", "a"), move_password("other", "a"));
    }
}
