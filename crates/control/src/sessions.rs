//! The server's side of the agents: how they join, and the session each keeps open.
//!
//! A session is who its client certificate says. It is sent the node's whole assignment whenever
//! that changes, and its reports are published for everybody who looks.

mod join;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Extension, State};
use axum::response::Response;
use axum::routing::{get, post};
use bellwether_model::restore::{ReplaceStage, Source};
use bellwether_model::{Backup, Cluster, Node, NodeId, RepositoryId, Target};
use bellwether_planner::assign::{self, Backups};
use bellwether_planner::databases;
use bellwether_protocol::assignment::{
    BackupAssignment, LogAssignment, LogStore, ReplaceAssignment, RestoreAssignment, RestoredLog,
    Secrets,
};
use bellwether_protocol::join as protocol;
use bellwether_protocol::repository::Access;
use bellwether_protocol::session::{self, MESSAGE_BYTES_MAX};
use bellwether_protocol::{Assignment, FromAgent, FromServer, Hello, Report};
use bellwether_store::live::Seen;
use bellwether_store::logs;
use bellwether_store::repositories;
use bellwether_store::secrets::{self, Secret};
use bellwether_store::settings::ServerSettings;
use bellwether_store::{Object, Stored};
use tokio::time::Instant;
use tracing::{debug, info, warn};

use crate::lineage;
use crate::shards;
use crate::world::World;

/// A session that sends nothing for so long is given up.
const SILENCE_MAX: Duration = Duration::from_secs(15);

/// The fingerprint of the key that the client of a TLS connection showed a certificate of, put into
/// each request of that connection by whoever accepts it.
#[derive(Clone, Debug)]
pub struct PeerFingerprint(pub String);

/// The agents' routes.
pub fn router(world: Arc<World>) -> axum::Router {
    axum::Router::new()
        .route(protocol::PATH, post(join::accept))
        .route(protocol::RENEW_PATH, post(join::accept_renewal))
        .route(session::PATH, get(accept_session))
        .layer(axum::extract::DefaultBodyLimit::max(16 * 1024))
        .with_state(world)
}

async fn accept_session(
    State(world): State<Arc<World>>,
    peer: Option<Extension<PeerFingerprint>>,
    upgrade: WebSocketUpgrade,
) -> Response {
    let node = match join::node_of(&world, peer) {
        Ok(node) => node,
        Err((status, code, detail)) => return join::refuse(status, code, &detail),
    };
    upgrade
        .max_message_size(MESSAGE_BYTES_MAX)
        .read_buffer_size(8 * 1024)
        .write_buffer_size(8 * 1024)
        .on_upgrade(move |socket| serve(world, node, socket))
}

/// The way to one agent.
pub trait Socket: Send {
    /// What the agent says next, or why it cannot be understood; none when it has gone.
    fn receive(&mut self) -> impl Future<Output = Option<Result<FromAgent, String>>> + Send;

    /// Whether it was taken.
    fn send(&mut self, message: &FromServer) -> impl Future<Output = bool> + Send;
}

impl Socket for WebSocket {
    async fn receive(&mut self) -> Option<Result<FromAgent, String>> {
        loop {
            match self.recv().await? {
                Ok(Message::Text(text)) => {
                    let read = serde_json::from_str(text.as_str());
                    return Some(read.map_err(|error| error.to_string()));
                }
                Ok(Message::Close(_)) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    async fn send(&mut self, message: &FromServer) -> bool {
        let text = serde_json::to_string(message).expect("plain data");
        WebSocket::send(self, Message::Text(text.into())).await.is_ok()
    }
}

/// Keeps the session with a node's agent until it ends.
pub async fn serve(world: Arc<World>, node: Node, socket: impl Socket) {
    Session::new(world, node).run(socket).await;
}

/// One agent's session.
struct Session {
    world: Arc<World>,
    node: NodeId,
    name: String,
    cluster: bellwether_model::ClusterId,
    /// The cluster that this one is a shard of.
    whole: Option<bellwether_model::ClusterId>,
    hello: Option<Hello>,
    since: Instant,
    sent: Option<Assignment>,
}

impl Session {
    fn new(world: Arc<World>, node: Node) -> Self {
        let (id, name, cluster) = (node.id, node.name, node.cluster);
        let stored = world.store.find::<Cluster>(cluster.as_str());
        let whole = stored.and_then(|stored| stored.object.shard).map(|shard| shard.of);
        let since = Instant::now();
        Self { world, node: id, name, cluster, whole, hello: None, since, sent: None }
    }

    async fn run(mut self, mut socket: impl Socket) {
        let mut changes = self.world.store.watch();
        let mut probes = self.world.listen_for_probes();
        loop {
            let silence = tokio::time::sleep(SILENCE_MAX);
            let go_on = tokio::select! {
                biased;
                message = socket.receive() => match message {
                    Some(message) => self.receive(&mut socket, message).await,
                    None => false,
                },
                change = changes.recv() => match change {
                    Ok(change) if !self.concerns(&change.kind, &change.key) => true,
                    Err(tokio::sync::broadcast::error::RecvError::Closed) => false,
                    _ => self.send_assignment(&mut socket).await,
                },
                probe = probes.recv() => match probe {
                    Ok(node) if node == self.node => {
                        socket.send(&FromServer::Probe).await
                    }
                    _ => true,
                },
                () = silence => false,
            };
            if !go_on {
                break;
            }
        }
        if let Some(hello) = &self.hello
            && self.is_latest(&hello.incarnation)
        {
            self.world.store.live().disconnected(&self.node);
            info!(node = %self.name, "its agent's session has ended");
        }
    }

    /// Whether no later session of this node has taken over.
    fn is_latest(&self, incarnation: &str) -> bool {
        let seen = self.world.store.live().get(&self.node);
        seen.is_none_or(|seen| seen.incarnation == incarnation)
    }

    fn concerns(&self, kind: &str, key: &str) -> bool {
        kind == ServerSettings::KIND
            || (kind == Cluster::KIND && (key == self.cluster.as_str() || self.is_whole(key)))
            || (kind == Node::KIND
                && (key == self.node.as_str()
                    || self
                        .world
                        .store
                        .find::<Node>(key)
                        .is_none_or(|node| self.is_of_whole(&node.object))))
    }

    fn is_whole(&self, key: &str) -> bool {
        self.whole.as_ref().is_some_and(|whole| whole.as_str() == key)
    }

    /// Whether a node is of this cluster, or of one that is part of the same.
    fn is_of_whole(&self, node: &Node) -> bool {
        let of = |cluster: &Cluster| cluster.shard.as_ref().map(|shard| shard.of.clone());
        let cluster = || self.world.store.find::<Cluster>(node.cluster.as_str());
        node.cluster == self.cluster
            || (self.whole.is_some()
                && cluster().is_some_and(|cluster| of(&cluster.object) == self.whole))
    }

    async fn receive<S: Socket>(
        &mut self,
        socket: &mut S,
        message: Result<FromAgent, String>,
    ) -> bool {
        match message {
            Ok(FromAgent::Hello(hello)) => self.greet(socket, *hello).await,
            Ok(FromAgent::Report(report)) => self.hear(socket, *report).await,
            Err(error) => {
                let reason = format!("a message that is not of this protocol: {error}");
                warn!(node = %self.name, "{reason}");
                socket.send(&FromServer::Refused { reason }).await;
                false
            }
        }
    }

    async fn greet<S: Socket>(&mut self, socket: &mut S, hello: Hello) -> bool {
        let reason = if hello.protocol != bellwether_protocol::VERSION {
            let ours = bellwether_protocol::VERSION;
            Some(format!("protocol {} is not known, this server speaks {ours}", hello.protocol))
        } else if hello.node != self.node || hello.cluster != self.cluster {
            Some("the agent's node is not the one its certificate was made for".to_owned())
        } else if let Err(failure) = lineage::learn(&self.world, &hello).await {
            Some(format!("what the agent knows cannot be saved: {failure}"))
        } else {
            None
        };
        if let Some(reason) = reason {
            warn!(node = %self.name, "its agent is refused: {reason}");
            socket.send(&FromServer::Refused { reason }).await;
            return false;
        }
        info!(node = %self.name, version = %hello.agent_version, "its agent is connected");
        self.hello = Some(hello);
        self.send_assignment(socket).await
    }

    async fn hear<S: Socket>(&mut self, socket: &mut S, report: Report) -> bool {
        let Some(hello) = &self.hello else {
            debug!(node = %self.name, "a report before the greeting");
            return false;
        };
        // It had spoken before it was found out that the store is an older copy.
        let is_unheard = self
            .world
            .store
            .find::<Cluster>(self.cluster.as_str())
            .is_some_and(|cluster| cluster.object.status.unheard.contains(&self.node));
        if is_unheard && let Err(failure) = lineage::learn(&self.world, hello).await {
            warn!(node = %self.name, "what its agent knows cannot be saved: {failure}");
        }
        if let Some(term) = report.lease_request {
            let world = &self.world;
            let (asked, is_open) = ((&self.node, term), report.gate.open);
            if world.leases.acknowledge(&world.store, &self.cluster, asked, is_open) {
                let ack = FromServer::LeaseAck { report: report.number, term };
                if !socket.send(&ack).await {
                    return false;
                }
            }
        }
        let seen = Seen {
            at: Instant::now(),
            since: self.since,
            connected: true,
            agent_version: hello.agent_version.clone(),
            incarnation: hello.incarnation.clone(),
            report: Some(Arc::new(report)),
        };
        self.world.store.live().publish(&self.node, seen);
        true
    }

    /// Sends the assignment if it differs from the one sent last.
    async fn send_assignment<S: Socket>(&mut self, socket: &mut S) -> bool {
        if self.hello.is_none() {
            return true;
        }
        let Some(assignment) = assignment(&self.world, &self.node) else {
            // The node is gone, and with it the right to speak.
            let reason = "the node was removed".to_owned();
            socket.send(&FromServer::Refused { reason }).await;
            return false;
        };
        let is_same = self
            .sent
            .as_ref()
            .is_some_and(|sent| Assignment { seq: assignment.seq, ..sent.clone() } == assignment);
        if is_same {
            return true;
        }
        self.sent = Some(assignment.clone());
        socket.send(&FromServer::Assignment(Box::new(assignment))).await
    }
}

/// The node's assignment as the store has it now.
#[must_use]
pub fn assignment(world: &World, node: &NodeId) -> Option<Assignment> {
    // The revision first: what is read afterwards is at least as new.
    let seq = world.store.revision();
    let node: Stored<Node> = world.store.find(node.as_str())?;
    let cluster: Stored<Cluster> = world.store.find(node.object.cluster.as_str())?;
    let nodes = bellwether_store::nodes::of_cluster(&world.store, &cluster.object.id);
    let nodes: Vec<Node> = nodes.into_iter().map(|node| node.object).collect();
    let engine = world.engine(&cluster.object.spec.engine)?;
    let secret = |name: &str| {
        let secret = Secret::open(&world.store, &cluster.object.id, name)?;
        String::from_utf8(secret).ok()
    };
    let peer_key = secret(secrets::PEER_KEY)?;
    let secrets = Secrets {
        user: engine.user.clone(),
        user_password: secret(secrets::USER_PASSWORD)?,
        database: engine.database.clone(),
        replication_password: secret(secrets::REPLICATION_PASSWORD)?,
        rewind_password: secret(secrets::REWIND_PASSWORD)?,
        probe_password: probe_password(&peer_key),
        peer_key,
    };
    let backups = ways(world, &cluster.object, &node.object);
    // What shall be restored and cannot be must not begin as an empty database.
    let is_lost = node.object.restore.is_some() && backups.restore.is_none();
    let mut node = node.object;
    if is_lost {
        node.target = Target::Stopped;
    }
    let whole = shards::whole(&world.store, &cluster.object);
    // The users of shards are those of the whole.
    let asked = whole.as_ref().map_or(&cluster.object, |(whole, _)| whole);
    let databases = databases::wanted(&asked.databases, &engine.user, |login| {
        secrets::login_password(&world.store, &asked.id, &engine.user, login)
    })?;
    let whole = whole.as_ref().map(|(cluster, others)| assign::Whole { cluster, others });
    let settings = ServerSettings::of(&world.store)?;
    Some(Assignment {
        certificates: settings.object.issue,
        ..assign::assignment(
            (&world.epoch, seq),
            &cluster.object,
            (&nodes, whole),
            &node,
            engine,
            (secrets, databases),
            backups,
        )
    })
}

/// What is ordered of the node, with the ways into repositories.
fn ways(world: &World, cluster: &Cluster, node: &Node) -> Backups {
    let access = |repository: &RepositoryId| {
        let access = repositories::access(&world.store, repository)?;
        Some(Access { answer_seconds: world.backup_timers.answer_seconds, ..access })
    };
    let backup = node.backup.clone().and_then(|order| {
        let access = access(&order.repository)?;
        Some(BackupAssignment { order, access, spec: cluster.spec.clone() })
    });
    let bring = |source: &Source| {
        let backup = world.store.find::<Backup>(source.backup.as_str())?.object;
        let is_trial = cluster.proof_of.is_some();
        let access = Access { is_trial, ..access(&backup.repository)? };
        let log = match source.at {
            None => None,
            Some(at) => {
                let pieces = logs::way(&world.store, &backup, at).inspect_err(|why| {
                    tracing::warn!("{} cannot be restored to {at}: {why}", backup.id);
                });
                Some(RestoredLog { at, pieces: pieces.ok()? })
            }
        };
        Some(RestoreAssignment { facts: backup.facts?, access, log })
    };
    let restore = node.restore.as_ref().and_then(bring);
    let replace = node.replace.as_ref().map(|order| {
        let is_brought = order.stage == ReplaceStage::Bring;
        let source = order.source.as_ref().filter(|_| is_brought);
        let restore = source.and_then(bring);
        // What is aside is no stand-in for a backup that is gone.
        let is_gone = source.is_some() && restore.is_none();
        let stage = if is_gone { ReplaceStage::Keep } else { order.stage };
        ReplaceAssignment { token: order.token.clone(), stage, restore }
    });
    let log = cluster.status.backup.log.as_ref().map(|log| LogAssignment {
        stretch: log.stretch.clone(),
        from: log.to,
        store: (cluster.status.primary.as_ref() == Some(&node.id))
            .then(|| access(&log.repository))
            .flatten()
            .map(|access| LogStore {
                access,
                every_seconds: world.backup_timers.log_every_seconds,
                rate_kib: cluster.spec.backup.as_ref().map_or(0, |wanted| wanted.rate_kib),
            }),
    });
    Backups { backup, log, restore, replace }
}

/// Follows from a secret that every cluster has, also one that is older than the prober.
fn probe_password(peer_key: &str) -> String {
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, peer_key.as_bytes());
    let tag = ring::hmac::sign(&key, b"the password of the prober");
    tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
