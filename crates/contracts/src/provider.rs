//! A provider makes machines. Everything is keyed by ids we chose before, so that doing it twice
//! does it once.

use async_trait::async_trait;
use bellwether_model::cluster::{ClusterNetwork, NodeSize};
use bellwether_model::provider::ProviderLimits;
use bellwether_model::{ClusterId, NodeId};

use crate::Failure;

/// Where machines come from.
#[async_trait]
pub trait Provider: Send + Sync {
    /// The stored name, for example `docker`.
    fn name(&self) -> &'static str;

    /// The name for people.
    fn title(&self) -> &'static str;

    /// What one node may have here.
    fn limits(&self) -> ProviderLimits;

    /// Whether machines can be made now; the failure says what to do when not.
    async fn check(&self) -> Result<(), Failure>;

    /// Makes the cluster's own network, or finds it. Chooses addresses that nothing else here uses.
    async fn ensure_network(
        &self,
        cluster: &ClusterId,
        cluster_name: &str,
    ) -> Result<ClusterNetwork, Failure>;

    /// Makes the machine and starts it, or finds it. Returns the provider's id of it. A machine
    /// that was made half is completed.
    async fn ensure_machine(&self, request: &MachineRequest) -> Result<String, Failure>;

    /// The machine of a node, where there is one.
    async fn find_machine(&self, node: &NodeId) -> Result<Option<Machine>, Failure>;

    /// Starts a machine that is there and stopped.
    async fn start_machine(&self, node: &NodeId) -> Result<(), Failure>;

    /// Stops the machine in an orderly way; `Ok` once it certainly does not run.
    async fn stop_machine(&self, node: &NodeId) -> Result<(), Failure>;

    /// Gives a machine that is stopped another size, or one that runs a larger disk alone. Nothing
    /// is changed when it fails for good; doing it twice does it once.
    async fn resize_machine(&self, node: &NodeId, size: &NodeSize) -> Result<(), Failure>;

    /// Deletes the machine with its disk and verifies that nothing is left. No error when it is
    /// gone.
    async fn delete_machine(&self, node: &NodeId) -> Result<(), Failure>;

    /// Deletes the cluster's network. No error when it is gone.
    async fn delete_network(&self, cluster: &ClusterId) -> Result<(), Failure>;

    /// Everything here that carries this server's mark: what nobody refers to is an orphan.
    async fn list_owned(&self) -> Result<Vec<Owned>, Failure>;
}

/// A machine to make.
#[derive(Clone)]
pub struct MachineRequest {
    pub cluster: ClusterId,
    pub cluster_name: String,
    pub node: NodeId,
    pub node_name: String,
    pub network: ClusterNetwork,
    pub address: String,
    pub address6: String,
    pub size: NodeSize,
    pub engine: String,
    pub version: String,
    /// The content of `/etc/bellwether/agent.json` (mode 0600): server, authority, join token.
    pub agent_config: String,
}

/// A machine that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// The provider's id.
    pub id: String,
    pub state: MachineState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MachineState {
    /// It runs, as far as the provider knows.
    Running,
    /// It certainly does not run: nothing on it can act until it is started.
    Stopped,
    /// Between the two, or frozen: nothing may be concluded.
    Unclear,
}

/// Something at the provider that carries our mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owned {
    Machine { cluster: ClusterId, node: NodeId },
    Disk { cluster: ClusterId, node: NodeId },
    Network { cluster: ClusterId },
}
