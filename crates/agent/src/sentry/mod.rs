//! The sentry: lease, gate, promise, fence; the session with the server. What it decides is in
//! `core`; here is the loop that feeds it and does what it says.

pub mod core;
mod local;
mod peers;
mod session;

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bellwether_protocol::local::{FromSentry, Orders, Routes, SOCKET, ToSentry};
use bellwether_protocol::peer::PeerMessage;
use bellwether_protocol::{FromAgent, FromServer, Hello, VERSION};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tracing::{error, info, warn};

use self::core::{Core, Durable, Gate};
use self::local::FromLocal;
use self::peers::{DATAGRAM_BYTES_MAX, Seal};
use self::session::FromSession;
use crate::clock::now_ms;
use crate::firewall::Firewall;
use crate::join::{self, Identity};
use crate::{STATE, files};

/// The loop's own pace; heartbeats are counted in it.
const TICK: Duration = Duration::from_millis(50);

/// The gate's element is renewed when it has lost this much of its time.
const RENEW_AFTER_MS: u64 = 400;

fn state_path() -> PathBuf {
    PathBuf::from(STATE).join("sentry.json")
}

/// Runs for ever.
///
/// # Errors
/// When the node has not joined, or its files are damaged.
pub async fn run() -> anyhow::Result<()> {
    let identity = join::identity()?.context("this node has not joined yet")?;
    let config = join::config()?;
    let durable = files::read_json(&state_path()).context("read the sentry's state")?;
    let core = Core::new(identity.node.clone(), durable.unwrap_or_default(), now_ms());
    let listener = local::listen(SOCKET.as_ref()).context("listen for worker and endpoint")?;
    let (local_sender, locals) = mpsc::channel(64);
    tokio::spawn(local::accept(listener, local_sender));
    let (outgoing, to_session) = mpsc::channel(16);
    let (from_session, incoming) = mpsc::channel(64);
    tokio::spawn(session::keep(config.servers, identity.clone(), to_session, from_session));
    let (saved_sender, saved) = mpsc::channel(4);
    let sentry = Sentry {
        identity,
        incarnation: format!("{:016x}", rand::random::<u64>()),
        core,
        outgoing,
        is_connected: false,
        worker: None,
        endpoint: None,
        sent_orders: None,
        sent_routes: None,
        firewall: None,
        gate: (Gate::Closed, 0),
        read_gate_at: None,
        last_heartbeat: 0,
        last_tick: now_ms(),
        report_due: false,
        peer_socket: None,
        seal: None,
        is_saving: false,
        saved_sender,
    };
    sentry.run(incoming, locals, saved).await
}

struct Sentry {
    identity: Identity,
    incarnation: String,
    core: Core,
    outgoing: mpsc::Sender<FromAgent>,
    is_connected: bool,
    worker: Option<mpsc::Sender<FromSentry>>,
    endpoint: Option<mpsc::Sender<FromSentry>>,
    sent_orders: Option<Orders>,
    sent_routes: Option<Routes>,
    firewall: Option<Firewall>,
    /// What the kernel was last told, and when.
    gate: (Gate, u64),
    read_gate_at: Option<u64>,
    last_heartbeat: u64,
    last_tick: u64,
    report_due: bool,
    peer_socket: Option<Arc<UdpSocket>>,
    seal: Option<Seal>,
    is_saving: bool,
    saved_sender: mpsc::Sender<std::io::Result<Durable>>,
}

impl Sentry {
    async fn run(
        mut self,
        mut incoming: mpsc::Receiver<FromSession>,
        mut locals: mpsc::Receiver<FromLocal>,
        mut saved: mpsc::Receiver<std::io::Result<Durable>>,
    ) -> anyhow::Result<()> {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut datagram = vec![0; DATAGRAM_BYTES_MAX];
        self.take_assignment_in_force().await;
        loop {
            let socket = self.peer_socket.clone();
            tokio::select! {
                biased;
                _ = ticks.tick() => self.tick().await,
                message = incoming.recv() => match message {
                    Some(message) => self.on_session(message).await,
                    None => anyhow::bail!("the session's task has ended"),
                },
                peer = receive(socket.as_deref(), &mut datagram) => {
                    if let Some((length, from)) = peer {
                        self.on_datagram(&datagram[..length], from).await;
                    }
                }
                local = locals.recv() => match local {
                    Some(local) => self.on_local(local).await,
                    None => anyhow::bail!("the local socket's task has ended"),
                },
                result = saved.recv() => if let Some(result) = result {
                    self.on_saved(result);
                },
            }
            self.settle().await;
        }
    }

    /// After every event: save, drive the gate, tell worker and endpoint, report what changed.
    async fn settle(&mut self) {
        self.save();
        self.drive_gates().await;
        self.tell_locals().await;
        if std::mem::take(&mut self.report_due) {
            self.send_report().await;
        }
    }

    async fn tick(&mut self) {
        let now = now_ms();
        let late = now.saturating_sub(self.last_tick);
        self.last_tick = now;
        let Some(timers) = self.core.assignment().map(|known| known.timers) else {
            return;
        };
        if late > timers.lease_ms / 2 {
            // It was frozen: what it believes is as old. Close first, then look.
            warn!("the sentry was frozen for {late} ms");
            self.close_gate().await;
        }
        if now.saturating_sub(self.last_heartbeat) >= timers.heartbeat_ms {
            self.last_heartbeat = now;
            self.ask_voters(now).await;
            self.report_due = true;
        }
    }

    async fn send_report(&mut self) {
        if self.is_connected {
            let report = self.core.report(now_ms());
            // A session that does not keep up drops reports; the next holds everything.
            let _ = self.outgoing.try_send(FromAgent::Report(Box::new(report)));
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
                let _ = self.outgoing.send(FromAgent::Hello(hello)).await;
                self.report_due = true;
            }
            FromSession::Disconnected => self.is_connected = false,
            FromSession::Message(message) => match *message {
                FromServer::Assignment(assignment) => {
                    let target = assignment.target.clone();
                    match self.core.on_assignment(*assignment, now_ms()) {
                        Ok(()) => {
                            info!("assigned: {target:?}");
                            self.take_assignment_in_force().await;
                            self.report_due = true;
                        }
                        Err(why) => warn!("an assignment is refused: {why}"),
                    }
                }
                FromServer::LeaseAck { report, term } => self.core.on_server_grant(report, term),
                FromServer::Probe => self.report_due = true,
                FromServer::Refused { .. } => {}
            },
        }
    }

    /// Firewall, peers' socket and seal as the assignment says.
    async fn take_assignment_in_force(&mut self) {
        let Some(assignment) = self.core.assignment().cloned() else { return };
        let ports = assignment.engine.ports;
        if self.firewall.as_ref().is_none_or(|firewall| firewall.ports() != ports) {
            let mut firewall = Firewall::new(ports);
            match firewall.build().await {
                Ok(()) => self.firewall = Some(firewall),
                Err(error) => return error!("the gate cannot be made: {error:#}"),
            }
        }
        let members = assignment.group.members.iter();
        let members = members.map(|m| (m.address.clone(), m.address6.clone())).collect();
        if let Some(firewall) = &mut self.firewall
            && let Err(error) = firewall.set_members(members).await
        {
            error!("the members' addresses cannot be set: {error:#}");
            self.firewall = None;
        }
        self.seal = Seal::new(&assignment.secrets.peer_key);
        if self.peer_socket.is_none() {
            let address = SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), ports.peer);
            match UdpSocket::bind(address).await {
                Ok(socket) => self.peer_socket = Some(Arc::new(socket)),
                Err(error) => error!("the port for other sentries: {error}"),
            }
        }
    }

    async fn ask_voters(&mut self, now: u64) {
        let voters = self.core.voters();
        if voters.is_empty() {
            return;
        }
        let Some(body) = self.core.ask_voters(rand::random(), now) else { return };
        for voter in voters.into_iter().filter(|voter| *voter != self.identity.node) {
            self.send_peer(voter, body).await;
        }
    }

    async fn send_peer(
        &self,
        to: bellwether_model::NodeId,
        body: bellwether_protocol::peer::PeerBody,
    ) {
        let (Some(assignment), Some(seal), Some(socket)) =
            (self.core.assignment(), &self.seal, &self.peer_socket)
        else {
            return;
        };
        let Some(address) =
            assignment.group.member(&to).and_then(|member| member.address.parse().ok())
        else {
            return;
        };
        let IpAddr::V4(v4) = address else { return };
        let address = SocketAddr::new(v4.to_ipv6_mapped().into(), assignment.engine.ports.peer);
        let message = PeerMessage {
            cluster: self.identity.cluster.clone(),
            from: self.identity.node.clone(),
            to,
            body,
        };
        // A datagram that is lost is one heartbeat's.
        let _ = socket.try_send_to(&seal.seal(&message), address);
    }

    async fn on_datagram(&mut self, datagram: &[u8], _: SocketAddr) {
        let Some(message) = self.seal.as_ref().and_then(|seal| seal.open(datagram)) else { return };
        let is_ours = message.cluster == self.identity.cluster && message.to == self.identity.node;
        if !is_ours {
            return;
        }
        if let Some(answer) = self.core.on_peer(&message.from, message.body, now_ms()) {
            self.send_peer(message.from, answer).await;
        }
    }

    async fn on_local(&mut self, local: FromLocal) {
        match local.message {
            ToSentry::IamWorker => {
                self.worker = Some(local.answer);
                self.sent_orders = None;
            }
            ToSentry::IamEndpoint => {
                self.endpoint = Some(local.answer);
                self.sent_routes = None;
            }
            ToSentry::Worker(report) => {
                let is_news = self.core.worker_changed(&report);
                self.core.on_worker(*report, now_ms());
                self.report_due |= is_news;
            }
            ToSentry::Status => {
                let report = Box::new(self.core.report(now_ms()));
                let status = FromSentry::Status { report, connected: self.is_connected };
                let _ = local.answer.try_send(status);
            }
        }
    }

    /// Saves on a thread of its own: the lease does not wait for the disk.
    fn save(&mut self) {
        let Some(durable) = self.core.unsaved().filter(|_| !self.is_saving).cloned() else {
            return;
        };
        self.is_saving = true;
        let sender = self.saved_sender.clone();
        tokio::task::spawn_blocking(move || {
            let result = files::write_json(&state_path(), &durable).map(|()| durable);
            let _ = sender.blocking_send(result);
        });
    }

    fn on_saved(&mut self, result: std::io::Result<Durable>) {
        self.is_saving = false;
        match result {
            Ok(durable) => {
                let is_news = durable.promised > self.core.promised()
                    || durable.surrendered != self.core.saved_surrender();
                self.core.on_saved(durable);
                self.report_due |= is_news;
            }
            Err(error) => error!("the sentry's state cannot be saved: {error}"),
        }
    }

    async fn drive_gates(&mut self) {
        let now = now_ms();
        let gate = self.core.gate(now);
        let (was, at) = self.gate;
        let is_due = match (was, gate) {
            (Gate::Closed, Gate::Closed) => false,
            (Gate::Closed, _) | (_, Gate::Closed) => true,
            _ => now.saturating_sub(at) >= RENEW_AFTER_MS,
        };
        if is_due {
            if gate == Gate::Closed {
                self.close_gate().await;
            } else {
                self.open_gate(gate, now).await;
            }
            if (was == Gate::Closed) != (self.gate.0 == Gate::Closed) {
                info!("the gate is {}", if gate == Gate::Closed { "closed" } else { "open" });
                self.report_due = true;
            }
        }
        self.drive_read_gate(now).await;
    }

    async fn open_gate(&mut self, gate: Gate, now: u64) {
        let Some(firewall) = &mut self.firewall else { return };
        match firewall.open_gate(gate.open_ms(now)).await {
            Ok(()) => self.gate = (gate, now),
            Err(error) => {
                error!("the gate cannot be opened: {error:#}");
                self.gate = (Gate::Closed, now);
            }
        }
    }

    async fn close_gate(&mut self) {
        let Some(firewall) = &mut self.firewall else { return };
        if let Err(error) = firewall.close_gate().await {
            error!("the gate cannot be closed: {error:#}; it closes by itself");
        }
        self.gate = (Gate::Closed, now_ms());
    }

    async fn drive_read_gate(&mut self, now: u64) {
        let open_ms = self.core.read_gate_ms(now);
        let Some(firewall) = &mut self.firewall else { return };
        let is_due = self.read_gate_at.is_none_or(|at| now.saturating_sub(at) >= RENEW_AFTER_MS);
        if open_ms > 0 && is_due {
            match firewall.open_read_gate(open_ms).await {
                Ok(()) => self.read_gate_at = Some(now),
                Err(error) => error!("the read gate cannot be opened: {error:#}"),
            }
        } else if open_ms == 0 && self.read_gate_at.take().is_some() {
            let _ = firewall.close_read_gate().await;
        }
    }

    async fn tell_locals(&mut self) {
        if let (Some(worker), Some(assignment)) = (&self.worker, self.core.assignment()) {
            let orders = Orders {
                assignment: assignment.clone(),
                promised: self.core.promised(),
                fenced: self.core.fenced(),
            };
            // The engine is not touched before there is a gate in front of it.
            if self.firewall.is_some() && self.sent_orders.as_ref() != Some(&orders) {
                let message = FromSentry::Orders(Box::new(orders.clone()));
                if worker.try_send(message).is_ok() {
                    self.sent_orders = Some(orders);
                }
            }
        }
        if let (Some(endpoint), Some(routes)) = (&self.endpoint, self.core.routes(now_ms()))
            && self.sent_routes.as_ref() != Some(&routes)
            && endpoint.try_send(FromSentry::Routes(routes.clone())).is_ok()
        {
            self.sent_routes = Some(routes);
        }
    }
}

async fn receive(socket: Option<&UdpSocket>, buffer: &mut [u8]) -> Option<(usize, SocketAddr)> {
    match socket {
        Some(socket) => socket.recv_from(buffer).await.ok(),
        None => std::future::pending().await,
    }
}

/// Asks the sentry of this node what it reported last and prints it.
///
/// # Errors
/// When no sentry runs here.
pub async fn print_status() -> anyhow::Result<()> {
    let stream = tokio::net::UnixStream::connect(SOCKET).await.context("no sentry runs here")?;
    let (read, mut write) = stream.into_split();
    crate::lines::send(&mut write, &ToSentry::Status).await?;
    let mut read = tokio::io::BufReader::new(read);
    let status: Option<FromSentry> = crate::lines::receive(&mut read, &mut Vec::new()).await?;
    let text = serde_json::to_string_pretty(&status)?;
    std::io::Write::write_all(&mut std::io::stdout(), format!("{text}\n").as_bytes())?;
    Ok(())
}
