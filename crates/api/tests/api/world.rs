//! A server of a test's own.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axum::Router;
use bellwether_contracts::provider::{Machine, MachineRequest, Owned};
use bellwether_contracts::{Failure, Provider};
use bellwether_model::access::{Access, Scope};
use bellwether_model::cluster::{ClusterNetwork, NodeSize};
use bellwether_model::engine::EngineProfile;
use bellwether_model::provider::ProviderLimits;
use bellwether_model::{ClusterId, NodeId, Timestamp, TokenId, UserId};
use bellwether_store::settings::ServerSettings;
use bellwether_store::tokens::{Token, TokenKind, hash};
use bellwether_store::users::User;
use bellwether_store::{Options, Store, Txn};
use serde_json::json;

use crate::calls::Call;
use crate::document::Document;
use crate::identity::SomeProvider;
use crate::vault::Vault;

/// The administrator's bearer token.
pub(crate) const TOKEN: &str = "bw_token-of-the-administrator";

pub(crate) struct World {
    pub(crate) router: Router,
    pub(crate) store: Store,
    pub(crate) provider: Arc<Nothing>,
    pub(crate) vault: Arc<Vault>,
    pub(crate) identity: Arc<SomeProvider>,
    pub(crate) admin: User,
    pub(crate) document: Document,
    /// Everything that was answered, as text.
    pub(crate) said: Mutex<Vec<String>>,
    _directory: tempfile::TempDir,
}

fn settings(store: &Store) -> ServerSettings {
    ServerSettings {
        instance: "test".to_owned(),
        authority_certificate: "-----BEGIN CERTIFICATE-----\nAAAA\n".to_owned(),
        authority_key: store.seal("authority-key", b"key"),
        authority_number: 0,
        issue: 0,
        rotation: None,
    }
}

impl World {
    /// A server with one user, who has one bearer token.
    pub(crate) async fn new() -> Self {
        Self::with(true).await
    }

    /// The same without an identity provider.
    pub(crate) async fn without_provider() -> Self {
        Self::with(false).await
    }

    async fn with(has_provider: bool) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let options = Options { directory: directory.path().to_owned() };
        let store = Store::open(options).expect("a store");
        let admin = user("admin");
        let settings = settings(&store);
        store.commit(Txn::new().insert(&admin).insert(&settings)).await.expect("a user");
        let provider = Arc::new(Nothing::default());
        let vault = Arc::new(Vault::default());
        let identity = Arc::new(SomeProvider::default());
        let router = bellwether_api::router(bellwether_api::Api {
            store: store.clone(),
            engines: vec![engine()],
            providers: vec![provider.clone()],
            repositories: {
                let vault = vault.clone();
                Arc::new(move |_| vault.clone())
            },
            identity: has_provider.then(|| identity.clone() as _),
            version: "0.0.0-test".to_owned(),
        });
        let (document, said) = (Document::read(), Mutex::default());
        let _directory = directory;
        let world =
            Self { router, store, provider, vault, identity, admin, document, said, _directory };
        world.token(&world.admin.id, TOKEN, TokenKind::Api, None).await;
        world
    }

    pub(crate) fn call(&self, method: &str, uri: impl Into<String>) -> Call<'_> {
        Call::new(self, method, uri.into()).bearer(TOKEN)
    }

    pub(crate) fn get(&self, uri: impl Into<String>) -> Call<'_> {
        self.call("GET", uri)
    }

    pub(crate) fn post(&self, uri: impl Into<String>, body: serde_json::Value) -> Call<'_> {
        self.call("POST", uri).json(&body)
    }

    /// Makes a token with a known secret.
    pub(crate) async fn token(
        &self,
        user: &UserId,
        secret: &str,
        kind: TokenKind,
        expires_at: Option<Timestamp>,
    ) -> Token {
        let token = Token {
            id: TokenId::generate(),
            secret_hash: hash(secret),
            kind,
            name: "made by the test".to_owned(),
            user: user.clone(),
            created_at: Timestamp::now(),
            expires_at,
            last_used_at: None,
            scope: Scope::default(),
            source: String::new(),
            program: String::new(),
        };
        self.store.commit(Txn::new().insert(&token)).await.expect("saved");
        token
    }

    /// Makes another user, whose bearer token is `secret`.
    pub(crate) async fn another_user(&self, name: &str, secret: &str) -> User {
        let user = user(name);
        self.store.commit(Txn::new().insert(&user)).await.expect("saved");
        self.token(&user.id, secret, TokenKind::Api, None).await;
        user
    }
}

fn user(name: &str) -> User {
    User {
        id: UserId::generate(),
        name: name.to_owned(),
        password_hash: "none fits".to_owned(),
        must_change_password: false,
        created_at: Timestamp::now(),
        access: Access::owner(),
        second_factor: None,
        identity: None,
    }
}

fn engine() -> EngineProfile {
    let mode = |name: &str| json!({"name": name, "title": name, "summary": "how it replicates"});
    let modes = ["async", "prefer", "strict", "quorum"].map(mode);
    serde_json::from_value(json!({
        "name": "postgresql", "title": "PostgreSQL", "summary": "a database",
        "versions": ["18", "17"],
        "topologies": [{
            "name": "primary_replicas", "title": "Primary with replicas", "summary": "copies",
            "picture": "replicas", "nodes_min": 1, "nodes_max": 5,
        }],
        "replication_modes": modes,
        "memory_min": 256 << 20, "disk_min": 1 << 30,
        "ports": {"gate": 5432, "read_write": 5000, "read_only": 5001, "private": 5431,
                  "read_gate": 5433, "peer": 5440},
        "capabilities": {"synchronous": true, "point_in_time": true, "multi_primary": false,
                         "sharded": false},
        "parameters": [
            {"name": "connections", "title": "Connections", "summary": "How many.",
             "group": "Clients", "kind": "integer", "step": 1, "restart": true,
             "min": {"of": "fixed", "value": 1}, "max": {"of": "fixed", "value": 1_000},
             "default": {"of": "fixed", "value": 100}, "order": "replica_not_below_primary"},
            {"name": "memory", "title": "Memory", "summary": "How much.", "group": "Memory",
             "kind": "bytes", "step": 1_024, "restart": false,
             "min": {"of": "fixed", "value": 1_024},
             "max": {"of": "memory", "divided_by": 2, "min": 1_024, "max": 1e12},
             "default": {"of": "memory", "divided_by": 4, "min": 1_024, "max": 1e12}},
        ],
        "owned_parameters": [{"name": "port", "reason": "endpoints rely on it"}],
        "user": "app", "database": "app", "warnings": [],
        "examples": [{"name": "uri", "title": "URI",
                      "text": "db://{user}:{password}@{addresses}/{database}?first={host}"}],
    }))
    .expect("a profile")
}

/// A provider that is asked for its limits and whether it works, and for nothing else: the API
/// makes no machines.
#[derive(Default)]
pub(crate) struct Nothing {
    is_down: AtomicBool,
}

impl Nothing {
    pub(crate) fn set_down(&self, is_down: bool) {
        self.is_down.store(is_down, Ordering::SeqCst);
    }
}

fn never<T>() -> Result<T, Failure> {
    Err(Failure::permanent("the API must not ask for machines"))
}

#[async_trait]
impl Provider for Nothing {
    fn name(&self) -> &'static str {
        "docker"
    }

    fn title(&self) -> &'static str {
        "Docker"
    }

    fn limits(&self) -> ProviderLimits {
        ProviderLimits {
            cpus_min: 0.1,
            cpus_max: 4.0,
            memory_min: 64 << 20,
            memory_max: 8 << 30,
            disk_min: 1 << 30,
            disk_max: 100 << 30,
            disks_grow_in_use: true,
            one_host: true,
            nodes_max: 5,
        }
    }

    async fn check(&self) -> Result<(), Failure> {
        match self.is_down.load(Ordering::SeqCst) {
            true => Err(Failure::needs_person("its daemon does not run; start it")),
            false => Ok(()),
        }
    }

    async fn ensure_network(&self, _: &ClusterId, _: &str) -> Result<ClusterNetwork, Failure> {
        never()
    }

    async fn ensure_machine(&self, _: &MachineRequest) -> Result<String, Failure> {
        never()
    }

    async fn find_machine(&self, _: &NodeId) -> Result<Option<Machine>, Failure> {
        never()
    }

    async fn start_machine(&self, _: &NodeId) -> Result<(), Failure> {
        never()
    }

    async fn stop_machine(&self, _: &NodeId) -> Result<(), Failure> {
        never()
    }

    async fn resize_machine(&self, _: &NodeId, _: &NodeSize) -> Result<(), Failure> {
        never()
    }

    async fn delete_machine(&self, _: &NodeId) -> Result<(), Failure> {
        never()
    }

    async fn delete_network(&self, _: &ClusterId) -> Result<(), Failure> {
        never()
    }

    async fn list_owned(&self) -> Result<Vec<Owned>, Failure> {
        never()
    }
}
