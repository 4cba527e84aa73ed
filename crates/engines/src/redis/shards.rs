//! Cluster mode: the engine of a shard among those of the others.
//!
//! Engines tell each other over their bus who has which keys, so that each can send clients on.
//! They elect nobody: that is done as everywhere, and whoever is promoted takes the keys of its
//! shard over with an epoch that is above all it knows of. An engine that claims keys by an earlier
//! one is told so by the others, and makes itself a replica of the later; were it wrong, its agent
//! promotes it again. Which engine takes writes is decided by the gates alone.
//!
//! In this mode an engine cannot be a replica of nobody. It is one of another member, and follows
//! only while it has the user for it: so it begins, and so replication is cut.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bellwether_contracts::Failure;
use bellwether_model::shard::{SlotRange, slots_of, without};
use bellwether_model::{Target, Term};
use bellwether_protocol::Assignment;
use bellwether_protocol::assignment::{Member, Sharding};
use tracing::warn;

use super::moves::{claimable, leaving};
use super::peers::{Peer, peers};
use super::probe::NOBODY;
use super::replication::primary_term;
use super::resp::{Value, info};
use super::{Handed, REPLICATION_USER, Redis, socket};

/// There is no such user: whoever follows as it is not let in.
pub(super) const NO_USER: &str = "nobody";

/// An engine is taken for gone by the others after so long; our own failover is much quicker.
const NODE_TIMEOUT_MS: u32 = 15_000;

/// Between two looks at whom the engine knows and which keys it has.
pub(super) const TEND_EVERY: Duration = Duration::from_secs(1);

/// What the bus tells of a new primary reaches everybody within this time.
const NEWS_MAX: Duration = Duration::from_secs(5);

/// What engines call each other: 40 hexadecimal digits that follow from a name of ours.
pub(super) fn engine_id(name: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, name.as_bytes());
    digest.as_ref().iter().take(20).map(|byte| format!("{byte:02x}")).collect()
}

/// The lines of the configuration file.
pub(super) fn settings(assignment: &Assignment) -> String {
    let ports = assignment.engine.ports;
    let own = assignment.group.member(&assignment.node);
    format!(
        "cluster-enabled yes
cluster-config-file {file}
cluster-port {bus}
cluster-node-timeout {NODE_TIMEOUT_MS}
cluster-replica-no-failover yes
cluster-allow-replica-migration no
cluster-require-full-coverage no
cluster-announce-ip {address}
cluster-announce-tls-port {port}
cluster-announce-bus-port {bus}
tls-cluster yes
masteruser {NO_USER}
",
        file = file(),
        bus = ports.bus,
        port = ports.read_write,
        address = own.map_or("", |own| own.address.as_str()),
    )
}

/// Written anew before each start: it is of no use afterwards, so it needs no disk.
fn file() -> String {
    socket().join("nodes.conf").to_string_lossy().into_owned()
}

/// What an engine that starts knows: everybody, nobody's keys, and that it is a replica.
fn first_words(assignment: &Assignment, sharding: &Sharding) -> String {
    let (ports, shard) = (assignment.engine.ports, engine_id(assignment.cluster.as_str()));
    let at = |address: &str| format!("{address}:{}@{}", ports.read_write, ports.bus);
    let mut text = String::new();
    let primary = match &assignment.target {
        Target::Replica { upstream, .. } => Some(upstream),
        _ => assignment.group.primary.as_ref(),
    };
    let upstream = primary.filter(|primary| **primary != assignment.node);
    let mut own_address = String::new();
    for member in &assignment.group.members {
        if member.node == assignment.node {
            own_address.clone_from(&member.address);
            continue;
        }
        let id = engine_id(member.node.as_str());
        let place = at(&member.address);
        text += &format!("{id} {place},,shard-id={shard} master - 0 0 0 disconnected\n");
    }
    for member in &sharding.others {
        let (id, place) = (engine_id(member.node.as_str()), at(&member.address));
        text += &format!("{id} {place} master - 0 0 0 disconnected\n");
    }
    let upstream = upstream.map(|node| engine_id(node.as_str()));
    let upstream = upstream.unwrap_or_else(|| {
        // Until it is promoted, it follows one that is nowhere.
        let (id, (host, port)) = (nobody(assignment), NOBODY);
        text +=
            &format!("{id} {host}:{port}@{port},,shard-id={shard} master - 0 0 0 disconnected\n");
        id
    });
    let (id, place) = (engine_id(assignment.node.as_str()), at(&own_address));
    let own = format!("{id} {place},,shard-id={shard} myself,slave {upstream} 0 0 0 connected\n");
    format!("{own}{text}vars currentEpoch 0 lastVoteEpoch 0\n")
}

fn nobody(assignment: &Assignment) -> String {
    engine_id(&format!("nobody of {}", assignment.cluster))
}

/// A command about these slots.
pub(super) fn about(command: &str, slots: &[SlotRange]) -> Vec<String> {
    let ends = slots.iter().flat_map(|range| [range.first.to_string(), range.last.to_string()]);
    ["CLUSTER".to_owned(), command.to_owned()].into_iter().chain(ends).collect()
}

impl Redis {
    /// What was assigned last, where the group is one shard of several.
    pub(super) fn sharded(&self) -> Option<(Assignment, Sharding)> {
        let known = self.sharded.lock().expect("nothing panics while it is held").clone()?;
        let sharding = known.sharding.clone()?;
        Some((*known, sharding))
    }

    pub(super) fn is_sharded(&self) -> bool {
        self.sharded.lock().expect("nothing panics while it is held").is_some()
    }

    /// Before the engine starts.
    pub(super) fn write_first_words(&self) -> Result<(), Failure> {
        let Some((assignment, sharding)) = self.sharded() else { return Ok(()) };
        let words = first_words(&assignment, &sharding);
        self.kind.user().write(std::path::Path::new(&file()), words.as_bytes()).map(|_| ())
    }

    /// The engines that this one knows.
    pub(super) async fn peers(&self) -> Result<Vec<Peer>, Failure> {
        match self.link.run(&["CLUSTER", "NODES"]).await? {
            Value::Text(said) => Ok(peers(&said)),
            _ => Err(Failure::transient("the engine does not say whom it knows")),
        }
    }

    /// This engine, as it says of itself.
    pub(super) async fn own_peer(&self) -> Result<Peer, Failure> {
        own(&self.peers().await?).cloned()
    }

    /// Whether it has the user to follow.
    pub(super) async fn may_follow(&self) -> bool {
        let answer = self.link.run(&["CONFIG", "GET", "masteruser"]).await;
        answer.is_ok_and(|answer| answer.after("masteruser") == Some(REPLICATION_USER))
    }

    /// Nothing comes in any more, from whomever.
    pub(super) async fn cut(&self) -> Result<(), Failure> {
        self.link.run(&["CONFIG", "SET", "masteruser", NO_USER]).await?;
        self.link.run(&["CLIENT", "KILL", "TYPE", "master"]).await.map(|_| ())
    }

    /// Follows that member. A former primary waits to hear that its keys are another's.
    pub(super) async fn replicate(&self, upstream: &Member) -> Result<(), Failure> {
        let id = engine_id(upstream.node.as_str());
        let end = Instant::now() + NEWS_MAX;
        loop {
            let own = self.own_peer().await?;
            if own.is_replica && own.upstream.as_deref() == Some(&id) {
                break;
            }
            match self.link.run(&["CLUSTER", "REPLICATE", &id]).await {
                Ok(_) => break,
                // It heard of itself, as a primary, from one that knew no better; with data it
                // cannot be made a replica while it runs.
                Err(_) if Instant::now() > end && !own.is_replica && own.slots.is_empty() => {
                    self.kill_everything().await?;
                    let words = "its engine takes itself for a primary; it is started again";
                    return Err(Failure::transient(words));
                }
                Err(failure) if Instant::now() > end => return Err(failure),
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
        self.link.run(&["CONFIG", "SET", "masteruser", REPLICATION_USER]).await.map(|_| ())
    }

    /// Waits until that member has taken over. Until then it names whom it followed as the primary,
    /// which may be this node: its engine would believe that when it starts.
    pub(super) async fn until_leads(&self, assignment: &Assignment, upstream: &Member) {
        let end = Instant::now() + NEWS_MAX;
        while assignment.sharding.is_some() && Instant::now() < end {
            let said = self.ask(assignment, upstream, &["INFO", "replication"]).await;
            if said.is_ok_and(|said| info(&said, "role") == Some("master")) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Becomes the primary of its shard, with all of its keys.
    pub(super) async fn take_over(
        &self,
        assignment: &Assignment,
        sharding: &Sharding,
        term: Term,
    ) -> Result<(), Failure> {
        self.cut().await?;
        let known = self.peers().await?;
        // It led that term already, and another has taken its keys since: one of a later term, or
        // one that knows no better.
        let has_led = self.term_of_data().await? == Some(term);
        let holds = |member: &&Member| {
            let id = engine_id(member.node.as_str());
            member.node != assignment.node
                && known.iter().any(|peer| peer.id == id && !peer.slots.is_empty())
        };
        if has_led && let Some(other) = assignment.group.members.iter().find(holds) {
            self.refuse_when_later(assignment, other, term).await?;
        }
        // What may have been handed to another shard in this term is not taken again in it.
        let wanted = match leaving(assignment, sharding).filter(|_| has_led) {
            Some(_) => claimable(assignment, sharding),
            None => sharding.slots.clone(),
        };
        if own(&known)?.is_replica {
            // It takes over all that it knows the former one to have had, but not what has gone to
            // another shard since.
            let former = own(&known)?.upstream.clone();
            let had = known.iter().find(|peer| Some(&peer.id) == former.as_ref());
            let gone = had.map_or_else(Vec::new, |peer| without(&peer.slots, &wanted));
            self.refuse(&gone).await?;
            self.link.run(&["CLUSTER", "FAILOVER", "TAKEOVER"]).await?;
        }
        let own_slots = self.own_peer().await?.slots;
        self.refuse(&without(&own_slots, &wanted)).await?;
        self.claim(&wanted).await
    }

    async fn refuse_when_later(
        &self,
        assignment: &Assignment,
        other: &Member,
        term: Term,
    ) -> Result<(), Failure> {
        let words = ["FUNCTION", "LIST", "LIBRARYNAME", super::term::LIBRARY];
        let Ok(said) = self.ask(assignment, other, &words).await else { return Ok(()) };
        let mut lines = said.lines().skip_while(|line| *line != "description");
        let told: Option<Term> = lines.nth(1).and_then(|line| line.parse().ok());
        if told.is_some_and(|told| told > term) {
            let name = &other.name;
            return Err(Failure::transient(format!("{name} has its keys, under a later term")));
        }
        Ok(())
    }

    /// Takes those of these slots that it does not have, by an epoch above all others.
    pub(super) async fn claim(&self, slots: &[SlotRange]) -> Result<(), Failure> {
        let known = self.peers().await?;
        let missing = without(slots, &own(&known)?.slots);
        if missing.is_empty() {
            return Ok(());
        }
        let others: Vec<&Peer> = known.iter().filter(|peer| !peer.is_own).collect();
        let of_others: Vec<SlotRange> = others.iter().flat_map(|peer| peer.slots.clone()).collect();
        let taken = without(&missing, &without(&missing, &of_others));
        // The last one is taken so that everybody is told at once.
        let last = slots_of(&taken).last();
        let kept = last.map(|slot| SlotRange { first: slot, last: slot });
        let kept: Vec<SlotRange> = kept.into_iter().collect();
        let quiet = [
            ("DELSLOTSRANGE", without(&taken, &kept)),
            ("ADDSLOTSRANGE", without(&missing, &kept)),
        ];
        for (command, slots) in quiet {
            self.run_about(command, &slots).await?;
        }
        let from = others.iter().find(|peer| without(&kept, &peer.slots).is_empty());
        if let (Some(slot), Some(from)) = (last, from) {
            let announced = self.announce(slot, &from.id, &own(&known)?.id).await;
            if announced.is_ok() {
                return Ok(());
            }
            for command in ["DELSLOTSRANGE", "ADDSLOTSRANGE"] {
                self.run_about(command, &kept).await?;
            }
        }
        self.link.run(&["CLUSTER", "BUMPEPOCH"]).await.map(|_| ())
    }

    /// Takes a slot as one that has come; the engine tells everybody then, with all that it has.
    async fn announce(&self, slot: u16, from: &str, own: &str) -> Result<(), Failure> {
        let slot = slot.to_string();
        for (state, id) in [("IMPORTING", from), ("NODE", own)] {
            self.link.run(&["CLUSTER", "SETSLOT", &slot, state, id]).await?;
        }
        Ok(())
    }

    pub(super) async fn run_about(
        &self,
        command: &str,
        slots: &[SlotRange],
    ) -> Result<(), Failure> {
        if slots.is_empty() {
            return Ok(());
        }
        let words = about(command, slots);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        self.link.run(&words).await.map(|_| ())
    }

    /// Makes it know who is there, and have the keys it shall have.
    pub(super) async fn tend(&self) {
        let is_due = {
            let mut tended = self.tended.lock().expect("nothing panics while it is held");
            let is_due = tended.is_none_or(|at| at.elapsed() >= TEND_EVERY);
            if is_due {
                *tended = Some(Instant::now());
            }
            is_due
        };
        if let Some((assignment, sharding)) = self.sharded().filter(|_| is_due)
            && let Err(failure) = self.tend_now(&assignment, &sharding).await
        {
            warn!("the other engines: {failure}");
        }
    }

    /// Why the engine takes no writes.
    pub(super) fn refusal(&self) -> Option<String> {
        let is_refusing = self.is_sharded() && self.is_refusing.load(Ordering::Relaxed);
        is_refusing.then(|| "it does not hear most of the other shards".to_owned())
    }

    async fn tend_now(&self, assignment: &Assignment, sharding: &Sharding) -> Result<(), Failure> {
        if let Value::Text(said) = self.link.run(&["CLUSTER", "INFO"]).await? {
            let is_refusing = info(&said, "cluster_state") != Some("ok");
            self.is_refusing.store(is_refusing, Ordering::Relaxed);
        }
        let known = self.peers().await?;
        let ports = assignment.engine.ports;
        let (port, bus) = (ports.read_write.to_string(), ports.bus.to_string());
        let mut expected: Vec<String> = Vec::new();
        for member in assignment.every_member() {
            let id = engine_id(member.node.as_str());
            if !known.iter().any(|peer| peer.id == id) {
                self.link.run(&["CLUSTER", "MEET", &member.address, &port, &bus]).await?;
            }
            expected.push(id);
        }
        let strangers: Vec<&Peer> = known
            .iter()
            .filter(|peer| !expected.contains(&peer.id) && !peer.is_handshake)
            .collect();
        let before = {
            let ids = strangers.iter().map(|peer| peer.id.clone()).collect();
            let mut known = self.strangers.lock().expect("nothing panics while it is held");
            std::mem::replace(&mut *known, ids)
        };
        // One that is new may be heard of before it is assigned. Who has keys stays until all the
        // others miss it; who has none is of no use to clients, which would ask it.
        let is_gone = |peer: &&&Peer| {
            let is_idle = peer.slots.is_empty() && before.contains(&peer.id);
            is_idle || peer.is_failed || peer.id == nobody(assignment)
        };
        for peer in strangers.iter().filter(is_gone) {
            // Not while it is the one that this engine waits for.
            let _ = self.link.run(&["CLUSTER", "FORGET", &peer.id]).await;
        }
        let leads = primary_term(&assignment.target).is_some()
            && !own(&known)?.is_replica
            && matches!(self.handed(), Handed::No);
        if leads { self.claim(&claimable(assignment, sharding)).await } else { Ok(()) }
    }
}

fn own(known: &[Peer]) -> Result<&Peer, Failure> {
    let own = known.iter().find(|peer| peer.is_own);
    own.ok_or_else(|| Failure::transient("the engine does not know itself"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_named_by_the_ends_of_their_ranges() {
        let all = [SlotRange { first: 0, last: 10 }, SlotRange { first: 20, last: 20 }];
        assert_eq!(about("ADDSLOTSRANGE", &all).join(" "), "CLUSTER ADDSLOTSRANGE 0 10 20 20");
    }

    #[test]
    fn an_engine_has_a_name_of_its_own_that_stays() {
        assert_eq!(engine_id("node-1").len(), 40);
        assert_eq!(engine_id("node-1"), engine_id("node-1"));
        assert_ne!(engine_id("node-1"), engine_id("node-2"));
    }
}
