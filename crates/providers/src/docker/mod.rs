//! Machines as containers of this machine's Docker, which behave like machines: addresses of their
//! own on a network of the cluster, limits of processor and memory, a disk that can really fill up.
//!
//! Everything carries labels, by which it is found again: whose it is, for which cluster and node.

mod disk;
mod failure;
mod machine;
mod network;

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use bellwether_contracts::provider::{Machine, MachineRequest, Owned};
use bellwether_contracts::{Failure, Provider};
use bellwether_model::cluster::{ClusterNetwork, NodeSize};
use bellwether_model::provider::ProviderLimits;
use bellwether_model::{ClusterId, NodeId};
use tokio::sync::OnceCell;

/// The server whose it is.
const OWNER: &str = "org.bellwether.owner";
const CLUSTER: &str = "org.bellwether.cluster";
const NODE: &str = "org.bellwether.node";

/// Nodes that fit in one cluster's network.
const NODES_MAX: u32 = 16;

/// Docker answers a question within this time, however much it has to do.
const ANSWER_MAX: Duration = Duration::from_secs(120);

/// And says who it is within this.
const CHECK_MAX: Duration = Duration::from_secs(4);

/// How this server uses Docker.
#[derive(Clone, Debug)]
pub struct DockerOptions {
    /// This server's mark on all that it makes.
    pub owner: String,
    /// The agent's program, put into each machine.
    pub agent_binary: PathBuf,
    /// Where the disks of machines are mounted; below `/run`, so that nothing is found there after
    /// the host has been started anew.
    pub mounts: PathBuf,
    /// Clusters' networks are /24 of this /16: its first two numbers.
    pub pool4: (u8, u8),
    /// And /64 of this /48.
    pub pool6: std::net::Ipv6Addr,
    /// Docker's socket; by default where `DOCKER_HOST` says, or `/var/run/docker.sock`.
    pub socket: Option<PathBuf>,
}

impl Default for DockerOptions {
    fn default() -> Self {
        Self {
            owner: String::new(),
            agent_binary: PathBuf::new(),
            mounts: PathBuf::from("/run/bellwether/disks"),
            pool4: (10, 87),
            pool6: std::net::Ipv6Addr::new(0xfd42, 0xbe11, 0, 0, 0, 0, 0, 0),
            socket: None,
        }
    }
}

/// This machine's Docker.
pub struct Docker {
    options: DockerOptions,
    client: OnceCell<bollard::Docker>,
    /// One network is chosen at a time.
    choosing: tokio::sync::Mutex<()>,
}

impl Docker {
    #[must_use]
    pub fn new(options: DockerOptions) -> Self {
        Self { options, client: OnceCell::new(), choosing: tokio::sync::Mutex::default() }
    }

    /// The client; Docker need not run yet.
    async fn client(&self) -> Result<&bollard::Docker, Failure> {
        let connect = || async {
            let client = match &self.options.socket {
                None => bollard::Docker::connect_with_unix_defaults(),
                Some(path) => bollard::Docker::connect_with_unix(
                    &path.to_string_lossy(),
                    ANSWER_MAX.as_secs(),
                    bollard::API_DEFAULT_VERSION,
                ),
            };
            client.map_err(|error| failure::of(&error))
        };
        self.client.get_or_try_init(connect).await
    }

    fn filter(&self, label: &str, value: &str) -> HashMap<String, Vec<String>> {
        let labels = vec![format!("{OWNER}={}", self.options.owner), format!("{label}={value}")];
        HashMap::from([("label".to_owned(), labels)])
    }

    /// Whether these labels say that it was made by this server.
    fn is_ours(&self, labels: &HashMap<String, String>) -> bool {
        labels.get(OWNER) == Some(&self.options.owner)
    }

    fn labels(&self, cluster: &ClusterId, node: Option<&NodeId>) -> HashMap<String, String> {
        let mut labels = HashMap::from([
            (OWNER.to_owned(), self.options.owner.clone()),
            (CLUSTER.to_owned(), cluster.to_string()),
        ]);
        if let Some(node) = node {
            labels.insert(NODE.to_owned(), node.to_string());
        }
        labels
    }
}

/// The end of an id: random enough to tell things apart, short enough to read.
fn short(id: &str) -> &str {
    id.get(id.len().saturating_sub(8)..).unwrap_or(id)
}

#[async_trait]
impl Provider for Docker {
    fn name(&self) -> &'static str {
        "docker"
    }

    fn title(&self) -> &'static str {
        "Docker on this machine"
    }

    fn limits(&self) -> ProviderLimits {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        ProviderLimits {
            cpus_min: 0.1,
            cpus_max: cores as f64,
            memory_min: 256 << 20,
            memory_max: host_memory().unwrap_or(1 << 40),
            disk_min: 1 << 30,
            disk_max: 16 << 40,
            nodes_max: NODES_MAX,
            disks_grow_in_use: disk::grow_in_use(),
            one_host: true,
        }
    }

    async fn check(&self) -> Result<(), Failure> {
        let client = self.client().await?;
        match tokio::time::timeout(CHECK_MAX, client.version()).await {
            Ok(Ok(_)) => disk::check(),
            Ok(Err(error)) => Err(failure::of(&error)),
            Err(_) => Err(Failure::transient(format!(
                "docker does not answer; nothing came within {} s",
                CHECK_MAX.as_secs()
            ))),
        }
    }

    async fn ensure_network(
        &self,
        cluster: &ClusterId,
        cluster_name: &str,
    ) -> Result<ClusterNetwork, Failure> {
        self.make_network(cluster, cluster_name).await
    }

    async fn ensure_machine(&self, request: &MachineRequest) -> Result<String, Failure> {
        self.make_machine(request).await
    }

    async fn find_machine(&self, node: &NodeId) -> Result<Option<Machine>, Failure> {
        self.look_for_machine(node).await
    }

    async fn start_machine(&self, node: &NodeId) -> Result<(), Failure> {
        self.start_stopped(node).await
    }

    async fn stop_machine(&self, node: &NodeId) -> Result<(), Failure> {
        self.stop_running(node).await
    }

    async fn resize_machine(&self, node: &NodeId, size: &NodeSize) -> Result<(), Failure> {
        self.give_size(node, size).await
    }

    async fn delete_machine(&self, node: &NodeId) -> Result<(), Failure> {
        self.remove_machine(node).await
    }

    async fn delete_network(&self, cluster: &ClusterId) -> Result<(), Failure> {
        self.remove_network(cluster).await
    }

    async fn list_owned(&self) -> Result<Vec<Owned>, Failure> {
        let mut owned = self.owned_machines().await?;
        owned.extend(self.owned_disks().await?);
        owned.extend(self.owned_networks().await?);
        Ok(owned)
    }
}

fn host_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("MemTotal:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024)
}
