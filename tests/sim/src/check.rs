//! What must always hold, looked at whenever it could be broken.

use std::collections::BTreeMap;

use bellwether_agent_core::worker::Role;
use bellwether_model::cluster::Handover;
use bellwether_model::{Cluster, Operation, OperationKind, OperationStatus, Term};
use bellwether_protocol::Report;

use crate::engine::Record;
use crate::hub::State;
use crate::watch::Watch;

/// What became of a record.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fate {
    pub end: u64,
    pub timeline: u64,
    /// Confirmed by so many replicas when it was committed.
    pub acks: Option<usize>,
}

/// What is known beside the nodes themselves.
#[derive(Default)]
pub struct Check {
    pub violation: Option<String>,
    /// By uid.
    pub fates: Vec<Fate>,
    /// Records that must survive: told or read, and confirmed.
    pub must: Vec<Record>,
    /// Records that clients were told of without confirmation.
    pub may: Vec<Record>,
    /// Who opened its gate for which term first.
    pub opened: BTreeMap<Term, usize>,
    /// The cluster is being deleted with everything in it.
    pub deleting: bool,
    /// What nodes have promised and given up, as they told the server.
    promised: BTreeMap<usize, Term>,
    pub surrendered: BTreeMap<usize, Term>,
    /// The term for which nodes have said that they take nothing more in.
    cut: BTreeMap<usize, Term>,
    primaries: BTreeMap<Term, usize>,
    pub last_told_at: u64,
    pub acknowledged: u64,
    pub watch: Watch,
}

impl Check {
    pub fn new_record(&mut self) -> u64 {
        self.fates.push(Fate::default());
        self.fates.len() as u64 - 1
    }

    fn fate(&mut self, uid: u64) -> &mut Fate {
        &mut self.fates[usize::try_from(uid).expect("few records")]
    }

    pub fn committed(&mut self, record: Record, acks: usize) {
        let fate = self.fate(record.uid);
        (fate.end, fate.timeline, fate.acks) = (record.end, record.timeline, Some(acks));
    }

    /// What an agent says binds it.
    pub fn report(&mut self, node: usize, report: &Report) {
        let known = self.promised.entry(node).or_default();
        if report.promised < *known && self.violation.is_none() {
            self.violation = Some(format!(
                "node {node} has promised {known} and says now that it promised {}",
                report.promised
            ));
        }
        *known = report.promised.max(*known);
        if let Some(worker) = &report.worker {
            let known = self.cut.entry(node).or_default();
            *known = worker.cut_for.max(*known);
        }
        if let Some(given) = report.surrendered {
            let known = self.surrendered.entry(node).or_default();
            *known = given.term.max(*known);
        }
    }
}

impl State {
    /// Never two open gates; never a gate for what was given up.
    pub fn check_gates(&mut self, node: usize) {
        if !self.machines[node].gate_is_open(self.now) {
            return;
        }
        let cluster = self.machines[node].cluster.clone();
        let other = (0..self.machines.len()).find(|other| {
            let machine = &self.machines[*other];
            *other != node && machine.cluster == cluster && machine.gate_is_open(self.now)
        });
        if let Some(other) = other {
            let (one, two) = (self.name(node), self.name(other));
            return self.violated(format!("two open gates: {one} and {two}"));
        }
        let term = self.machines[node].role.primary_term;
        if self.check.surrendered.get(&node).is_some_and(|given| *given >= term) {
            let name = self.name(node);
            return self.violated(format!("{name} opens its gate for a term it gave up: {term}"));
        }
        if self.check.opened.contains_key(&term) {
            return;
        }
        self.check.opened.insert(term, node);
        self.check_survival(node, term);
    }

    /// Whether an operation of that kind is under way.
    pub fn runs(&self, kind: OperationKind) -> bool {
        self.store.as_ref().is_some_and(|store| {
            let is_such = |op: &Operation| op.kind == kind && op.status == OperationStatus::Running;
            !store.list_where(is_such).is_empty()
        })
    }

    /// Whether an operation of that kind moves the primary just now, as planned.
    fn hands_over(&self, kind: OperationKind) -> bool {
        let begun = self.store.as_ref().is_some_and(|store| {
            let is_begun = |cluster: &Cluster| cluster.status.handover != Handover::None;
            !store.list_where(is_begun).is_empty()
        });
        begun && self.runs(kind)
    }

    /// Who has promised takes no log in from an earlier primary.
    pub fn check_cut(&mut self, node: usize, from: usize) {
        let cut = self.check.cut.get(&node).copied().unwrap_or(0);
        let term = self.machines[node].engine.upstream_term;
        if term < cut {
            let (one, two) = (self.name(node), self.name(from));
            self.violated(format!(
                "{one} has promised the term {cut} and takes in log of {two} of the term {term}"
            ));
        }
    }

    /// The role of a term is one node's for ever.
    pub fn check_role(&mut self, node: usize, role: &Role) {
        let term = role.primary_term;
        if term == 0 {
            return;
        }
        let holder = *self.check.primaries.entry(term).or_insert(node);
        if holder != node {
            let (one, two) = (self.name(holder), self.name(node));
            self.violated(format!("the term {term} has two primaries: {one} and {two}"));
        }
        self.check_need(node, term);
    }

    /// A new primary serves: everything that was promised is there.
    fn check_survival(&mut self, node: usize, term: Term) {
        let Some(data) = &self.machines[node].engine.data else { return };
        let lost = self.check.must.iter().find(|record| !data.holds(record)).copied();
        if let Some(record) = lost {
            let name = self.name(node);
            return self.violated(format!(
                "{name} serves the term {term} without an acknowledged write: record {} at {}:{}",
                record.uid, record.timeline, record.end
            ));
        }
        let is_planned =
            self.runs(OperationKind::Switchover) || self.hands_over(OperationKind::Reconfigure);
        let (kept, lost): (Vec<Record>, Vec<Record>) =
            self.check.may.iter().partition(|record| data.holds(record));
        self.check.may = kept;
        if let (true, Some(record)) = (is_planned, lost.first()) {
            let words = format!("the switchover to the term {term} lost record {}", record.uid);
            return self.violated(words);
        }
        if !lost.is_empty() {
            self.note(|_| format!("{} unconfirmed writes are lost", lost.len()));
        }
        self.check_tail(node, lost.len());
    }

    /// A client is told of a write.
    pub fn acknowledged(&mut self, node: usize, uid: u64) {
        self.check.acknowledged += 1;
        self.check.last_told_at = self.now;
        let fate = self.check.fate(uid);
        let (acks, record) = (fate.acks, Record { uid, end: fate.end, timeline: fate.timeline });
        if acks.is_some_and(|acks| acks > 0) {
            self.check.must.push(record);
            self.check_newest_holds(node, record);
        } else {
            self.check.may.push(record);
        }
    }

    /// What is told now is held by whoever has taken over meanwhile.
    fn check_newest_holds(&mut self, teller: usize, record: Record) {
        let Some((term, newest)) = self.check.opened.last_key_value().map(|(t, n)| (*t, *n)) else {
            return;
        };
        let Some(data) = &self.machines[newest].engine.data else { return };
        if newest != teller && !data.holds(&record) {
            let (one, two) = (self.name(teller), self.name(newest));
            self.violated(format!(
                "{one} acknowledged record {} that {two}, primary of the term {term}, does not \
                 hold",
                record.uid
            ));
        }
    }

    /// A reader sees everything that is visible here; under synchronous replication it must stay.
    pub fn observe(&mut self, node: usize) {
        let engine = &mut self.machines[node].engine;
        if engine.sync.acks == 0 {
            return;
        }
        let Some(data) = &engine.data else { return };
        let seen = engine.recovered.min(data.log.len());
        let new: Vec<Record> = data.log[engine.observed.min(seen)..seen].to_vec();
        engine.observed = engine.observed.max(seen);
        self.check.must.extend(new);
    }
}

impl State {
    /// Data that is about to be removed is not the last of what must survive.
    pub fn check_last_copy(&mut self, node: usize) {
        if self.check.deleting {
            return;
        }
        let cluster = self.machines[node].cluster.clone();
        let others: Vec<_> = self
            .machines
            .iter()
            .enumerate()
            .filter(|(n, m)| *n != node && m.cluster == cluster && !m.deleted)
            .filter_map(|(_, m)| m.engine.data.as_ref())
            .collect();
        let last = self.check.must.iter().find(|r| !others.iter().any(|data| data.holds(r)));
        if let Some(record) = last.copied() {
            let name = self.name(node);
            self.violated(format!("{name} removes the last copy of record {}", record.uid));
        }
    }
}
