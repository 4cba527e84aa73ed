//! The sessions between agents and the server: dialled, broken, begun anew.

use bellwether_agent_core::sentry::hands::{Event as SentryEvent, FromSession};
use bellwether_control::sessions::Socket;
use bellwether_protocol::{FromAgent, FromServer};
use rand::Rng as _;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

use crate::hub::{Event, Hub, Owner, Payload, State};
use crate::net::Host;

/// A sender gives its connection up when so long nothing is acknowledged.
const UNANSWERED_MS: u64 = 4_000;

/// Dialling takes at most so long.
const DIAL_MS: u64 = 3_000;

/// One connection.
pub struct Session {
    pub node: usize,
    sentry: u64,
    pub server_life: u64,
    agent_open: bool,
    server_open: bool,
    up: u64,
    down: u64,
    mail: UnboundedSender<FromAgent>,
}

/// The server's end of a connection.
pub struct SimSocket {
    hub: Hub,
    session: u64,
    inbox: UnboundedReceiver<FromAgent>,
}

impl Socket for SimSocket {
    async fn receive(&mut self) -> Option<Result<FromAgent, String>> {
        self.inbox.recv().await.map(Ok)
    }

    async fn send(&mut self, message: &FromServer) -> bool {
        let mut state = self.hub.lock();
        let Some(session) = state.sessions.get(&self.session) else { return false };
        if !session.server_open {
            return false;
        }
        let down = session.down;
        state.send(down, Payload::ToAgent(message.clone()));
        true
    }
}

impl Drop for SimSocket {
    fn drop(&mut self) {
        // The server closes: the agent hears of it if the network lets it.
        let mut state = self.hub.lock();
        let Some(session) = state.sessions.get_mut(&self.session) else { return };
        session.server_open = false;
        let down = session.down;
        state.send(down, Payload::Hangup);
    }
}

impl State {
    pub fn tell_server(&mut self, node: usize, message: FromAgent) {
        let Some(id) = self.machines[node].session else { return };
        let Some(up) = self.sessions.get(&id).map(|session| session.up) else { return };
        if let FromAgent::Report(report) = &message {
            self.check.report(node, report);
            self.watch_promise(report.promised);
        }
        let here = Host::Node(node);
        self.send(up, Payload::ToServer(message));
        // Data or its acknowledgements do not come through.
        let is_stalled = !self.net.passes_both(here, Host::Server);
        let now = self.now;
        let Some((_, pipe)) = self.pipes.get_mut(&up) else { return };
        if !is_stalled {
            pipe.stalled_since = None;
        } else if now - *pipe.stalled_since.get_or_insert(now) > UNANSWERED_MS {
            self.break_session(id);
        }
    }

    /// The agent's end gives up.
    fn break_session(&mut self, id: u64) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        if !session.agent_open {
            return;
        }
        session.agent_open = false;
        let (node, sentry, up) = (session.node, session.sentry, session.up);
        self.send(up, Payload::Hangup);
        let machine = &mut self.machines[node];
        if machine.session == Some(id) {
            machine.session = None;
        }
        if machine.sentry == sentry {
            machine.mail(SentryEvent::Session(FromSession::Disconnected));
            self.dial_again(node);
        }
    }

    fn dial_again(&mut self, node: usize) {
        let machine = &mut self.machines[node];
        let (delay, sentry) = (machine.back_off, machine.sentry);
        machine.back_off = (machine.back_off * 2).min(2_000);
        self.after(delay, Event::Dial { node, sentry });
    }

    /// The agent's process is gone: its kernel says so, if it still can.
    pub fn drop_session(&mut self, node: usize, is_kernel_alive: bool) {
        let Some(id) = self.machines[node].session.take() else { return };
        let Some(session) = self.sessions.get_mut(&id) else { return };
        session.agent_open = false;
        let up = session.up;
        if is_kernel_alive {
            self.send(up, Payload::Hangup);
        }
    }

    pub fn dial(&mut self, node: usize, sentry: u64) {
        if self.machines[node].sentry != sentry || sentry == 0 {
            return;
        }
        let here = Host::Node(node);
        if self.net.passes_both(here, Host::Server) {
            let delay = 2
                + self.net.delay_ordered(&mut self.rng, here, Host::Server)
                + self.net.delay_ordered(&mut self.rng, Host::Server, here);
            self.after(delay.min(DIAL_MS), Event::Dialled { node, sentry });
        } else {
            let machine = &mut self.machines[node];
            let delay = DIAL_MS + machine.back_off;
            machine.back_off = (machine.back_off * 2).min(2_000);
            self.after(delay, Event::Dial { node, sentry });
        }
    }

    /// The greeting is complete, or has failed.
    pub fn dialled(&mut self, hub: &Hub, node: usize, sentry: u64) -> Option<SimSocket> {
        let machine = &self.machines[node];
        if machine.sentry != sentry || sentry == 0 || machine.session.is_some() {
            return None;
        }
        let here = Host::Node(node);
        let is_frozen = self.server_pause.is_on();
        if !self.server_up || is_frozen || !self.net.passes_both(here, Host::Server) {
            self.dial_again(node);
            return None;
        }
        let id = self.id();
        let (mail, inbox) = tokio::sync::mpsc::unbounded_channel();
        let up = self.open(Owner::SessionUp(id), here, Host::Server);
        let down = self.open(Owner::SessionDown(id), Host::Server, here);
        let server_life = self.server_life;
        let session = Session {
            node,
            sentry,
            server_life,
            agent_open: true,
            server_open: true,
            up,
            down,
            mail,
        };
        self.sessions.insert(id, session);
        let machine = &mut self.machines[node];
        machine.session = Some(id);
        machine.mail(SentryEvent::Session(FromSession::Connected));
        Some(SimSocket { hub: hub.clone(), session: id, inbox })
    }

    /// The server's process is gone.
    pub fn drop_sessions_of_server(&mut self) {
        let ids: Vec<u64> = self.sessions.keys().copied().collect();
        for id in ids {
            let Some(session) = self.sessions.get_mut(&id) else { continue };
            if session.server_open {
                session.server_open = false;
                let down = session.down;
                self.send(down, Payload::Hangup);
            }
        }
    }

    /// Something arrives over a session; whether it could be taken.
    pub fn arrive_session(&mut self, id: u64, payload: Payload) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        match payload {
            Payload::ToServer(message) => {
                if session.server_open && session.server_life == self.server_life {
                    let _ = session.mail.send(message);
                    let node = session.node;
                    self.heard(Host::Node(node), Host::Server);
                } else {
                    // The server's kernel knows no such connection.
                    let down = session.down;
                    self.send(down, Payload::Hangup);
                }
            }
            Payload::ToAgent(message) => {
                let node = session.node;
                if session.agent_open && self.machines[node].sentry == session.sentry {
                    let machine = &mut self.machines[node];
                    machine.back_off = 100;
                    let message = FromSession::Message(Box::new(message));
                    machine.mail(SentryEvent::Session(message));
                }
            }
            _ => {}
        }
    }

    /// The other end's closing arrives.
    pub fn hangup(&mut self, id: u64, at_server: bool) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        if at_server {
            session.server_open = false;
            // Its mailbox ends with the sender.
            let (mail, _) = tokio::sync::mpsc::unbounded_channel();
            session.mail = mail;
        } else {
            self.break_session(id);
        }
    }

    /// What is over at both ends is forgotten.
    pub fn sweep_sessions(&mut self) {
        let over: Vec<u64> = self
            .sessions
            .iter()
            .filter(|(_, session)| !session.agent_open && !session.server_open)
            .map(|(id, _)| *id)
            .collect();
        for id in over {
            if let Some(session) = self.sessions.remove(&id) {
                self.pipes.remove(&session.up);
                self.pipes.remove(&session.down);
            }
        }
    }

    /// The front of an ordered way arrives, or is tried again.
    pub fn pump(&mut self, id: u64) {
        let Some((owner, pipe)) = self.pipes.get_mut(&id) else { return };
        let (owner, from, to) = (*owner, pipe.from, pipe.to);
        let Some((ready, _)) = pipe.queue.front() else {
            pipe.is_pumping = false;
            return;
        };
        if *ready > self.now {
            let delay = *ready - self.now;
            return self.after(delay, Event::Pump(id));
        }
        let is_frozen = match (owner, to) {
            (Owner::StreamDown(_) | Owner::StreamUp(_), Host::Node(node)) => {
                !self.machines[node].acts() || self.machines[node].engine.hung
            }
            _ => false,
        };
        if !self.net.passes(from, to) || is_frozen {
            let delay = self.rng.random_range(100..400);
            return self.after(delay, Event::Pump(id));
        }
        let payload = pipe.queue.pop_front().map(|(_, payload)| payload);
        let next = pipe.queue.front().map(|(ready, _)| ready.saturating_sub(self.now));
        match next {
            Some(delay) => self.after(delay, Event::Pump(id)),
            None => pipe.is_pumping = false,
        }
        let Some(payload) = payload else { return };
        match (owner, payload) {
            (Owner::SessionUp(session), Payload::Hangup) => self.hangup(session, true),
            (Owner::SessionDown(session), Payload::Hangup) => self.hangup(session, false),
            (Owner::SessionUp(session) | Owner::SessionDown(session), payload) => {
                self.arrive_session(session, payload);
            }
            (Owner::StreamDown(stream) | Owner::StreamUp(stream), payload) => {
                self.arrive_stream(stream, payload);
            }
        }
    }
}
