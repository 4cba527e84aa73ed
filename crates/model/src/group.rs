//! The configuration of a replication group that decides safety: who votes, how many must confirm a
//! write, how many keep a primary alive without the server, how many must promise before an
//! election.
//!
//! With n voters, W acknowledgements per write, k voters that renew a lease and p promises that
//! elect: `k + p > n` means no two primaries, `W + p > n` means no acknowledged write is lost.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::id::NodeId;
use crate::mutation::{Mutation, mutated};

/// One configuration of a replication group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GroupConfig {
    /// Counts configurations; never decreases.
    pub version: u64,
    /// Replicas that are durable and stream: their promises and lease acknowledgements count.
    pub voters: BTreeSet<NodeId>,
    /// W: replicas that confirm a commit before the client hears of it. 0 is asynchronous.
    pub acks: u32,
    /// With W above 0: whether commits wait when too few voters confirm.
    pub strict: bool,
}

impl GroupConfig {
    /// k: voters whose acknowledgements keep a primary alive without the server.
    #[must_use]
    pub fn lease_quorum(&self) -> usize {
        let n = self.voters.len();
        n.div_ceil(2).max(self.acks_possible())
    }

    /// p: voters whose durable promise is needed to elect.
    #[must_use]
    pub fn promise_quorum(&self) -> usize {
        let n = self.voters.len();
        let for_lease = n + 1 - self.lease_quorum().min(n);
        let for_data = if self.acks > 0 { n + 1 - self.acks_possible() } else { 0 };
        let least = for_lease.max(for_data).min(n.max(1));
        if mutated(Mutation::QuorumTooSmall) { least.saturating_sub(1) } else { least }
    }

    /// Whether it asks for the same as the other, whatever their versions.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        (&self.voters, self.acks, self.strict) == (&other.voters, other.acks, other.strict)
    }

    /// W cannot ask for more than there are voters when sizing quorums.
    #[must_use]
    pub fn acks_possible(&self) -> usize {
        (self.acks as usize).min(self.voters.len())
    }
}

/// The configuration in force and, while it changes, the one it changes to: both must be satisfied.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JointConfig {
    pub current: GroupConfig,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<GroupConfig>,
    /// Configurations of earlier terms, kept until the primary has reported that the voters of
    /// `current` hold everything that was acknowledged under them; and what was `next` before
    /// another took its place, kept until that is in force. They count in elections only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub past: Vec<GroupConfig>,
}

impl JointConfig {
    /// The configurations that may be in force now.
    pub fn iter(&self) -> impl Iterator<Item = &GroupConfig> {
        std::iter::once(&self.current).chain(self.next.iter())
    }

    /// The latest version among them.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.iter().map(|config| config.version).max().unwrap_or(0)
    }

    /// Whether these promises elect: under every configuration that may be in force, and every one
    /// whose acknowledged writes the voters of today may not hold yet.
    ///
    /// A configuration without voters leaves it to the others: as long as there is one with voters,
    /// the primary needs the server's lease and can be replaced. Only one that has given up the
    /// confirmations which others ask for stands in the way, for what was acknowledged under it is
    /// its primary's alone.
    #[must_use]
    pub fn elects(&self, promised: &BTreeSet<NodeId>) -> bool {
        let all = || self.iter().chain(&self.past);
        let confirms = all().any(|config| !config.voters.is_empty() && config.acks > 0);
        let elects = |config: &GroupConfig| {
            if config.voters.is_empty() {
                return config.acks > 0 || !confirms;
            }
            config.voters.intersection(promised).count() >= config.promise_quorum()
        };
        let may_be_solo = self.may_be_solo() && !mutated(Mutation::SoloElected);
        !may_be_solo && all().all(elects)
    }

    /// Whether only the primary is known to hold everything, and may not know yet that it needs a
    /// lease at all: it does from the beginning of its term, where there were voters before.
    #[must_use]
    pub fn may_be_solo(&self) -> bool {
        let began = self.past.iter().any(|config| config.version < self.current.version);
        self.current.voters.is_empty() && !began
    }

    /// Whether no election can leave behind what all of these hold, as far as writes are confirmed
    /// at all: a primary that has just started shows it only then.
    #[must_use]
    pub fn retains(&self, holders: &BTreeSet<NodeId>) -> bool {
        let is_held = |config: &GroupConfig| {
            config.voters.intersection(holders).count() >= config.acks_possible()
        };
        let current = &self.current;
        if !current.voters.is_empty() || current.acks == 0 || self.may_be_solo() {
            return is_held(current);
        }
        // Those before elect.
        let confirm = |config: &&GroupConfig| config.acks > 0 && !config.voters.is_empty();
        self.past.iter().filter(confirm).any(is_held)
    }

    /// Whether these acknowledgements alone keep a primary alive under every configuration in
    /// force.
    #[must_use]
    pub fn authorises(&self, acks: &BTreeSet<NodeId>) -> bool {
        let missing = usize::from(mutated(Mutation::LeaseQuorumTooSmall));
        self.iter().all(|config| {
            !config.voters.is_empty()
                && config.voters.intersection(acks).count() + missing >= config.lease_quorum()
        })
    }

    /// Whether nobody but the primary votes: it needs no lease, because nobody can be elected.
    #[must_use]
    pub fn is_solo(&self) -> bool {
        self.iter().chain(&self.past).all(|config| config.voters.is_empty())
    }

    /// Whether writes are, or were, confirmed under any of these: the voters of the newest have to
    /// hold such writes before the others are forgotten, even where nothing is confirmed any more.
    #[must_use]
    pub fn confirms(&self) -> bool {
        self.iter().chain(&self.past).any(|config| config.acks > 0)
    }

    /// Everybody whose vote counts in an election.
    #[must_use]
    pub fn voters(&self) -> BTreeSet<NodeId> {
        self.iter().chain(&self.past).flat_map(|config| config.voters.iter().cloned()).collect()
    }
}

/// How long things may take, in milliseconds. Durations only; wall clocks are never compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Timers {
    /// Between two reports, and between two requests for the lease.
    pub heartbeat_ms: u64,
    /// An older report or lease request is a sign that its sender is lost.
    pub suspect_ms: u64,
    /// What one acknowledgement of a lease request is worth, counted from the request's sending.
    pub lease_ms: u64,
    /// Added to the lease before somebody else may be primary, for clocks that run differently.
    pub drift_ms: u64,
    /// A planned switchover holds writes at most so long, then undoes itself.
    pub hold_ms: u64,
    /// After a start the server promotes nobody before this.
    pub settle_ms: u64,
    /// A voter that is silent or does not stream so long loses its vote.
    pub voter_grace_ms: u64,
    /// New connections wait at most so long for a primary, then are refused.
    pub connect_wait_ms: u64,
}

/// A named set of timers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TimerProfile {
    Fast,
    #[default]
    Lan,
    Wan,
}

impl TimerProfile {
    /// Its name.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Lan => "lan",
            Self::Wan => "wan",
        }
    }

    /// The longest round trip, in milliseconds, under which a primary that is well is neither
    /// suspected nor short of its lease: a lease is worth 20 of them, and one of two reports may
    /// be late by one.
    #[must_use]
    pub fn round_trip_ms_max(self) -> u64 {
        let timers = self.timers();
        (timers.lease_ms / 20).min(timers.suspect_ms - 2 * timers.heartbeat_ms)
    }

    /// The profile's timers; FAILOVER's table of timers has the reasons.
    #[must_use]
    pub fn timers(self) -> Timers {
        let (heartbeat, suspect, lease, drift, hold, settle, grace) = match self {
            Self::Fast => (250, 1_000, 2_000, 70, 1_000, 2_100, 2_000),
            Self::Lan => (500, 1_500, 3_000, 80, 2_000, 3_100, 2_500),
            Self::Wan => (2_000, 6_000, 12_000, 320, 10_000, 12_400, 10_000),
        };
        Timers {
            heartbeat_ms: heartbeat,
            suspect_ms: suspect,
            lease_ms: lease,
            drift_ms: drift,
            hold_ms: hold,
            settle_ms: settle,
            voter_grace_ms: grace,
            connect_wait_ms: 15_000,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(voters: u32, acks: u32) -> GroupConfig {
        let voters = (0..voters).map(|n| NodeId::from(format!("n{n}"))).collect();
        GroupConfig { version: 1, voters, acks, strict: acks > 0 }
    }

    #[test]
    fn a_lease_outlives_what_is_suspected_first() {
        for profile in [TimerProfile::Fast, TimerProfile::Lan, TimerProfile::Wan] {
            let timers = profile.timers();
            assert!(timers.suspect_ms >= 2 * timers.heartbeat_ms + profile.round_trip_ms_max());
            assert!(timers.lease_ms >= timers.suspect_ms + 2 * timers.heartbeat_ms);
            assert!(timers.settle_ms > timers.lease_ms + timers.drift_ms);
        }
        assert_eq!(TimerProfile::Fast.round_trip_ms_max(), 100);
        assert_eq!(TimerProfile::Wan.round_trip_ms_max(), 600);
    }

    #[test]
    fn quorums_overlap_for_every_size() {
        for n in 1..=9u32 {
            for acks in 0..=n {
                let config = config(n, acks);
                let (k, p) = (config.lease_quorum(), config.promise_quorum());
                assert!(k + p > n as usize, "two primaries with n={n} acks={acks}");
                assert!(acks == 0 || acks as usize + p > n as usize, "loss with n={n} acks={acks}");
                assert!(p >= 1 && p <= n as usize);
            }
        }
    }

    #[test]
    fn quorums_are_those_of_the_table() {
        let table = [(1, 0, 1, 1), (2, 0, 1, 2), (2, 2, 2, 1), (3, 1, 2, 3), (4, 3, 3, 2)];
        for (n, w, k, p) in table {
            let config = config(n, w);
            assert_eq!((config.lease_quorum(), config.promise_quorum()), (k, p), "n={n} W={w}");
        }
    }

    #[test]
    fn a_term_that_began_without_voters_is_judged_by_those_before() {
        let current = GroupConfig { version: 2, ..config(0, 1) };
        let joint = JointConfig { current, next: None, past: vec![config(1, 1)] };
        assert!(joint.elects(&["n0"].map(NodeId::from).into()));
        assert!(!joint.elects(&["n1"].map(NodeId::from).into()));
        let current = GroupConfig { version: 2, ..config(0, 0) };
        let lowered = JointConfig { current, ..joint.clone() };
        assert!(!lowered.elects(&["n0"].map(NodeId::from).into()), "its primary may hold more");
        let solo = JointConfig { past: Vec::new(), ..joint };
        assert!(!solo.elects(&["n0"].map(NodeId::from).into()), "only its primary holds all");
        let first = JointConfig { next: Some(config(1, 1)), ..solo };
        assert!(!first.elects(&["n0"].map(NodeId::from).into()), "its primary needs no lease yet");
        let given_up = GroupConfig { version: 3, ..config(1, 1) };
        let second = GroupConfig { version: 4, ..config(0, 1) };
        let again = JointConfig { next: Some(second), past: vec![given_up], ..first };
        assert!(!again.elects(&["n0"].map(NodeId::from).into()), "nor has it heard of the others");
    }

    #[test]
    fn what_a_primary_shows_is_held_by_whoever_can_be_elected() {
        let nodes = |names: &[&str]| names.iter().map(|name| NodeId::from(*name)).collect();
        let joint = JointConfig { current: config(2, 1), next: None, past: Vec::new() };
        assert!(!joint.retains(&nodes(&["own"])));
        assert!(joint.retains(&nodes(&["own", "n1"])));
        let alone = GroupConfig { version: 2, ..config(0, 1) };
        let solo = JointConfig { current: alone, ..joint };
        assert!(solo.retains(&nodes(&["own"])), "nobody can be elected");
        let judged = JointConfig { past: vec![config(1, 1)], ..solo };
        assert!(!judged.retains(&nodes(&["own"])), "n0 can be elected");
        assert!(judged.retains(&nodes(&["own", "n0"])));
        assert!(judged.retains(&nodes(&["n0"])), "the primary voted before");
    }

    #[test]
    fn a_joint_configuration_needs_both() {
        let joint =
            JointConfig { current: config(2, 0), next: Some(config(3, 0)), past: Vec::new() };
        let two: BTreeSet<_> = ["n0", "n2"].map(NodeId::from).into();
        assert!(!joint.elects(&two), "n0 and n2 are not enough of n0, n1");
        let both: BTreeSet<_> = ["n0", "n1"].map(NodeId::from).into();
        assert!(joint.elects(&both));
    }
}
