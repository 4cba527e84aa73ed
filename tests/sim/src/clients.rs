//! Clients that write and read through the gates and remember what they were told.

use rand::Rng as _;

use crate::engine::{Pending, Record};
use crate::hub::{Event, State};
use crate::net::Host;

/// A client gives up waiting after so long.
const PATIENCE_MS: u64 = 1_500;

pub struct Client {
    /// Beside which node it is, if any: cut off with it.
    pub beside: Option<usize>,
    /// Where it was served last.
    pub favourite: Option<usize>,
    /// The request that is under way.
    pub request: u64,
    pub pause_ms: u64,
    pub is_stopped: bool,
}

impl Client {
    pub fn host(&self) -> Host {
        self.beside.map_or(Host::Outside, Host::Node)
    }
}

impl State {
    /// The client asks again.
    pub fn go(&mut self, client: usize) {
        let request = self.id();
        let known = self.machines.len();
        let known_up: Vec<usize> = (0..known).filter(|n| !self.machines[*n].deleted).collect();
        let this = &mut self.clients[client];
        this.request = request;
        if this.is_stopped || known_up.is_empty() {
            return self.after(1_000, Event::Go { client });
        }
        let node = match this.favourite {
            Some(node) if known_up.contains(&node) && self.rng.random_bool(0.97) => node,
            _ => known_up[self.rng.random_range(0..known_up.len())],
        };
        let host = self.clients[client].host();
        let there = Host::Node(node);
        let delay = self.net.delay_ordered(&mut self.rng, host, there);
        if self.net.passes(host, there) {
            let is_read = self.rng.random_bool(0.1);
            let event = if is_read {
                Event::Read { client, request, node }
            } else {
                Event::Write { client, request, node }
            };
            self.after(delay, event);
        }
        self.after(PATIENCE_MS, Event::GiveUp { client, request });
    }

    pub fn give_up(&mut self, client: usize, request: u64) {
        let this = &mut self.clients[client];
        if this.request == request {
            this.favourite = None;
            self.go(client);
        }
    }

    /// Refused at once, as far as the network carries the refusal.
    fn refuse(&mut self, client: usize, request: u64) {
        if self.clients[client].request == request {
            self.clients[client].request = 0;
            self.clients[client].favourite = None;
            self.after(60, Event::Go { client });
        }
    }

    fn is_served(&self, node: usize) -> bool {
        let machine = &self.machines[node];
        machine.gate_is_open(self.now)
            && machine.acts()
            && machine.engine.is_primary()
            && !machine.engine.stopping
    }

    pub fn write(&mut self, client: usize, request: u64, node: usize) {
        if !self.is_served(node) {
            return self.refuse(client, request);
        }
        let bytes = self.rng.random_range(50..500);
        let index = self.append(node, bytes);
        let engine = &mut self.machines[node].engine;
        engine.pending.push(Pending { index, client, request });
        self.flush_later(node);
    }

    /// Appends a record to a node's log; its place.
    pub fn append(&mut self, node: usize, bytes: u64) -> usize {
        let uid = self.check.new_record();
        let Some(data) = &mut self.machines[node].engine.data else { return 0 };
        let timeline = data.history.last().map_or(1, |(timeline, _)| *timeline);
        let end = data.end() + bytes;
        data.log.push(Record { uid, end, timeline });
        data.log.len() - 1
    }

    pub fn read(&mut self, client: usize, request: u64, node: usize) {
        if !self.is_served(node) {
            return self.refuse(client, request);
        }
        if self.net.passes(Host::Node(node), self.clients[client].host()) {
            self.observe(node);
        }
        self.after(0, Event::Answer { client, request, node, uid: None });
    }

    /// A commit is confirmed; the client hears of it if the gate and the network let it.
    pub fn acknowledge(&mut self, node: usize, pending: Pending, record: Record, acks: usize) {
        self.check.committed(record, acks);
        let (client, request) = (pending.client, pending.request);
        if !self.machines[node].gate_is_open(self.now) {
            return;
        }
        let (here, there) = (Host::Node(node), self.clients[client].host());
        let delay = self.net.delay_ordered(&mut self.rng, here, there);
        self.after(delay, Event::Answer { client, request, node, uid: Some(record.uid) });
    }

    pub fn answer(&mut self, client: usize, request: u64, node: usize, uid: Option<u64>) {
        let (here, there) = (Host::Node(node), self.clients[client].host());
        if !self.net.passes(here, there) || self.clients[client].request != request {
            return;
        }
        let pause = self.clients[client].pause_ms;
        self.clients[client].favourite = Some(node);
        self.clients[client].request = 0;
        if let Some(uid) = uid {
            self.acknowledged(node, uid);
        }
        let pause = self.rng.random_range(pause / 2..=pause);
        self.after(pause, Event::Go { client });
    }
}
