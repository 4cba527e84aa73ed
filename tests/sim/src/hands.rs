//! The sentry's hands, the worker's place and the way between them on a simulated machine.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use bellwether_agent_core::sentry::core::Durable;
use bellwether_agent_core::sentry::hands::{
    Event as SentryEvent, Filter, FromLocal, Hands, Wanted,
};
use bellwether_agent_core::worker::{Link, Place, Role};
use bellwether_model::NodeId;
use bellwether_protocol::assignment::Admission;
use bellwether_protocol::local::{
    CertificateReport, ClientsReport, FromSentry, HostFigures, ToSentry,
};
use bellwether_protocol::peer::PeerBody;
use bellwether_protocol::{Assignment, FromAgent};
use rand::Rng as _;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use crate::hub::{Event, Hub, State};
use crate::net::Host;

pub struct SimHands {
    hub: Hub,
    node: usize,
    life: u64,
    inbox: UnboundedReceiver<SentryEvent>,
}

impl SimHands {
    pub fn new(hub: Hub, node: usize, life: u64, inbox: UnboundedReceiver<SentryEvent>) -> Self {
        Self { hub, node, life, inbox }
    }
}

impl Hands for SimHands {
    type Filter = SimFilter;

    fn now(&self) -> u64 {
        self.hub.lock().clock(self.node)
    }

    async fn next(&mut self, sleep_ms: u64) -> anyhow::Result<SentryEvent> {
        let sleep = tokio::time::sleep(Duration::from_millis(sleep_ms));
        Ok(tokio::select! {
            biased;
            event = self.inbox.recv() => match event {
                Some(event) => event,
                None => std::future::pending().await,
            },
            () = sleep => SentryEvent::Time,
        })
    }

    async fn build_filter(&mut self, wanted: &Wanted) -> anyhow::Result<SimFilter> {
        let delay = self.hub.lock().rng.random_range(1..20);
        tokio::time::sleep(Duration::from_millis(delay)).await;
        let mut state = self.hub.lock();
        let machine = &mut state.machines[self.node];
        machine.filter = Some(self.life);
        machine.gate_until = 0;
        let mut filter = SimFilter { hub: self.hub.clone(), node: self.node };
        drop(state);
        filter.set_members(&wanted.members)?;
        Ok(filter)
    }

    fn save(&mut self, durable: Durable) {
        let mut state = self.hub.lock();
        let slow = state.machines[self.node].disk_slow_ms;
        let delay = state.rng.random_range(1..8) + slow;
        let (node, sentry) = (self.node, self.life);
        state.after(delay, Event::Saved { node, sentry, durable: Box::new(durable) });
    }

    fn tell_server(&mut self, message: FromAgent) {
        self.hub.lock().tell_server(self.node, message);
    }

    fn follow(&mut self, _: &Assignment) {}

    fn nonce(&mut self) -> u64 {
        let mut state = self.hub.lock();
        let machine = &mut state.machines[self.node];
        machine.nonce += 1;
        machine.nonce
    }

    fn tell_peer(&mut self, _: &Assignment, to: &NodeId, body: PeerBody) {
        let mut state = self.hub.lock();
        let Some(to) = state.node_of(to) else { return };
        state.datagram(self.node, to, body);
    }
}

impl State {
    /// One datagram: it may be lost, doubled, overtaken.
    fn datagram(&mut self, from: usize, to: usize, body: PeerBody) {
        let (here, there) = (Host::Node(from), Host::Node(to));
        let copies = if self.net.is_doubled(&mut self.rng) { 2 } else { 1 };
        for _ in 0..copies {
            if !self.net.passes(here, there) || self.net.is_lost(&mut self.rng) {
                continue;
            }
            let delay = self.net.delay(&mut self.rng, here, there);
            let boot = self.machines[to].boot;
            let from = self.machines[from].id.clone();
            self.after(delay, Event::Datagram { to, boot, from, body });
        }
    }

    /// What was saved is on the disk, whoever still waits for it.
    pub fn saved(&mut self, node: usize, sentry: u64, durable: Durable) {
        let machine = &mut self.machines[node];
        if machine.sentry != sentry {
            return;
        }
        let result = if machine.disk_full {
            Err(io::Error::from(io::ErrorKind::StorageFull))
        } else {
            machine.durable = Some(durable.clone());
            Ok(durable)
        };
        machine.mail(SentryEvent::Saved(Box::new(result)));
    }
}

/// The kernel's packet filter.
pub struct SimFilter {
    hub: Hub,
    node: usize,
}

impl Filter for SimFilter {
    fn set_gate(&mut self, for_ms: u64) -> anyhow::Result<()> {
        let mut state = self.hub.lock();
        let until = if for_ms == 0 { 0 } else { state.clock(self.node) + for_ms };
        let was_open = state.machines[self.node].gate_is_open(state.now);
        state.machines[self.node].gate_until = until;
        let node = self.node;
        if was_open != (for_ms > 0) {
            let word = if for_ms > 0 { "opens" } else { "closes" };
            state.note(|s| format!("{}: the gate {word}", s.name(node)));
        }
        state.check_gates(node);
        Ok(())
    }

    fn set_read_gate(&mut self, _: u64) -> anyhow::Result<()> {
        Ok(())
    }

    fn set_hold(&mut self, _: u64) -> anyhow::Result<()> {
        Ok(())
    }

    fn set_members(&mut self, _: &[IpAddr]) -> anyhow::Result<()> {
        Ok(())
    }

    fn set_admission(&mut self, _: &Admission) -> anyhow::Result<()> {
        Ok(())
    }
}

/// The machine as its worker uses it.
pub struct SimPlace {
    hub: Hub,
    node: usize,
}

impl SimPlace {
    pub fn new(hub: Hub, node: usize) -> Self {
        Self { hub, node }
    }
}

impl Place for SimPlace {
    fn read_role(&mut self) -> io::Result<Role> {
        Ok(self.hub.lock().machines[self.node].role.clone())
    }

    fn write_role(&mut self, role: &Role) -> io::Result<()> {
        let mut state = self.hub.lock();
        let machine = &state.machines[self.node];
        if machine.disk_full {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        if machine.disk_hangs.is_some() {
            return Err(io::Error::from(io::ErrorKind::TimedOut));
        }
        state.check_role(self.node, role);
        state.machines[self.node].role = role.clone();
        Ok(())
    }

    fn certificate(&mut self) -> Option<CertificateReport> {
        None
    }

    fn figures(&mut self) -> HostFigures {
        // Every other disk has no room for two copies of the data.
        let size = if self.node % 2 == 1 { 10 } else { 100 };
        let (disk_used, disk_size) = (Some(8 << 30), Some(size << 30));
        HostFigures { disk_used, disk_size, ..HostFigures::default() }
    }

    fn clients(&mut self, _: &Assignment) -> Option<ClientsReport> {
        None
    }

    fn disk_beats(&mut self) -> u64 {
        let state = self.hub.lock();
        state.machines[self.node].disk_hangs.unwrap_or(state.now) / 1_000
    }
}

/// A worker's way to its sentry. Once something was sent, the sentry alone holds the other end.
pub struct SimLink {
    sentry: UnboundedSender<SentryEvent>,
    first: Option<mpsc::Sender<FromSentry>>,
    answer: mpsc::WeakSender<FromSentry>,
    answers: mpsc::Receiver<FromSentry>,
}

impl SimLink {
    pub fn open(hub: &Hub, node: usize) -> Option<Self> {
        let sentry = hub.lock().machines[node].sentry_mail.clone()?;
        let (answer, answers) = mpsc::channel(16);
        Some(Self { sentry, answer: answer.downgrade(), first: Some(answer), answers })
    }
}

impl Link for SimLink {
    async fn receive(&mut self) -> anyhow::Result<FromSentry> {
        self.answers.recv().await.ok_or_else(|| anyhow::anyhow!("it has ended"))
    }

    async fn send(&mut self, message: ToSentry) -> anyhow::Result<()> {
        let ended = || anyhow::anyhow!("it has ended");
        let answer = self.first.take().or_else(|| self.answer.upgrade()).ok_or_else(ended)?;
        let sent = self.sentry.send(SentryEvent::Local(FromLocal { message, answer }));
        sent.map_err(|_| ended())
    }
}
