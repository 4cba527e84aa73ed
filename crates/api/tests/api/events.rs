//! What is pushed to whoever watches.

use std::time::Duration;

use axum::body::BodyDataStream;
use bellwether_model::ClusterView;
use bellwether_model::event::Event;
use bellwether_store::Txn;
use bellwether_store::tokens::{Token, TokenKind, hash};
use futures_util::StreamExt as _;
use serde_json::{Value, json};

use crate::clusters::spec;
use crate::world::{TOKEN, World};

/// Longer than any of this takes.
const PATIENCE: Duration = Duration::from_secs(10);

struct Watch<'a> {
    world: &'a World,
    body: BodyDataStream,
    text: String,
}

impl World {
    async fn watch(&self, secret: &str) -> Watch<'_> {
        let response = self.get("/v1/events").bearer(secret).begin().await;
        assert_eq!(response.status().as_u16(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-cache");
        let body = response.into_body().into_data_stream();
        Watch { world: self, body, text: String::new() }
    }
}

impl Watch<'_> {
    /// The next event; none when the watching has ended.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some((message, rest)) = self.text.split_once("\n\n") {
                let (message, rest) = (message.to_owned(), rest.to_owned());
                self.text = rest;
                if let Some(event) = self.read(&message) {
                    return Some(event);
                }
                continue;
            }
            let piece = tokio::time::timeout(PATIENCE, self.body.next()).await.expect("in time")?;
            self.text.push_str(std::str::from_utf8(&piece.expect("a piece")).expect("text"));
        }
    }

    /// Reads a message; comments that keep the connection alive are none.
    fn read(&self, message: &str) -> Option<Event> {
        let field = |name: &str| message.lines().find_map(|line| line.strip_prefix(name));
        let data = field("data: ")?;
        let value: Value = serde_json::from_str(data).expect("JSON");
        assert_eq!(field("event: "), value["kind"].as_str(), "{message}");
        let schema = json!({"$ref": "#/components/schemas/Event"});
        self.world.document.fit(&schema, &value, "event").unwrap_or_else(|e| panic!("{e}: {data}"));
        Some(serde_json::from_value(value).expect("an event"))
    }

    /// The next event that is wanted.
    async fn until(&mut self, is_wanted: impl Fn(&Event) -> bool) -> Event {
        let mut others = Vec::new();
        let wait = async {
            loop {
                let event = self.next().await.expect("the watching goes on");
                if is_wanted(&event) {
                    return event;
                }
                others.push(event);
            }
        };
        let event = tokio::time::timeout(PATIENCE, wait).await;
        event.unwrap_or_else(|_| panic!("it did not come; these did: {others:#?}"))
    }

    /// Waits for the end.
    async fn end(mut self) {
        let wait = async { while self.next().await.is_some() {} };
        tokio::time::timeout(PATIENCE, wait).await.expect("it ends");
    }
}

#[tokio::test]
async fn a_watcher_is_greeted_and_told_of_changes() {
    let world = World::new().await;
    let mut watch = world.watch(TOKEN).await;
    let first = watch.next().await.expect("a greeting");
    assert_eq!(first, Event::Hello { version: "0.0.0-test".to_owned() });
    let made = world.post("/v1/clusters", spec("demo")).expect(201).await;
    let cluster: Box<ClusterView> = serde_json::from_str(&made.text).expect("a cluster");
    watch.until(|event| *event == Event::Cluster { cluster: cluster.clone() }).await;
    let is_its = |event: &Event| match event {
        Event::Operation { operation } => operation.id.as_str() == made.at("/operation"),
        _ => false,
    };
    watch.until(is_its).await;

    let cluster = world.healthy_cluster("running", 2).await;
    watch.until(|event| matches!(event, Event::Node { node } if node.name == "running-2")).await;
    let nodes = bellwether_store::nodes::of_cluster(&world.store, &cluster.id);
    let txn = Txn::new().delete::<bellwether_model::Node>(nodes[1].object.id.as_str(), None);
    world.store.commit(txn).await.expect("deleted");
    let id = nodes[1].object.id.clone();
    let gone = Event::NodeGone { id, cluster: cluster.id.clone() };
    watch.until(|event| *event == gone).await;
    let txn = Txn::new().delete::<bellwether_model::Cluster>(cluster.id.as_str(), None);
    world.store.commit(txn).await.expect("deleted");
    let gone = Event::ClusterGone { id: cluster.id };
    watch.until(|event| *event == gone).await;
}

#[tokio::test]
async fn watching_ends_with_the_token() {
    let world = World::new().await;
    let made = world.post("/v1/tokens", json!({"name": "watcher"})).expect(201).await;
    let mut watch = world.watch(made.at("/secret")).await;
    let mut other = world.watch(TOKEN).await;
    watch.next().await.expect("a greeting");
    other.next().await.expect("a greeting");
    world.call("DELETE", format!("/v1/tokens/{}", made.at("/token/id"))).expect(204).await;
    let begun = std::time::Instant::now();
    watch.end().await;
    assert!(begun.elapsed() < Duration::from_secs(1), "it ends at once");
    world.post("/v1/clusters", spec("demo")).expect(201).await;
    other.until(|event| matches!(event, Event::Cluster { .. })).await;
}

#[tokio::test]
async fn watching_ends_with_the_session_that_signs_out_or_expires() {
    let world = World::new().await;
    for secret in ["first", "second"] {
        world.token(&world.admin.id, secret, TokenKind::Session, None).await;
    }
    let mut watch = world.watch("first").await;
    watch.next().await.expect("a greeting");
    world.call("DELETE", "/v1/sessions/current").bearer("first").expect(204).await;
    watch.end().await;

    let mut watch = world.watch("second").await;
    watch.next().await.expect("a greeting");
    let mut token: bellwether_store::Stored<Token> =
        world.store.get(&hash("second")).expect("a session");
    token.object.expires_at = Some(bellwether_model::Timestamp::from_millis(1));
    world.store.commit(Txn::new().update(&token)).await.expect("saved");
    watch.end().await;
}

#[tokio::test]
async fn nobody_watches_without_a_token() {
    let world = World::new().await;
    world.get("/v1/events").anonymous().refused(401, "unauthenticated").await;
    world.get("/v1/events").bearer("wrong").refused(401, "unauthenticated").await;
    world.token(&world.admin.id, "s", TokenKind::Session, None).await;
    let call = world.get("/v1/events").anonymous().header("cookie", "bellwether_session=s");
    assert_eq!(call.begin().await.status().as_u16(), 200);
}
