//! The sentry's hands on a real machine.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use bellwether_model::NodeId;
use bellwether_protocol::join::AgentConfig;
use bellwether_protocol::peer::PeerBody;
use bellwether_protocol::{Assignment, FromAgent};
use tokio::sync::{mpsc, watch};

use super::core::Durable;
use super::hands::{Event, FromLocal, FromSession, Hands, Wanted};
use super::peers::Peers;
use super::{local, session};
use crate::clock::now_ms;
use crate::files;
use crate::firewall::Firewall;
use crate::join::{Identity, renew};
use crate::paths::Paths;

pub(super) struct Host {
    peers: Peers,
    outgoing: mpsc::Sender<FromAgent>,
    incoming: mpsc::Receiver<FromSession>,
    locals: mpsc::Receiver<FromLocal>,
    state: PathBuf,
    /// The issue of certificates that the node shall have.
    certificates: watch::Sender<Option<u64>>,
    saved: (mpsc::Sender<std::io::Result<Durable>>, mpsc::Receiver<std::io::Result<Durable>>),
}

impl Host {
    /// Listens to the local processes and begins the session with the server.
    pub(super) fn start(
        paths: &Paths,
        identity: &Identity,
        config: AgentConfig,
    ) -> anyhow::Result<Self> {
        let listener = local::listen(&paths.socket).context("listen for worker and endpoint")?;
        let (local_sender, locals) = mpsc::channel(64);
        tokio::spawn(local::accept(listener, local_sender));
        let (outgoing, to_session) = mpsc::channel(16);
        let (from_session, incoming) = mpsc::channel(64);
        let (renewed, who) = watch::channel(identity.clone());
        let (directory, servers) = (paths.identity.clone(), config.servers.clone());
        let (certificates, wanted) = watch::channel(None);
        tokio::spawn(async move { renew::keep(&directory, &servers, renewed, wanted).await });
        tokio::spawn(session::keep(config.servers, who, to_session, from_session));
        Ok(Self {
            peers: Peers::new(identity.cluster.clone(), identity.node.clone()),
            outgoing,
            incoming,
            locals,
            state: paths.sentry_state.clone(),
            certificates,
            saved: mpsc::channel(1),
        })
    }
}

impl Hands for Host {
    type Filter = Firewall;

    fn now(&self) -> u64 {
        now_ms()
    }

    async fn next(&mut self, sleep_ms: u64) -> anyhow::Result<Event> {
        Ok(tokio::select! {
            biased;
            message = self.incoming.recv() => {
                Event::Session(message.context("the session's task has ended")?)
            }
            (from, body) = self.peers.receive() => Event::Peer(from, body),
            Some(result) = self.saved.1.recv() => Event::Saved(Box::new(result)),
            local = self.locals.recv() => {
                Event::Local(local.context("the local socket's task has ended")?)
            }
            () = tokio::time::sleep(Duration::from_millis(sleep_ms)) => Event::Time,
        })
    }

    async fn build_filter(&mut self, wanted: &Wanted) -> anyhow::Result<Firewall> {
        Firewall::build(wanted).await
    }

    /// On a thread of its own.
    fn save(&mut self, durable: Durable) {
        let (sender, path) = (self.saved.0.clone(), self.state.clone());
        tokio::task::spawn_blocking(move || {
            let result = files::write_json(&path, &durable).map(|()| durable);
            let _ = sender.blocking_send(result);
        });
    }

    fn tell_server(&mut self, message: FromAgent) {
        // A session that does not keep up drops reports; the next holds everything.
        let _ = self.outgoing.try_send(message);
    }

    fn follow(&mut self, assignment: &Assignment) {
        self.peers.assign(assignment);
        let wanted = Some(assignment.certificates);
        self.certificates.send_if_modified(|known| std::mem::replace(known, wanted) != wanted);
    }

    fn nonce(&mut self) -> u64 {
        self.peers.nonce()
    }

    fn tell_peer(&mut self, assignment: &Assignment, to: &NodeId, body: PeerBody) {
        self.peers.send(assignment, to, body);
    }
}
