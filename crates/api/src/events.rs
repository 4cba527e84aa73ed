//! What changes, pushed as server-sent events. Whoever watches begins with the lists and is then
//! told of every change; who was too slow is greeted again and looks at everything anew.

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::State as Extract;
use axum::response::sse::{Event as Message, KeepAlive, Sse};
use bellwether_model::event::Event;
use bellwether_model::problem::Problem;
use bellwether_model::{Cluster, ClusterId, Node, NodeId, Operation, OperationId};
use bellwether_planner::{cluster_view, node_view};
use bellwether_store::{Change, Object as _, views};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;

use crate::auth::Caller;
use crate::{Inner, State};

/// Nodes are told of at most so often, unless something of theirs was stored.
const NODES_EVERY: Duration = Duration::from_millis(500);

/// Changes of clusters and nodes (`text/event-stream`).
#[utoipa::path(get, path = "/v1/events", tag = "events", responses(
    (status = 200, body = Event, content_type = "text/event-stream"),
    (status = 401, body = Problem),
))]
pub(crate) async fn watch(
    Extract(api): State,
    _: Caller,
) -> Sse<impl Stream<Item = Result<Message, Infallible>>> {
    let (sender, receiver) = mpsc::channel(64);
    tokio::spawn(Watcher::new(api).run(sender));
    Sse::new(ReceiverStream::new(receiver))
        .keep_alive(KeepAlive::new().interval(Duration::from_secs(10)))
}

struct Watcher {
    api: Arc<Inner>,
    /// Nodes with news, and the clusters whose words may change with them.
    nodes: HashSet<NodeId>,
    clusters: HashSet<ClusterId>,
    /// What was told last, so that nothing is told twice.
    told: HashMap<String, String>,
}

type Sender = mpsc::Sender<Result<Message, Infallible>>;

impl Watcher {
    fn new(api: Arc<Inner>) -> Self {
        let (nodes, clusters, told) = Default::default();
        Self { api, nodes, clusters, told }
    }

    async fn run(mut self, sender: Sender) {
        let mut changes = self.api.store.watch();
        let mut reports = self.api.store.live().watch();
        if !self.greet(&sender).await {
            return;
        }
        let mut next = tokio::time::interval(NODES_EVERY);
        next.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut flushed = Instant::now();
        loop {
            let go_on = tokio::select! {
                () = sender.closed() => false,
                change = changes.recv() => match change {
                    Ok(change) => self.on_change(&sender, &change).await,
                    Err(RecvError::Lagged(_)) => self.greet(&sender).await,
                    Err(RecvError::Closed) => false,
                },
                report = reports.recv() => {
                    if let Ok(node) = report {
                        self.nodes.insert(node);
                    }
                    true
                }
                _ = next.tick() => {
                    // Silence changes words too.
                    if flushed.elapsed() > Duration::from_secs(2) {
                        self.nodes.extend(
                            self.api.store.list::<Node>().into_iter().map(|node| node.object.id),
                        );
                        flushed = Instant::now();
                    }
                    self.flush(&sender).await
                }
            };
            if !go_on {
                return;
            }
        }
    }

    async fn greet(&mut self, sender: &Sender) -> bool {
        self.told.clear();
        let hello = Event::Hello { version: self.api.version.clone() };
        send(sender, &hello).await
    }

    async fn on_change(&mut self, sender: &Sender, change: &Change) -> bool {
        if change.kind == Operation::KIND {
            if change.deleted {
                let id = OperationId::from(change.key.as_str());
                return send(sender, &Event::OperationGone { id }).await;
            }
            let Some(operation) = self.api.store.find::<Operation>(&change.key) else {
                return true;
            };
            self.clusters.insert(operation.object.cluster.clone());
            let operation = Box::new(operation.object);
            return send(sender, &Event::Operation { operation }).await;
        }
        if change.kind == Cluster::KIND {
            let id = ClusterId::from(change.key.as_str());
            if change.deleted {
                return send(sender, &Event::ClusterGone { id }).await;
            }
            self.clusters.insert(id);
        } else if change.kind == Node::KIND {
            let id = NodeId::from(change.key.as_str());
            if change.deleted {
                return send(sender, &Event::NodeGone { id, cluster: ClusterId::from("") }).await;
            }
            self.nodes.insert(id);
        } else {
            return true;
        }
        self.flush(sender).await
    }

    async fn flush(&mut self, sender: &Sender) -> bool {
        let mut events = Vec::new();
        for node in std::mem::take(&mut self.nodes) {
            let Some(node) = self.api.store.find::<Node>(node.as_str()) else { continue };
            let cluster = node.object.cluster;
            if let Some(view) = views::view(&self.api.store, &cluster)
                && let Some(node) = node_view(&view, &node.object.id)
            {
                events.push(Event::Node { node: Box::new(node) });
            }
            self.clusters.insert(cluster);
        }
        for cluster in std::mem::take(&mut self.clusters) {
            if let Some(view) = views::view(&self.api.store, &cluster) {
                events.push(Event::Cluster { cluster: Box::new(cluster_view(&view)) });
            }
        }
        for event in events {
            let key = match &event {
                Event::Node { node } => node.id.to_string(),
                Event::Cluster { cluster } => cluster.id.to_string(),
                _ => continue,
            };
            let text = serde_json::to_string(&event).expect("plain data");
            if self.told.get(&key) == Some(&text) {
                continue;
            }
            if !send(sender, &event).await {
                return false;
            }
            self.told.insert(key, text);
        }
        true
    }
}

async fn send(sender: &Sender, event: &Event) -> bool {
    let value = serde_json::to_value(event).expect("plain data");
    let kind = value["kind"].as_str().unwrap_or("message").to_owned();
    let message = Message::default().event(kind).data(value.to_string());
    sender.send(Ok(message)).await.is_ok()
}
