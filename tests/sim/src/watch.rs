//! What a failover can be blamed for: that nothing was wrong with the primary, that it left behind
//! what could be had; and what a copy can be blamed for: that it was begun by removing what was
//! needed.

use std::collections::{BTreeMap, VecDeque};

use bellwether_model::{Cluster, ClusterStatus, OperationKind, Term};

use crate::engine::Process;
use crate::faults::Fault;
use crate::hub::State;
use crate::net::Host;

/// Evidence counts when it came all the time for so long.
const STEADY_MS: u64 = 4_000;

/// A failover waits so long for what a dead engine had not sent.
const RESCUE_MS: u64 = 2_000;

/// A copy is relied on that was well so long ago at most: nobody knows at once that it is not.
const RECENT_MS: u64 = 10_000;

/// What was confirmed so long ago is with every replica that follows.
const SETTLED_MS: u64 = 5_000;

/// The engine of a primary died, and nothing else was wrong, nor has been since.
#[derive(Clone, Copy, Debug)]
pub struct Death {
    node: usize,
    at: u64,
    /// The life of the engine that has ended.
    life: u64,
}

#[derive(Default)]
pub struct Watch {
    pub suspect_ms: u64,
    pub death: Option<Death>,
    /// From whom lease acknowledgements and reports reached whom: since when without a break, and
    /// when the last.
    heard: BTreeMap<(Host, Host), (u64, u64)>,
    /// When the server was struck last, or recovered.
    server_struck_at: u64,
    /// When somebody asked for another kind of replication.
    changed_at: u64,
    /// The latest term that was promised.
    promised: Term,
    /// The election that was called although nothing was wrong with that primary.
    needless: Option<(Term, usize)>,
    /// When each machine was well last.
    well_at: BTreeMap<usize, u64>,
    /// So many records had to survive at those moments.
    settled: VecDeque<(u64, usize)>,
}

impl State {
    /// What reaches somebody.
    pub fn heard(&mut self, from: Host, to: Host) {
        let (now, watch) = (self.now, &mut self.check.watch);
        // Half of the time after which it would be suspect, less than that for what is relayed.
        let gap = watch.suspect_ms * 9 / 20;
        let (since, last) = watch.heard.entry((from, to)).or_insert((now, now));
        if now - *last > gap {
            *since = now;
        }
        *last = now;
    }

    fn hears_steadily(&self, from: Host, to: Host) -> bool {
        let watch = &self.check.watch;
        watch.heard.get(&(from, to)).is_some_and(|(since, last)| {
            self.now - last <= watch.suspect_ms * 9 / 20 && self.now - since >= STEADY_MS
        })
    }

    /// Whether this fault is the end of a primary's engine while all else is well.
    pub fn is_only_death(&self, fault: &Fault) -> Option<Death> {
        let Fault::EngineCrash { node } = *fault else { return None };
        let is_well = |(_, machine): (usize, &crate::machine::Machine)| {
            machine.deleted
                || (machine.acts()
                    && machine.sentry > 0
                    && machine.worker > 0
                    && !machine.disk_full
                    && machine.disk_slow_ms == 0
                    && machine.disk_hangs.is_none()
                    && machine.engine.is_up())
        };
        let is_calm = self.server_up
            && !self.server_pause.is_on()
            && self.server_disk_ms == 0
            && self.net.is_calm()
            && self.machines.iter().enumerate().all(is_well);
        let machine = &self.machines[node];
        let serves = machine.gate_is_open(self.now) && machine.engine.is_primary();
        let life = machine.engine.life + 1;
        (is_calm && serves).then_some(Death { node, at: self.now, life })
    }

    /// A fault begins or ends; what was only an engine's death stays that, or does not.
    pub fn watch_fault(&mut self, fault: &Fault, death: Option<Death>) {
        self.check.watch.death = death;
        if fault.is_servers() {
            self.check.watch.server_struck_at = self.now;
        }
    }

    pub fn watch_change(&mut self) {
        self.check.watch.changed_at = self.now;
    }

    /// Twice a second: which machines are well, and what had to survive.
    pub fn watch_machines(&mut self) {
        let now = self.now;
        for node in 0..self.machines.len() {
            let machine = &self.machines[node];
            let is_reached = self.net.passes_both(Host::Node(node), Host::Server);
            if machine.acts() && machine.engine.is_up() && is_reached {
                self.check.watch.well_at.insert(node, now);
            }
        }
        let count = self.check.must.len();
        let settled = &mut self.check.watch.settled;
        settled.push_back((now, count));
        while settled.get(1).is_some_and(|(at, _)| now - at >= SETTLED_MS) {
            settled.pop_front();
        }
    }

    fn status(&self) -> Option<ClusterStatus> {
        let clusters = self.store.as_ref()?.list::<Cluster>();
        clusters.into_iter().next().map(|cluster| cluster.object.status)
    }

    /// An agent says what it has promised: the first word of a new term tells of an election.
    pub fn watch_promise(&mut self, promised: Term) {
        if promised <= self.check.watch.promised {
            return;
        }
        self.check.watch.promised = promised;
        let Some(status) = self.status().filter(|status| promised > status.term) else { return };
        let primary = status.primary.as_ref().and_then(|id| self.node_of(id));
        if let Some(primary) = primary
            && self.runs(OperationKind::Failover)
            && self.is_plainly_well(primary, &status)
        {
            self.check.watch.needless = Some((promised, primary));
        }
    }

    /// Whether the primary serves, every voter has heard it all the time, and the server every
    /// voter.
    fn is_plainly_well(&self, primary: usize, status: &ClusterStatus) -> bool {
        let machine = &self.machines[primary];
        let serves = machine.acts()
            && machine.gate_is_open(self.now)
            && machine.engine.is_primary()
            && !machine.engine.stopping
            && machine.worker > 0;
        let given_up = self.check.surrendered.get(&primary).copied().unwrap_or(0);
        let is_server_well = self.server_up
            && !self.server_pause.is_on()
            && self.now >= self.check.watch.server_struck_at + STEADY_MS;
        let voters = status.config.voters();
        let is_witness = |voter: usize| {
            self.hears_steadily(Host::Node(voter), Host::Node(primary))
                && self.hears_steadily(Host::Node(voter), Host::Server)
        };
        serves
            && given_up < status.term
            && is_server_well
            && !voters.is_empty()
            && voters.iter().all(|id| self.node_of(id).is_some_and(is_witness))
    }

    /// The role of a term is taken: not by another when nothing was wrong.
    pub fn check_need(&mut self, node: usize, term: Term) {
        let Some((called, former)) = self.check.watch.needless else { return };
        if called == term && former != node {
            let (one, two) = (self.name(former), self.name(node));
            self.violated(format!(
                "{two} replaces {one} under the term {term}: {one} served, every voter heard it \
                 and the server every voter"
            ));
        }
    }

    /// A new primary serves, and lacks so many writes that clients were told of.
    pub fn check_tail(&mut self, node: usize, lost: usize) {
        let Some(death) = self.check.watch.death.take().filter(|_| lost > 0) else { return };
        let engine = &self.machines[death.node].engine;
        let was_tried = engine.life != death.life || engine.process != Process::Down;
        if death.node != node && !(was_tried && self.now >= death.at + RESCUE_MS) {
            let (one, two) = (self.name(death.node), self.name(node));
            self.violated(format!(
                "only the engine of {one} died, and {two} serves without {lost} writes that are \
                 on its disk"
            ));
        }
    }

    /// Data is about to be removed to make room for a copy: enough others hold it.
    pub fn check_erased_first(&mut self, node: usize) {
        self.watch_machines();
        let (now, watch) = (self.now, &self.check.watch);
        let Some(status) = self.status() else { return };
        let current = &status.config.current;
        if self.check.deleting || now < watch.changed_at + 3 * RECENT_MS {
            return;
        }
        let settled = watch.settled.front().map_or(0, |(_, count)| *count);
        let must = &self.check.must[..settled.min(self.check.must.len())];
        let holds = |other: &usize| {
            let is_recent = watch.well_at.get(other).is_some_and(|at| now - at <= RECENT_MS);
            let data = self.machines[*other].engine.data.as_ref();
            is_recent && data.is_some_and(|data| must.iter().all(|record| data.holds(record)))
        };
        let others = (0..self.machines.len()).filter(|other| *other != node).filter(holds).count();
        let needed = 1 + if current.strict { current.acks as usize } else { 0 };
        if others < needed {
            let name = self.name(node);
            self.violated(format!(
                "{name} removes its data to be copied to, and {others} others hold it of {needed} \
                 that are needed"
            ));
        }
    }
}
