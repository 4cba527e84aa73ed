//! The REST API as a test needs it.

use std::time::Duration;

use anyhow::{Context as _, bail};
use bellwether_model::connection::Connection;
use bellwether_model::engine::EngineProfile;
use bellwether_model::event::Page;
use bellwether_model::operation::Allowed;
use bellwether_model::plan::Plan;
use bellwether_model::user::Session;
use bellwether_model::{
    Bytes, ClusterPhase, ClusterView, NodeView, Operation, OperationKind, OperationStatus,
};
use reqwest::RequestBuilder;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::wait::until;

/// A signed-in client.
#[derive(Clone)]
pub struct Api {
    http: reqwest::Client,
    url: String,
    token: String,
}

impl Api {
    /// Signs in.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn sign_in(url: &str, user: &str, password: &str) -> anyhow::Result<Self> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().timeout(Duration::from_secs(30)).build()?;
        let mut api = Self { http, url: url.to_owned(), token: String::new() };
        let body = json!({ "user": user, "password": password });
        let session: Session = api.post("/v1/sessions", &body).await?;
        api.token = session.token;
        Ok(api)
    }

    /// Sends a request; status and body.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub async fn send(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<(u16, Value)> {
        let mut request = self.request(method, path)?;
        if let Some(body) = body {
            request = request.json(body);
        }
        answer(request).await
    }

    /// A request that says who asks.
    fn request(&self, method: &str, path: &str) -> anyhow::Result<RequestBuilder> {
        let method = reqwest::Method::from_bytes(method.as_bytes())?;
        let request = self.http.request(method, format!("{}{path}", self.url));
        Ok(if self.token.is_empty() { request } else { request.bearer_auth(&self.token) })
    }

    async fn expect<T: DeserializeOwned>(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<T> {
        let (status, value) = self.send(method, path, body).await?;
        if status >= 300 {
            bail!("{method} {path}: {status}: {value}");
        }
        serde_json::from_value(value).with_context(|| format!("{method} {path}"))
    }

    /// # Errors
    /// When the server refuses.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        self.expect("GET", path, None).await
    }

    /// # Errors
    /// When the server refuses.
    pub async fn post<T: DeserializeOwned>(&self, path: &str, body: &Value) -> anyhow::Result<T> {
        self.expect("POST", path, Some(body)).await
    }

    /// # Errors
    /// When the server refuses.
    pub async fn cluster(&self, name: &str) -> anyhow::Result<ClusterView> {
        self.get(&format!("/v1/clusters/{name}")).await
    }

    /// # Errors
    /// When the server refuses.
    pub async fn nodes(&self, cluster: &str) -> anyhow::Result<Vec<NodeView>> {
        let page: Page<NodeView> = self.get(&format!("/v1/clusters/{cluster}/nodes")).await?;
        Ok(page.items)
    }

    /// The operations of a cluster, the newest first.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn operations(&self, cluster: &str) -> anyhow::Result<Vec<Operation>> {
        let page: Page<Operation> =
            self.get(&format!("/v1/operations?cluster={cluster}&limit=100")).await?;
        Ok(page.items)
    }

    /// # Errors
    /// When the server refuses.
    pub async fn connection(&self, cluster: &str) -> anyhow::Result<Connection> {
        self.get(&format!("/v1/clusters/{cluster}/connection?reveal=true")).await
    }

    /// Asks for a cluster of one core and 512 MiB a node, and waits until it is healthy.
    ///
    /// # Errors
    /// When it is refused or fails.
    pub async fn create(
        &self,
        name: &str,
        nodes: u32,
        replication: &str,
    ) -> anyhow::Result<ClusterView> {
        self.create_of("postgresql", name, nodes, replication).await
    }

    /// The same of that engine, in its first version.
    ///
    /// # Errors
    /// When it is refused or fails.
    pub async fn create_of(
        &self,
        engine: &str,
        name: &str,
        nodes: u32,
        replication: &str,
    ) -> anyhow::Result<ClusterView> {
        let profile: EngineProfile = self.get(&format!("/v1/engines/{engine}")).await?;
        let memory = Bytes(profile.memory_min.max(512 << 20));
        let spec = json!({
            "name": name, "engine": engine, "version": profile.versions[0], "provider": "docker",
            "nodes": nodes, "replication": replication,
            "size": { "cpus": 1, "memory": memory, "disk": "2GiB" },
            "allowlist": [{ "address": "server" }],
        });
        let cluster: ClusterView = self.post("/v1/clusters", &spec).await?;
        let operation = cluster.operation.context("creating is an operation")?;
        self.finish(operation.as_str(), Duration::from_secs(240)).await?;
        self.healthy(name, Duration::from_secs(30)).await
    }

    /// Waits until the cluster is healthy.
    ///
    /// # Errors
    /// When it is not in time.
    pub async fn healthy(&self, name: &str, limit: Duration) -> anyhow::Result<ClusterView> {
        until("the cluster is healthy", limit, || async {
            let cluster = self.cluster(name).await?;
            let is_whole = cluster.nodes_healthy >= cluster.spec.nodes;
            if cluster.phase != ClusterPhase::Healthy || !is_whole || cluster.operation.is_some() {
                bail!("{:?}: {}", cluster.phase, cluster.sentence);
            }
            Ok(cluster)
        })
        .await
    }

    /// Waits until the cluster is healthy and a replica of it may be promoted: that one. A former
    /// primary follows a moment before it has its vote back.
    ///
    /// # Errors
    /// When none may be in time.
    pub async fn promotable(&self, name: &str, limit: Duration) -> anyhow::Result<NodeView> {
        let cluster = self.healthy(name, limit).await?;
        until("a replica may be promoted", limit, || async {
            let nodes = self.nodes(name).await?;
            let replicas = nodes.into_iter().filter(|n| Some(&n.id) != cluster.primary.as_ref());
            let mut reasons = String::new();
            for node in replicas {
                let asked = |allowed: &&Allowed| allowed.kind == OperationKind::Switchover;
                match node.operations.iter().find(asked) {
                    Some(found) if found.allowed => return Ok(node),
                    found => reasons += &format!("{}: {found:?}; ", node.name),
                }
            }
            bail!("{reasons}")
        })
        .await
    }

    /// Asks for an operation.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn operate(
        &self,
        cluster: &str,
        kind: &str,
        node: Option<&str>,
    ) -> anyhow::Result<Operation> {
        let mut body = json!({ "kind": kind });
        if let Some(node) = node {
            body["node"] = json!(node);
        }
        self.post(&format!("/v1/clusters/{cluster}/operations"), &body).await
    }

    /// Waits until an operation has succeeded.
    ///
    /// # Errors
    /// When it ends otherwise, or not in time.
    pub async fn finish(&self, operation: &str, limit: Duration) -> anyhow::Result<Operation> {
        let path = format!("/v1/operations/{operation}");
        let ended = until("the operation ends", limit, || async {
            let operation: Operation = self.get(&path).await?;
            if !operation.status.is_ended() {
                let step = operation.step_at().map(|index| &operation.steps[index]);
                bail!("{} is at {step:?}", operation.kind);
            }
            Ok(operation)
        })
        .await?;
        if ended.status != OperationStatus::Succeeded {
            bail!("{} {:?}: {}", ended.kind, ended.status, ended.message);
        }
        Ok(ended)
    }

    /// Deletes a cluster and waits until it is gone.
    ///
    /// # Errors
    /// When it is refused or not gone in time.
    pub async fn delete(&self, name: &str) -> anyhow::Result<()> {
        let operation = self.ask_to_delete(name).await?;
        self.finish(operation.id.as_str(), Duration::from_secs(120)).await?;
        Ok(())
    }

    /// Changes what was asked for, at that generation.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn change(&self, name: &str, generation: u64, change: &Value) -> anyhow::Result<()> {
        let request = self.request("PATCH", &format!("/v1/clusters/{name}"))?;
        let request = request.header("if-match", format!("\"{generation}\"")).json(change);
        let (status, value) = answer(request).await?;
        anyhow::ensure!(status == 200, "PATCH {name}: {status}: {value}");
        Ok(())
    }

    /// Puts something in the place of what was there at that generation; status and body.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub async fn put(
        &self,
        path: &str,
        generation: u64,
        body: &Value,
    ) -> anyhow::Result<(u16, Value)> {
        let request = self.request("PUT", path)?;
        answer(request.header("if-match", format!("\"{generation}\"")).json(body)).await
    }

    /// The plans of a change at the present generation.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn plan_change(&self, name: &str, change: &Value) -> anyhow::Result<Vec<Plan>> {
        let generation = self.cluster(name).await?.generation;
        let request = self.request("PATCH", &format!("/v1/clusters/{name}?plan=true"))?;
        let request = request.header("if-match", format!("\"{generation}\"")).json(change);
        let (status, value) = answer(request).await?;
        anyhow::ensure!(status == 200, "PATCH {name}?plan=true: {status}: {value}");
        Ok(serde_json::from_value(value)?)
    }

    /// Asks for the deletion of a cluster.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn ask_to_delete(&self, name: &str) -> anyhow::Result<Operation> {
        self.expect("DELETE", &format!("/v1/clusters/{name}?confirm={name}"), None).await
    }
}

/// Status and body; what is no JSON is text.
async fn answer(request: RequestBuilder) -> anyhow::Result<(u16, Value)> {
    let response = request.send().await?;
    let status = response.status().as_u16();
    let text = response.text().await?;
    let value = serde_json::from_str(&text).unwrap_or(Value::String(text));
    Ok((status, value))
}
