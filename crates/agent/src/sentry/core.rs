//! The sentry's judgement, without clock, disk or network: may the gate be open, and until when;
//! what has been promised and given up; who is asked and answered.
//!
//! Guarantees: no lease of a term below the promised one is asked for, granted or used; a
//! surrendered term is never served again; a lease counts from the sending of the request it
//! answers.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bellwether_model::mutation::{Mutation, mutated};
use bellwether_model::report::WriteGap;
use bellwether_model::shard::{MoveReport, MoveState};
use bellwether_model::{Actual, ClusterId, NodeId, Target, Term};
use bellwether_protocol::Assignment;
use bellwether_protocol::local::{EndpointReport, ProbePassword, Routes, WorkerReport};
use bellwether_protocol::peer::PeerBody;
use bellwether_protocol::session::{GateReport, Report, Surrender};
use serde::{Deserialize, Serialize};

use super::round_trips::RoundTrips;

/// An endpoint that lives comes back within so many milliseconds.
const ENDPOINT_BACK_MS: u64 = 500;

/// A worker that was not heard for so long is no witness of the engine.
const WORKER_MS_MAX: u64 = 10_000;

/// How long the gate of a primary without voters stays open by itself.
const SOLO_OPEN_MS: u64 = 10_000;

/// How long the read gate stays open by itself.
const READ_OPEN_MS: u64 = 3_000;

/// Lease requests that are remembered, and so can still be answered.
const REQUESTS_MAX: usize = 64;

/// A sentry whose clock was set back asks with lower nonces; after this many lease times of silence
/// they are taken again.
const SILENT_LEASES: u64 = 10;

/// What survives everything.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Durable {
    pub promised: Term,
    pub surrendered: Option<Surrender>,
    pub assignment: Option<Assignment>,
}

/// What the kernel was told last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kernel {
    /// Until when the gate is open unless it is renewed.
    pub open_until: Option<u64>,
    /// The generation of the allowlist it keeps to.
    pub admission: Option<u64>,
}

/// How far the gate may be open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    Closed,
    /// Until that moment, unless it is renewed before.
    Until(u64),
    /// As long as the agent lives: nobody else can be elected.
    Solo,
}

impl Gate {
    /// Until when the kernel may keep it open by itself.
    #[must_use]
    pub fn open_until(self, now: u64) -> Option<u64> {
        match self {
            Self::Closed => None,
            Self::Until(end) => Some(end),
            Self::Solo => Some(now + SOLO_OPEN_MS),
        }
    }
}

pub struct Core {
    cluster: ClusterId,
    node: NodeId,
    started: u64,
    /// Since when it has not stood still.
    awake_since: u64,
    /// In force.
    durable: Durable,
    /// On the disk.
    saved: Durable,
    worker: Option<(WorkerReport, u64)>,
    number: u64,
    /// Numbers of reports that asked the server for the lease, with term and time of sending.
    asked_server: VecDeque<(u64, Term, u64)>,
    /// Nonces of requests to voters, with term and time of sending.
    asked_voters: VecDeque<(u64, Term, u64)>,
    /// When the newest request that the server granted was sent.
    server_grant: Option<(Term, u64)>,
    /// When the newest request that each voter granted was sent.
    voter_grants: BTreeMap<NodeId, (Term, u64)>,
    /// A voter has promised a later term than this one.
    refused: Option<Term>,
    round_trips: RoundTrips,
    last_granted: Option<u64>,
    /// When the last lease of a term below the promised one was granted, at the latest.
    last_granted_below: u64,
    last_asked: Option<u64>,
    /// The newest nonce of each sentry that asked, and when.
    heard: BTreeMap<NodeId, (u64, u64)>,
    hold_since: Option<u64>,
    endpoint: Endpoint,
    gaps: Vec<WriteGap>,
    /// Counts assignments taken in this incarnation.
    version: u64,
}

/// What is known of the endpoint.
enum Endpoint {
    /// Since then. One that lives is back soon; the sessions of one that does not have ended.
    Gone(u64),
    There(Option<EndpointReport>),
}

impl Core {
    #[must_use]
    pub fn new(cluster: ClusterId, node: NodeId, durable: Durable, now: u64) -> Self {
        let is_held = durable.assignment.as_ref().is_some_and(|known| known.hold);
        Self {
            cluster,
            node,
            started: now,
            awake_since: now,
            saved: durable.clone(),
            durable,
            worker: None,
            number: 0,
            asked_server: VecDeque::new(),
            asked_voters: VecDeque::new(),
            server_grant: None,
            voter_grants: BTreeMap::new(),
            refused: None,
            round_trips: RoundTrips::default(),
            last_granted: None,
            // Before it started it may have granted one just then.
            last_granted_below: now,
            last_asked: None,
            heard: BTreeMap::new(),
            hold_since: is_held.then_some(now),
            endpoint: Endpoint::Gone(now),
            gaps: Vec::new(),
            version: 0,
        }
    }

    #[must_use]
    pub fn assignment(&self) -> Option<&Assignment> {
        self.durable.assignment.as_ref()
    }

    /// Rises with every assignment that is taken.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// What has to be saved, when it differs from what is.
    #[must_use]
    pub fn unsaved(&self) -> Option<&Durable> {
        (self.durable != self.saved).then_some(&self.durable)
    }

    pub fn on_saved(&mut self, saved: Durable) {
        self.saved = saved;
    }

    /// The durable promise.
    #[must_use]
    pub fn promised(&self) -> Term {
        self.saved.promised
    }

    /// Takes an assignment in force.
    ///
    /// # Errors
    /// When it is older than the one in force, or another node's.
    pub fn on_assignment(&mut self, assignment: Assignment, now: u64) -> Result<(), String> {
        if assignment.node != self.node || assignment.cluster != self.cluster {
            let (node, cluster) = (&assignment.node, &assignment.cluster);
            return Err(format!("an assignment of the node {node} of the cluster {cluster}"));
        }
        let known = self.assignment().map_or(0, |known| known.seq);
        if assignment.seq < known {
            return Err(format!("the assignment {} after {known}", assignment.seq));
        }
        if assignment.promise > self.durable.promised {
            self.durable.promised = assignment.promise;
            self.last_granted_below = self.last_granted.unwrap_or(self.started);
        }
        if mutated(Mutation::PromiseNotDurable) {
            self.saved.promised = self.durable.promised;
        }
        self.version += 1;
        self.hold_since = if assignment.hold { self.hold_since.or(Some(now)) } else { None };
        self.durable.assignment = Some(assignment);
        Ok(())
    }

    /// Whether this report says something the server should hear at once.
    #[must_use]
    pub fn worker_changed(&self, report: &WorkerReport) -> bool {
        self.worker.as_ref().is_none_or(|(known, _)| {
            known.actual != report.actual
                || known.serving != report.serving
                || known.cut_for != report.cut_for
                || known.config_version != report.config_version
                || known.prepared != report.prepared
                || known.drained != report.drained
                || known.surrendered != report.surrendered
                || known.log_end != report.log_end
                || known.member != report.member
                || is_move_news(known.moving.as_ref(), report.moving.as_ref())
                || (known.position != report.position
                    && (report.cut_for > 0 || self.hold_since.is_some()))
        })
    }

    /// The surrender that is on the disk.
    #[must_use]
    pub fn saved_surrender(&self) -> Option<Surrender> {
        self.saved.surrendered
    }

    pub fn on_worker(&mut self, report: WorkerReport, now: u64) {
        if let Some(given) = report.surrendered {
            self.give_up(given);
        }
        let hangs = report.disk_hangs;
        self.worker = Some((report, now));
        if hangs {
            self.give_up_role();
        }
    }

    /// Nobody waits for ever for a primary that takes no writes: once its worker, or its disk, is
    /// silent for long, the gate stays closed for the rest of the term, whatever the engine does.
    pub fn on_time(&mut self, now: u64) {
        let heard = self.worker.as_ref().map_or(self.started, |(_, at)| *at).max(self.awake_since);
        if now.saturating_sub(heard) > WORKER_MS_MAX {
            self.give_up_role();
        }
    }

    /// It stood still until now: what it has not heard meanwhile says nothing.
    pub fn on_awakening(&mut self, now: u64) {
        self.awake_since = now;
    }

    fn give_up_role(&mut self) {
        let is_alone = self.assignment().is_none_or(|known| known.group.config.is_solo());
        let Some(term) = self.own_term().filter(|_| !is_alone) else { return };
        let position = self.worker.as_ref().and_then(|(report, _)| report.position);
        self.give_up(Surrender { term, position, clean: false });
    }

    fn give_up(&mut self, given: Surrender) {
        if self.durable.surrendered.is_none_or(|known| known.term < given.term) {
            self.durable.surrendered = Some(given);
        }
    }

    /// The term this node is assigned to be primary of, or to give up in an orderly way: it serves
    /// until its engine has stopped.
    fn assigned_term(&self) -> Option<Term> {
        match self.assignment()?.target {
            Target::Primary { term, .. } | Target::Demoted { term } => Some(term),
            Target::Replica { .. } | Target::Source { .. } | Target::Member { .. } => None,
            Target::Stopped | Target::Gone { .. } => None,
        }
    }

    /// That term, if this node may ask for its lease at all.
    fn own_term(&self) -> Option<Term> {
        let term = self.assigned_term()?;
        let is_given_up = self.durable.surrendered.is_some_and(|given| given.term >= term);
        let is_given_up = is_given_up && !mutated(Mutation::SurrenderForgotten);
        (self.durable.promised <= term && !is_given_up).then_some(term)
    }

    pub fn on_server_grant(&mut self, number: u64, term: Term, now: u64) {
        let asked = self.asked_server.iter().find(|(n, t, _)| *n == number && *t == term);
        if let Some((_, _, sent)) = asked {
            self.round_trips.note(now.saturating_sub(*sent));
            let newest = self.server_grant.filter(|(t, _)| *t == term).map_or(0, |(_, at)| at);
            self.server_grant = Some((term, newest.max(*sent)));
        }
    }

    /// Answers another sentry, or takes its answer.
    pub fn on_peer(&mut self, from: &NodeId, body: PeerBody, now: u64) -> Option<PeerBody> {
        match body {
            PeerBody::LeaseRequest { term, nonce } => {
                if !self.is_new(from, nonce, now) {
                    return None;
                }
                if term >= self.assignment().map_or(0, |known| known.group.term) {
                    self.last_asked = Some(now);
                }
                if mutated(Mutation::PromiseTakenBack) {
                    self.durable.promised = self.durable.promised.min(term);
                }
                if self.durable.promised > term && !mutated(Mutation::PromiseIgnored) {
                    let promised = self.durable.promised;
                    return Some(PeerBody::LeaseRefused { promised, nonce });
                }
                self.last_granted = Some(now);
                Some(PeerBody::LeaseAck { term, nonce })
            }
            PeerBody::LeaseAck { term, nonce } => {
                let asked = self.asked_voters.iter().find(|(n, t, _)| *n == nonce && *t == term);
                if let Some((_, _, sent)) = asked {
                    self.round_trips.note(now.saturating_sub(*sent));
                    let sent = if mutated(Mutation::LeaseFromAnswer) { now } else { *sent };
                    let grant = self.voter_grants.entry(from.clone()).or_insert((term, sent));
                    *grant = (*grant).max((term, sent));
                }
                None
            }
            PeerBody::LeaseRefused { promised, nonce } => {
                let asked = self.asked_voters.iter().find(|(n, _, _)| *n == nonce);
                if let Some((_, term, _)) = asked
                    && promised > *term
                {
                    self.refused = Some(*term);
                }
                None
            }
        }
    }

    /// Whether this request was not heard before: nonces of a sentry rise.
    fn is_new(&mut self, from: &NodeId, nonce: u64, now: u64) -> bool {
        let Some(assignment) = self.assignment() else { return false };
        if assignment.group.member(from).is_none() {
            return false;
        }
        let silence = assignment.timers.lease_ms * SILENT_LEASES;
        let known = self.heard.get(from);
        let is_new =
            known.is_none_or(|(known, at)| nonce > *known || now.saturating_sub(*at) > silence);
        if is_new {
            self.heard.insert(from.clone(), (nonce, now));
        }
        is_new
    }

    /// The request to put to every voter now.
    pub fn ask_voters(&mut self, nonce: u64, now: u64) -> Option<PeerBody> {
        let term = self.own_term()?;
        remember(&mut self.asked_voters, (nonce, term, now));
        Some(PeerBody::LeaseRequest { term, nonce })
    }

    /// The voters to ask.
    #[must_use]
    pub fn voters(&self) -> BTreeSet<NodeId> {
        self.assignment().map(|known| known.group.config.voters()).unwrap_or_default()
    }

    /// It is one of a group whose members all accept writes. There is no lease then: the engines'
    /// majority decides who may write, and one without it refuses by itself.
    fn is_member(&self) -> bool {
        self.assignment().is_some_and(|known| matches!(known.target, Target::Member { .. }))
    }

    fn serves_as_member(&self, now: u64) -> bool {
        let is_heard = |at: u64| now.saturating_sub(at) <= WORKER_MS_MAX;
        let worker = self.worker.as_ref();
        self.is_member()
            && worker.is_some_and(|(report, at)| report.serving.is_some() && is_heard(*at))
    }

    /// The gate as it may be now.
    #[must_use]
    pub fn gate(&self, now: u64) -> Gate {
        if self.is_member() {
            return if self.serves_as_member(now) { Gate::Solo } else { Gate::Closed };
        }
        let (Some(assignment), Some(term)) = (self.assignment(), self.own_term()) else {
            return Gate::Closed;
        };
        let serves = self.worker.as_ref().is_some_and(|(report, at)| {
            report.serving == Some(term) && now.saturating_sub(*at) <= WORKER_MS_MAX
        });
        if !serves || self.refused >= Some(term) {
            return Gate::Closed;
        }
        if assignment.group.config.is_solo() || mutated(Mutation::LeaseUnchecked) {
            return Gate::Solo;
        }
        let from_server = self.server_grant.filter(|(t, _)| *t == term).map(|(_, sent)| sent);
        let sent = from_server.max(self.voters_grant(term));
        let lease_ms = assignment.timers.lease_ms;
        let lease_ms = if mutated(Mutation::LeaseTooLong) { lease_ms * 3 / 2 } else { lease_ms };
        let end = sent.map(|sent| sent + lease_ms);
        end.filter(|end| *end > now).map_or(Gate::Closed, Gate::Until)
    }

    /// The latest moment at or after which requests were sent that enough voters have granted.
    fn voters_grant(&self, term: Term) -> Option<u64> {
        let config = &self.assignment()?.group.config;
        let grants = || self.voter_grants.iter().filter(|(_, (t, _))| *t == term);
        let mut moments: Vec<u64> = grants().map(|(_, (_, sent))| *sent).collect();
        moments.sort_unstable_by(|a, b| b.cmp(a));
        moments.into_iter().find(|moment| {
            let since = grants().filter(|(_, (_, sent))| sent >= moment);
            config.authorises(&since.map(|(node, _)| node.clone()).collect())
        })
    }

    /// The term in which this node has certainly been overtaken: its engine has to be stopped.
    #[must_use]
    pub fn fenced(&self) -> Option<Term> {
        let term = self.assigned_term()?;
        let is_overtaken = self.durable.promised > term || self.refused >= Some(term);
        is_overtaken.then_some(term)
    }

    /// Milliseconds the read gate may stay open from now on.
    #[must_use]
    pub fn read_gate_ms(&self, now: u64) -> u64 {
        let (Some(assignment), Some((report, at))) = (self.assignment(), &self.worker) else {
            return 0;
        };
        let is_heard = now.saturating_sub(*at) <= assignment.timers.suspect_ms;
        let is_admitted = assignment.group.member(&self.node).is_some_and(|own| own.admitted);
        let streams = matches!(report.actual, Actual::Replica { streaming: true, .. })
            && matches!(assignment.target, Target::Replica { .. });
        let lag = match (report.position, report.applied) {
            (Some(received), Some(applied)) => received.offset.saturating_sub(applied.offset),
            _ => u64::MAX,
        };
        let is_near = lag <= assignment.read_lag_max
            && report.upstream_age_ms.is_some_and(|age| age <= assignment.timers.lease_ms * 2);
        let is_fit = (streams && is_near) || self.serves_as_member(now);
        if is_heard && is_admitted && is_fit { READ_OPEN_MS } else { 0 }
    }

    /// Milliseconds that new connections are held from now on.
    #[must_use]
    pub fn hold_ms(&self, now: u64) -> u64 {
        let (Some(assignment), Some(since)) = (self.assignment(), self.hold_since) else {
            return 0;
        };
        (since + assignment.timers.hold_ms).saturating_sub(now)
    }

    /// An endpoint has come, and says how far clients are held back once it is asked to.
    pub fn on_endpoint(&mut self, report: Option<EndpointReport>) {
        self.endpoint = Endpoint::There(report);
    }

    /// What the endpoint has measured, all that it still knows.
    pub fn on_gaps(&mut self, gaps: Vec<WriteGap>) {
        self.gaps = gaps;
    }

    /// The endpoint is gone.
    pub fn on_endpoint_gone(&mut self, now: u64) {
        self.endpoint = Endpoint::Gone(now);
    }

    /// While clients are held back: sessions that may still say something to the primary.
    fn open_sessions(&self, now: u64) -> Option<u32> {
        if self.hold_ms(now) == 0 {
            return None;
        }
        match self.endpoint {
            Endpoint::Gone(since) => (now.saturating_sub(since) > ENDPOINT_BACK_MS).then_some(0),
            Endpoint::There(report) => report.filter(|r| r.version == self.version).map(|r| r.open),
        }
    }

    /// Where the endpoint leads connections.
    #[must_use]
    pub fn routes(&self, now: u64) -> Option<Routes> {
        let assignment = self.assignment()?;
        let (ports, group) = (assignment.engine.ports, &assignment.group);
        let is_held = self.hold_ms(now) > 0;
        let primary = group.primary.as_ref().filter(|_| !is_held).and_then(|id| {
            if *id == self.node {
                return Some(("127.0.0.1".to_owned(), ports.private));
            }
            group.member(id).map(|member| (member.address.clone(), ports.gate))
        });
        let others = || {
            let members = group.members.iter().filter(|member| member.admitted);
            members.filter(|member| Some(&member.node) != group.primary.as_ref())
        };
        let writers = others().filter(|_| assignment.multi_primary && !is_held);
        let writers = writers.map(|member| match member.node == self.node {
            true => ("127.0.0.1".to_owned(), ports.private),
            false => (member.address.clone(), ports.gate),
        });
        let name = group.primary.as_ref().and_then(|id| group.member(id));
        Some(Routes {
            version: self.version,
            engine: assignment.engine.name.clone(),
            private_port: ports.private,
            probe_password: ProbePassword(probe_password(assignment)),
            is_held,
            is_drained: assignment.drained,
            primary_name: name.map(|member| member.name.clone()).unwrap_or_default(),
            read_write_port: ports.read_write,
            read_only_port: ports.read_only,
            primary,
            writers: writers.collect(),
            term: group.term,
            replicas: others().map(|member| (member.address.clone(), ports.read_gate)).collect(),
            connect_wait_ms: assignment.timers.connect_wait_ms,
        })
    }

    /// The next report; it asks for the lease where this node may.
    pub fn report(&mut self, kernel: &Kernel, now: u64) -> Report {
        self.number += 1;
        let term = self.own_term();
        if let Some(term) = term {
            remember(&mut self.asked_server, (self.number, term, now));
        }
        let remaining = kernel.open_until.map_or(0, |end| end.saturating_sub(now));
        let is_solo = self.assignment().is_none_or(|known| known.group.config.is_solo());
        let age = |at: u64| now.saturating_sub(at);
        Report {
            number: self.number,
            lease_request: term,
            assignment_seq: self.assignment().map_or(0, |known| known.seq),
            promised: self.saved.promised,
            last_ack_age_ms: Some(age(self.last_granted_below)),
            lease_request_age_ms: self.last_asked.map(age),
            gate: GateReport {
                open: remaining > 0,
                term: self.assigned_term().unwrap_or(0),
                remaining_ms: (remaining > 0 && !is_solo).then_some(remaining),
            },
            surrendered: self.saved.surrendered,
            open_sessions: self.open_sessions(now),
            round_trip_ms: self.round_trips.slow(),
            gaps: self.gaps.clone(),
            admission: kernel.admission,
            worker_age_ms: self.worker.as_ref().map(|(_, at)| age(*at)),
            worker: self.worker.as_ref().map(|(report, _)| self.kept(report)),
        }
    }

    /// The worker's report, with no configuration in force that a restart would undo: a primary
    /// that has forgotten its voters would serve without a lease.
    fn kept(&self, report: &WorkerReport) -> WorkerReport {
        let saved = self.saved.assignment.as_ref();
        let kept = saved.map_or(0, |saved| saved.group.config.version());
        WorkerReport { config_version: report.config_version.min(kept), ..report.clone() }
    }
}

fn remember(requests: &mut VecDeque<(u64, Term, u64)>, request: (u64, Term, u64)) {
    if requests.len() == REQUESTS_MAX {
        requests.pop_front();
    }
    requests.push_back(request);
}

/// Its one key would be another shard's: in a shard nothing is measured.
fn probe_password(assignment: &Assignment) -> String {
    match assignment.sharding {
        Some(_) => String::new(),
        None => assignment.secrets.probe_password.clone(),
    }
}

/// How many keys are copied can wait.
fn is_move_news(known: Option<&MoveReport>, now: Option<&MoveReport>) -> bool {
    let is_copying = now.is_some_and(|now| matches!(now.state, MoveState::Copying { .. }));
    known != now && !is_copying
}

#[cfg(test)]
mod tests;
