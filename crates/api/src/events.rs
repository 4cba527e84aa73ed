//! What changes, pushed as server-sent events. Whoever watches begins with the lists and is then
//! told of every change; who was too slow is greeted again and looks at everything anew.

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::State as Extract;
use axum::response::IntoResponse;
use axum::response::sse::{Event as Message, KeepAlive, Sse};
use bellwether_model::access::Access;
use bellwether_model::event::Event;
use bellwether_model::problem::Problem;
use bellwether_model::{Cluster, ClusterId, Node, NodeId, Operation, OperationId};
use bellwether_planner::{cluster_view, node_view};
use bellwether_store::tokens::Token;
use bellwether_store::{Change, Object as _, views};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;
use tokio_stream::wrappers::ReceiverStream;

use crate::access;
use crate::auth::{Caller, access_of};
use crate::extract::{Nothing, Query};
use crate::{Inner, State};

/// One node is told of at most so often.
const NODE_EVERY: Duration = Duration::from_millis(500);

/// What waits is looked through so often.
const FLUSH_EVERY: Duration = Duration::from_millis(100);

/// Everything is looked at so often: silence changes words too, and sessions end.
const SWEEP_EVERY: Duration = Duration::from_secs(2);

/// Changes of clusters, nodes and operations (`text/event-stream`).
#[utoipa::path(get, path = "/v1/events", tag = "events", operation_id = "watch_events", responses(
    (status = 200, body = Event, content_type = "text/event-stream"),
    (status = 400, body = Problem), (status = 401, body = Problem),
))]
pub(crate) async fn watch(
    Extract(api): State,
    caller: Caller,
    _: Query<Nothing>,
) -> impl IntoResponse {
    let (sender, receiver) = mpsc::channel(64);
    let watcher = Watcher::new(api, caller.token.secret_hash, caller.access, sender);
    tokio::spawn(watcher.run());
    let stream = Sse::new(ReceiverStream::new(receiver))
        .keep_alive(KeepAlive::new().interval(Duration::from_secs(10)));
    // Proxies that collect answers would make news old.
    ([("x-accel-buffering", "no")], stream)
}

struct Watcher {
    api: Arc<Inner>,
    /// The hash of the token that watches: with it ends the watching.
    token: String,
    /// What its user sees now.
    access: Access,
    sender: mpsc::Sender<Result<Message, Infallible>>,
    /// Nodes with news, and clusters whose words may have changed.
    nodes: HashSet<NodeId>,
    clusters: HashSet<ClusterId>,
    /// The cluster of every node: asked when a node is gone.
    homes: HashMap<NodeId, ClusterId>,
    /// What was told last of each thing, so that nothing is told twice.
    told: HashMap<String, String>,
    told_at: HashMap<NodeId, Instant>,
}

impl Watcher {
    fn new(
        api: Arc<Inner>,
        token: String,
        access: Access,
        sender: mpsc::Sender<Result<Message, Infallible>>,
    ) -> Self {
        Self {
            api,
            token,
            access,
            sender,
            nodes: HashSet::new(),
            clusters: HashSet::new(),
            homes: HashMap::new(),
            told: HashMap::new(),
            told_at: HashMap::new(),
        }
    }

    async fn run(mut self) {
        let mut changes = self.api.store.watch();
        let mut reports = self.api.store.live().watch();
        let mut flush = tokio::time::interval(FLUSH_EVERY);
        flush.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut sweep = tokio::time::interval(SWEEP_EVERY);
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let sender = self.sender.clone();
        let mut goes_on = self.greet().await;
        while goes_on {
            goes_on = tokio::select! {
                () = sender.closed() => false,
                change = changes.recv() => match change {
                    Ok(change) => self.on_change(&change).await,
                    Err(RecvError::Lagged(_)) => self.greet().await,
                    Err(RecvError::Closed) => false,
                },
                // Who lags behind the reports is told of the newest at the next sweep.
                report = reports.recv() => {
                    self.nodes.extend(report.ok());
                    true
                }
                _ = flush.tick() => self.flush().await,
                _ = sweep.tick() => self.sweep(),
            };
        }
    }

    async fn greet(&mut self) -> bool {
        self.told.clear();
        self.told_at.clear();
        self.sweep();
        self.send(&Event::Hello { version: self.api.version.clone() }).await
    }

    fn sweep(&mut self) -> bool {
        let nodes = self.api.store.list::<Node>();
        self.homes = nodes.into_iter().map(|n| (n.object.id, n.object.cluster)).collect();
        self.nodes.extend(self.homes.keys().cloned());
        let access = access_of(&self.api, &self.token);
        let goes_on = access.is_some();
        self.access = access.unwrap_or_default();
        goes_on
    }

    fn sees(&self, project: &str) -> bool {
        self.access.role_in(project).is_some()
    }

    async fn on_change(&mut self, change: &Change) -> bool {
        let key = change.key.as_str();
        match (change.kind.as_str(), change.deleted) {
            (Operation::KIND, false) => {
                let Some(operation) = self.api.store.find::<Operation>(key) else { return true };
                if !self.sees(&access::project_of(&self.api, &operation.object)) {
                    return true;
                }
                self.clusters.insert(operation.object.cluster.clone());
                let operation = Box::new(operation.object);
                self.tell(key, Event::Operation { operation }).await
            }
            (Operation::KIND, true) => {
                let id = OperationId::from(key);
                self.tell_gone(key, Event::OperationGone { id }).await
            }
            (Cluster::KIND, false) => {
                self.clusters.insert(ClusterId::from(key));
                self.flush().await
            }
            (Cluster::KIND, true) => {
                let id = ClusterId::from(key);
                self.tell_gone(key, Event::ClusterGone { id }).await
            }
            (Node::KIND, false) => {
                let id = NodeId::from(key);
                if let Some(node) = self.api.store.find::<Node>(key) {
                    self.homes.insert(id.clone(), node.object.cluster);
                }
                self.nodes.insert(id);
                self.flush().await
            }
            (Node::KIND, true) => {
                let id = NodeId::from(key);
                self.told_at.remove(&id);
                let cluster = self.homes.remove(&id).unwrap_or_else(|| ClusterId::from(""));
                self.clusters.insert(cluster.clone());
                self.tell_gone(key, Event::NodeGone { id, cluster }).await
            }
            // Who signed out is told nothing more.
            (Token::KIND, true) => key != self.token,
            _ => true,
        }
    }

    /// Tells of what waits, but for the nodes that were told of a moment ago.
    async fn flush(&mut self) -> bool {
        let now = Instant::now();
        let is_due = |at: Option<&Instant>| at.is_none_or(|at| now - *at >= NODE_EVERY);
        let due: Vec<NodeId> =
            self.nodes.iter().filter(|node| is_due(self.told_at.get(*node))).cloned().collect();
        let mut work: HashMap<ClusterId, Vec<NodeId>> = HashMap::new();
        for node in due {
            self.nodes.remove(&node);
            if let Some(cluster) = self.homes.get(&node) {
                work.entry(cluster.clone()).or_default().push(node);
            }
        }
        for cluster in self.clusters.drain() {
            work.entry(cluster).or_default();
        }
        let parts: Vec<ClusterId> = work.keys().filter_map(|id| self.whole_of(id)).collect();
        for whole in parts {
            work.entry(whole).or_default();
        }
        for (cluster, nodes) in work {
            let view = views::view(&self.api.store, &cluster);
            // Scratch nodes are nobody's cluster.
            let view = view.filter(|view| view.cluster.proof_of.is_none());
            let Some(view) = view else { continue };
            if !self.sees(&view.cluster.spec.project) {
                continue;
            }
            for id in nodes {
                let Some(node) = node_view(&view, &id) else { continue };
                let node = Box::new(node);
                if !self.tell(id.as_str(), Event::Node { node }).await {
                    return false;
                }
                self.told_at.insert(id, now);
            }
            let event = Event::Cluster { cluster: Box::new(cluster_view(&view)) };
            if !self.tell(cluster.as_str(), event).await {
                return false;
            }
        }
        true
    }

    /// The cluster that this one is a shard of.
    fn whole_of(&self, id: &ClusterId) -> Option<ClusterId> {
        let cluster = self.api.store.find::<Cluster>(id.as_str())?;
        cluster.object.shard.map(|shard| shard.of)
    }

    /// Sends it, unless the same was sent last. Whether somebody still listens.
    async fn tell(&mut self, key: &str, event: Event) -> bool {
        let text = serde_json::to_string(&event).expect("plain data");
        if self.told.get(key) == Some(&text) {
            return true;
        }
        let goes_on = self.send(&event).await;
        self.told.insert(key.to_owned(), text);
        goes_on
    }

    async fn tell_gone(&mut self, key: &str, event: Event) -> bool {
        // Who was never told of it is not told that it is gone.
        if self.told.remove(key).is_none() && self.access.everywhere.is_none() {
            return true;
        }
        self.send(&event).await
    }

    async fn send(&self, event: &Event) -> bool {
        let value = serde_json::to_value(event).expect("plain data");
        let kind = value["kind"].as_str().unwrap_or("message").to_owned();
        let message = Message::default().event(kind).data(value.to_string());
        self.sender.send(Ok(message)).await.is_ok()
    }
}
