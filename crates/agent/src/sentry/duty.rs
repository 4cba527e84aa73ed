//! What the sentry does: takes in what happens, lets the core judge, and does what it says.

use std::net::IpAddr;

use bellwether_model::{ClusterId, NodeId, Term};
use bellwether_protocol::local::{FromSentry, Orders, ToSentry};
use bellwether_protocol::peer::PeerBody;
use bellwether_protocol::session::Known;
use bellwether_protocol::{Assignment, FromAgent, FromServer, Hello, VERSION};
use tokio::sync::mpsc;
use tracing::{info, warn};

use super::core::{Core, Durable};
use super::disk::Disk;
use super::gates::Gates;
use super::hands::{Event, FromLocal, FromSession, Hands, Wanted};

/// The longest the loop sleeps: gates are renewed and looked at in this pace.
const SLEEP_MS_MAX: u64 = 200;

/// Changes within so long of a report go into one.
const COALESCE_MS: u64 = 2;

/// A sentry at work.
pub struct Sentry<H: Hands> {
    hands: H,
    cluster: ClusterId,
    node: NodeId,
    incarnation: String,
    core: Core,
    is_connected: bool,
    worker: Option<mpsc::Sender<FromSentry>>,
    endpoint: Option<mpsc::Sender<FromSentry>>,
    /// What names the orders and routes that were told last.
    told_orders: Option<(u64, Term, Option<Term>)>,
    told_routes: Option<(u64, bool)>,
    gates: Gates<H::Filter>,
    /// When the last heartbeat was.
    heartbeat_at: u64,
    reported_at: u64,
    is_report_due: bool,
    disk: Disk,
}

impl<H: Hands> Sentry<H> {
    pub fn new(
        cluster: ClusterId,
        node: NodeId,
        incarnation: String,
        core: Core,
        hands: H,
    ) -> Self {
        let now = hands.now();
        Self {
            hands,
            cluster,
            node,
            incarnation,
            core,
            is_connected: false,
            worker: None,
            endpoint: None,
            told_orders: None,
            told_routes: None,
            gates: Gates::default(),
            heartbeat_at: now,
            reported_at: now,
            is_report_due: false,
            disk: Disk::default(),
        }
    }

    /// Runs for ever.
    ///
    /// # Errors
    /// When its hands cannot go on at all.
    pub async fn run(mut self) -> anyhow::Result<()> {
        self.follow_assignment().await;
        self.settle();
        loop {
            let sleep_ms = self.sleep_ms(self.hands.now());
            let event = self.hands.next(sleep_ms).await?;
            self.close_if_frozen(self.hands.now());
            match event {
                Event::Time => {}
                Event::Session(message) => self.on_session(message).await,
                Event::Peer(from, body) => self.on_peer(&from, body),
                Event::Local(local) => self.on_local(local),
                Event::Saved(result) => self.on_saved(*result),
            }
            self.beat(self.hands.now()).await;
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
            self.core.on_awakening(now);
        }
    }

    /// What is done in every heartbeat.
    async fn beat(&mut self, now: u64) {
        self.gates.keep(&mut self.hands).await;
        self.core.on_time(now);
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
        self.disk.save(&self.core, &mut self.hands);
        self.is_report_due |= self.gates.drive(&self.core, &self.hands);
        let now = self.hands.now();
        self.tell_worker();
        self.tell_endpoint(now);
        if self.is_report_due && now.saturating_sub(self.reported_at) >= COALESCE_MS {
            self.is_report_due = false;
            self.reported_at = now;
            if self.is_connected {
                let report = self.core.report(&self.gates.told(), now);
                self.hands.tell_server(FromAgent::Report(Box::new(report)));
            }
        }
    }

    async fn on_session(&mut self, message: FromSession) {
        match message {
            FromSession::Connected => {
                self.is_connected = true;
                let known = self.core.assignment().map(|known| Known {
                    epoch: known.epoch.clone(),
                    group: known.group.clone(),
                    target: known.target.clone(),
                    slots: known.sharding.as_ref().map(|sharding| sharding.slots.clone()),
                    promised: self.core.promised(),
                });
                let hello = Hello {
                    protocol: VERSION,
                    agent_version: env!("CARGO_PKG_VERSION").to_owned(),
                    cluster: self.cluster.clone(),
                    node: self.node.clone(),
                    incarnation: self.incarnation.clone(),
                    assignment_seq: self.core.assignment().map_or(0, |known| known.seq),
                    known,
                };
                self.hands.tell_server(FromAgent::Hello(Box::new(hello)));
                self.is_report_due = true;
            }
            FromSession::Disconnected => self.is_connected = false,
            FromSession::Message(message) => match *message {
                FromServer::Assignment(assignment) => self.on_assignment(*assignment).await,
                FromServer::LeaseAck { report, term } => {
                    self.core.on_server_grant(report, term, self.hands.now());
                }
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
        match self.core.on_assignment(assignment, self.hands.now()) {
            Ok(()) => {
                if is_news {
                    info!("assigned: {words}");
                }
                // A promise binds from now on; it is told once it is on the disk.
                self.disk.save(&self.core, &mut self.hands);
                self.follow_assignment().await;
                self.is_report_due = true;
            }
            Err(why) => warn!("an assignment is refused: {why}"),
        }
    }

    /// Packet filter and the way to other sentries as the assignment says.
    async fn follow_assignment(&mut self) {
        let Some(assignment) = self.core.assignment() else { return };
        let members = assignment.every_member();
        let addresses = members.flat_map(|member| [&member.address, &member.address6]);
        let addresses: Vec<IpAddr> = addresses.filter_map(|text| text.parse().ok()).collect();
        let wanted = Wanted {
            ports: assignment.engine.ports,
            members: addresses,
            admission: assignment.admission.clone(),
        };
        self.gates.assign(&mut self.hands, wanted).await;
        self.hands.follow(assignment);
    }

    fn ask_voters(&mut self, now: u64) {
        let Some(body) = self.core.ask_voters(self.hands.nonce(), now) else { return };
        let Some(assignment) = self.core.assignment() else { return };
        for voter in self.core.voters().iter().filter(|voter| **voter != self.node) {
            self.hands.tell_peer(assignment, voter, body);
        }
    }

    fn on_peer(&mut self, from: &NodeId, body: PeerBody) {
        let answer = self.core.on_peer(from, body, self.hands.now());
        if let (Some(answer), Some(assignment)) = (answer, self.core.assignment()) {
            self.hands.tell_peer(assignment, from, answer);
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
                self.core.on_endpoint(None);
            }
            ToSentry::Endpoint(report) => {
                self.core.on_endpoint(Some(report));
                self.is_report_due = true;
            }
            ToSentry::Gaps { gaps } => {
                self.core.on_gaps(gaps);
                self.is_report_due = true;
            }
            ToSentry::Worker(report) => {
                self.is_report_due |= self.core.worker_changed(&report);
                self.core.on_worker(*report, self.hands.now());
            }
            ToSentry::Status => {
                let now = self.hands.now();
                let report = Box::new(self.core.report(&self.gates.told(), now));
                let status = FromSentry::Status { report, connected: self.is_connected };
                let _ = local.answer.try_send(status);
            }
        }
    }

    fn on_saved(&mut self, result: std::io::Result<Durable>) {
        let Some(durable) = self.disk.take(result, self.hands.now()) else { return };
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
        if self.endpoint.as_ref().is_some_and(mpsc::Sender::is_closed) {
            self.endpoint = None;
            self.core.on_endpoint_gone(now);
        }
        let Some(endpoint) = &self.endpoint else { return };
        // Its ports are not opened before the kernel knows who may come.
        if !self.gates.is_ready() && self.told_routes.is_none() {
            return;
        }
        let named = (self.core.version(), self.core.hold_ms(now) > 0);
        if self.told_routes == Some(named) {
            return;
        }
        let Some(routes) = self.core.routes(now) else { return };
        if endpoint.try_send(FromSentry::Routes(routes)).is_ok() {
            self.told_routes = Some(named);
        }
    }
}
