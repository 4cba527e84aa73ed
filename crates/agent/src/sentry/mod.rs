//! The sentry: lease, gate, promise, fence; the session with the server. What it decides is in
//! `core`; here is the loop that feeds it and does what it says.

pub mod core;
mod disk;
mod gates;
mod local;
mod peers;
mod session;

use std::net::IpAddr;
use std::time::Duration;

use anyhow::Context as _;
use bellwether_model::{NodeId, Term};
use bellwether_protocol::local::{FromSentry, Orders, ToSentry};
use bellwether_protocol::peer::PeerBody;
use bellwether_protocol::{Assignment, FromAgent, FromServer, Hello, VERSION};
use tokio::sync::mpsc;
use tracing::{info, warn};

use self::core::{Core, Durable};
use self::disk::Disk;
use self::gates::Gates;
use self::local::FromLocal;
use self::peers::Peers;
use self::session::FromSession;
use crate::clock::now_ms;
use crate::files;
use crate::join::{self, Identity};
use crate::paths::Paths;

pub use self::local::print_status;

/// The longest the loop sleeps: gates are renewed and looked at in this pace.
const SLEEP_MS_MAX: u64 = 200;

/// Changes within so long of a report go into one.
const COALESCE_MS: u64 = 10;

/// Runs for ever.
///
/// # Errors
/// When the node has not joined, or its files are damaged.
pub async fn run(paths: &Paths) -> anyhow::Result<()> {
    raise_own_priority();
    let identity = join::identity(paths)?.context("this node has not joined yet")?;
    let config = join::config(paths)?;
    let durable: Option<Durable> =
        files::read_json(&paths.sentry_state).context("read the sentry's state")?;
    let (cluster, node) = (identity.cluster.clone(), identity.node.clone());
    let core = Core::new(cluster.clone(), node.clone(), durable.unwrap_or_default(), now_ms());
    let listener = local::listen(&paths.socket).context("listen for worker and endpoint")?;
    let (local_sender, locals) = mpsc::channel(64);
    tokio::spawn(local::accept(listener, local_sender));
    let (outgoing, to_session) = mpsc::channel(16);
    let (from_session, incoming) = mpsc::channel(64);
    tokio::spawn(session::keep(config.servers, identity.clone(), to_session, from_session));
    let now = now_ms();
    let sentry = Sentry {
        identity,
        incarnation: format!("{:016x}", rand::random::<u64>()),
        core,
        outgoing,
        is_connected: false,
        worker: None,
        endpoint: None,
        told_orders: None,
        told_routes: None,
        gates: Gates::default(),
        heartbeat_at: now,
        reported_at: now,
        is_report_due: false,
        peers: Peers::new(cluster, node),
        disk: Disk::new(paths.sentry_state.clone()),
    };
    sentry.run(incoming, locals).await
}

/// What is done for the lease comes before what clients ask for, and lives longer. As far as the
/// machine allows.
fn raise_own_priority() {
    let _ = std::fs::write("/proc/self/oom_score_adj", "-900");
    let _ = rustix::process::setpriority_process(None, -10);
}

struct Sentry {
    identity: Identity,
    incarnation: String,
    core: Core,
    outgoing: mpsc::Sender<FromAgent>,
    is_connected: bool,
    worker: Option<mpsc::Sender<FromSentry>>,
    endpoint: Option<mpsc::Sender<FromSentry>>,
    /// What names the orders and routes that were told last.
    told_orders: Option<(u64, Term, Option<Term>)>,
    told_routes: Option<(u64, bool)>,
    gates: Gates,
    /// When the last heartbeat was.
    heartbeat_at: u64,
    reported_at: u64,
    is_report_due: bool,
    peers: Peers,
    disk: Disk,
}

/// What the loop waits for.
enum Event {
    Time,
    Session(FromSession),
    Peer(NodeId, PeerBody),
    Local(FromLocal),
    Saved(Box<std::io::Result<Durable>>),
}

impl Sentry {
    async fn run(
        mut self,
        mut incoming: mpsc::Receiver<FromSession>,
        mut locals: mpsc::Receiver<FromLocal>,
    ) -> anyhow::Result<()> {
        self.follow_assignment().await;
        self.settle();
        loop {
            let sleep_ms = self.sleep_ms(now_ms());
            let event = tokio::select! {
                biased;
                message = incoming.recv() => {
                    Event::Session(message.context("the session's task has ended")?)
                }
                (from, body) = self.peers.receive() => Event::Peer(from, body),
                result = self.disk.ended() => Event::Saved(Box::new(result)),
                local = locals.recv() => {
                    Event::Local(local.context("the local socket's task has ended")?)
                }
                () = tokio::time::sleep(Duration::from_millis(sleep_ms)) => Event::Time,
            };
            self.close_if_frozen(now_ms());
            match event {
                Event::Time => {}
                Event::Session(message) => self.on_session(message).await,
                Event::Peer(from, body) => self.on_peer(&from, body),
                Event::Local(local) => self.on_local(local),
                Event::Saved(result) => self.on_saved(*result),
            }
            self.beat(now_ms()).await;
            self.settle();
        }
    }

    /// Until something is due by itself.
    fn sleep_ms(&self, now: u64) -> u64 {
        let Some(assignment) = self.core.assignment() else { return SLEEP_MS_MAX };
        let mut due = self.heartbeat_at + assignment.timers.heartbeat_ms;
        if self.is_report_due {
            due = due.min(self.reported_at + COALESCE_MS);
        }
        if self.core.hold_ms(now) > 0 {
            due = due.min(now + self.core.hold_ms(now));
        }
        due.saturating_sub(now).clamp(1, SLEEP_MS_MAX)
    }

    /// One that was frozen believes what may be long over: it closes first, then looks.
    fn close_if_frozen(&mut self, now: u64) {
        let Some(timers) = self.core.assignment().map(|known| known.timers) else { return };
        let late = now.saturating_sub(self.heartbeat_at + timers.heartbeat_ms);
        if late > timers.lease_ms / 2 {
            warn!("the sentry was frozen for {late} ms");
            self.gates.close();
        }
    }

    /// What is done in every heartbeat.
    async fn beat(&mut self, now: u64) {
        self.gates.keep(now).await;
        let Some(timers) = self.core.assignment().map(|known| known.timers) else {
            self.heartbeat_at = now;
            return;
        };
        if now.saturating_sub(self.heartbeat_at) >= timers.heartbeat_ms {
            self.heartbeat_at = now;
            self.is_report_due = true;
            self.ask_voters(now);
        }
    }

    /// After every event: save, drive the gates, tell worker and endpoint, report what changed. The
    /// gates come before the worker: what it makes of an assignment counts from then on.
    fn settle(&mut self) {
        let now = now_ms();
        self.disk.save(&self.core, now);
        self.is_report_due |= self.gates.drive(&self.core, now);
        self.tell_worker();
        self.tell_endpoint(now);
        if self.is_report_due && now.saturating_sub(self.reported_at) >= COALESCE_MS {
            self.is_report_due = false;
            self.reported_at = now;
            if self.is_connected {
                let report = self.core.report(self.gates.open_until(), now);
                // A session that does not keep up drops reports; the next holds everything.
                let _ = self.outgoing.try_send(FromAgent::Report(Box::new(report)));
            }
        }
    }

    async fn on_session(&mut self, message: FromSession) {
        match message {
            FromSession::Connected => {
                self.is_connected = true;
                let hello = Hello {
                    protocol: VERSION,
                    agent_version: env!("CARGO_PKG_VERSION").to_owned(),
                    cluster: self.identity.cluster.clone(),
                    node: self.identity.node.clone(),
                    incarnation: self.incarnation.clone(),
                    assignment_seq: self.core.assignment().map_or(0, |known| known.seq),
                };
                // The session has emptied the channel before it said so.
                let _ = self.outgoing.try_send(FromAgent::Hello(hello));
                self.is_report_due = true;
            }
            FromSession::Disconnected => self.is_connected = false,
            FromSession::Message(message) => match *message {
                FromServer::Assignment(assignment) => self.on_assignment(*assignment).await,
                FromServer::LeaseAck { report, term } => self.core.on_server_grant(report, term),
                FromServer::Probe => self.is_report_due = true,
                FromServer::Refused { .. } => {}
            },
        }
    }

    async fn on_assignment(&mut self, assignment: Assignment) {
        let known = self.core.assignment();
        let is_news = known.is_none_or(|known| known.target != assignment.target);
        let words =
            format!("{:?}, the group's term is {}", assignment.target, assignment.group.term);
        match self.core.on_assignment(assignment, now_ms()) {
            Ok(()) => {
                if is_news {
                    info!("assigned: {words}");
                }
                // A promise binds from now on; it is told once it is on the disk.
                self.disk.save(&self.core, now_ms());
                self.follow_assignment().await;
                self.is_report_due = true;
            }
            Err(why) => warn!("an assignment is refused: {why}"),
        }
    }

    /// Packet filter and the way to other sentries as the assignment says.
    async fn follow_assignment(&mut self) {
        let Some(assignment) = self.core.assignment() else { return };
        let members = assignment.group.members.iter();
        let addresses = members.flat_map(|member| [&member.address, &member.address6]);
        let addresses: Vec<IpAddr> = addresses.filter_map(|text| text.parse().ok()).collect();
        self.gates.assign(assignment.engine.ports, addresses).await;
        self.peers.assign(assignment);
    }

    fn ask_voters(&mut self, now: u64) {
        let Some(body) = self.core.ask_voters(self.peers.nonce(), now) else { return };
        let Some(assignment) = self.core.assignment() else { return };
        for voter in self.core.voters().iter().filter(|voter| **voter != self.identity.node) {
            self.peers.send(assignment, voter, body);
        }
    }

    fn on_peer(&mut self, from: &NodeId, body: PeerBody) {
        let answer = self.core.on_peer(from, body, now_ms());
        if let (Some(answer), Some(assignment)) = (answer, self.core.assignment()) {
            self.peers.send(assignment, from, answer);
        }
    }

    fn on_local(&mut self, local: FromLocal) {
        match local.message {
            ToSentry::IamWorker => {
                self.worker = Some(local.answer);
                self.told_orders = None;
            }
            ToSentry::IamEndpoint => {
                self.endpoint = Some(local.answer);
                self.told_routes = None;
            }
            ToSentry::Worker(report) => {
                self.is_report_due |= self.core.worker_changed(&report);
                self.core.on_worker(*report, now_ms());
            }
            ToSentry::Status => {
                let report = Box::new(self.core.report(self.gates.open_until(), now_ms()));
                let status = FromSentry::Status { report, connected: self.is_connected };
                let _ = local.answer.try_send(status);
            }
        }
    }

    fn on_saved(&mut self, result: std::io::Result<Durable>) {
        let Some(durable) = self.disk.take(result, now_ms()) else { return };
        if durable.promised > self.core.promised() {
            info!("promised: no part in terms below {}", durable.promised);
            self.is_report_due = true;
        }
        if durable.surrendered != self.core.saved_surrender() {
            info!("given up for ever: {:?}", durable.surrendered);
            self.is_report_due = true;
        }
        self.core.on_saved(durable);
    }

    fn tell_worker(&mut self) {
        let (Some(worker), Some(assignment)) = (&self.worker, self.core.assignment()) else {
            return;
        };
        let orders = (self.core.version(), self.core.promised(), self.core.fenced());
        // The engine is not touched before there is a gate in front of it.
        if !self.gates.is_ready() || self.told_orders == Some(orders) {
            return;
        }
        let message = FromSentry::Orders(Box::new(Orders {
            assignment: assignment.clone(),
            promised: orders.1,
            fenced: orders.2,
        }));
        if worker.try_send(message).is_ok() {
            self.told_orders = Some(orders);
        } else if worker.is_closed() {
            self.worker = None;
        }
    }

    fn tell_endpoint(&mut self, now: u64) {
        let Some(endpoint) = &self.endpoint else { return };
        let named = (self.core.version(), self.core.hold_ms(now) > 0);
        if self.told_routes == Some(named) {
            return;
        }
        let Some(routes) = self.core.routes(now) else { return };
        if endpoint.try_send(FromSentry::Routes(routes)).is_ok() {
            self.told_routes = Some(named);
        } else if endpoint.is_closed() {
            self.endpoint = None;
        }
    }
}
