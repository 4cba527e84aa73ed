//! Where simulated machines come from.

use std::time::Duration;

use async_trait::async_trait;
use bellwether_contracts::provider::{Machine as Made, MachineRequest, MachineState, Owned};
use bellwether_contracts::{Failure, Provider};
use bellwether_model::cluster::{ClusterNetwork, NodeSize};
use bellwether_model::provider::ProviderLimits;
use bellwether_model::{ClusterId, NodeId};
use rand::Rng as _;

use crate::hub::{Event, Hub};
use crate::machine::Machine;

/// The stored name.
pub const NAME: &str = "docker";

pub struct SimProvider {
    hub: Hub,
}

impl SimProvider {
    pub fn new(hub: Hub) -> Self {
        Self { hub }
    }

    async fn call(&self) -> Result<(), Failure> {
        let (delay, fails) = {
            let mut state = self.hub.lock();
            let fails = state.provider_fails && state.rng.random_bool(0.7);
            (state.rng.random_range(5..150), fails)
        };
        tokio::time::sleep(Duration::from_millis(delay)).await;
        if fails { Err(Failure::transient("the provider does not answer")) } else { Ok(()) }
    }
}

#[async_trait]
impl Provider for SimProvider {
    fn name(&self) -> &'static str {
        NAME
    }

    fn title(&self) -> &'static str {
        "Simulation"
    }

    fn limits(&self) -> ProviderLimits {
        ProviderLimits {
            cpus_min: 0.1,
            cpus_max: 64.0,
            memory_min: 1,
            memory_max: 1 << 40,
            disk_min: 1,
            disk_max: 1 << 50,
            disks_grow_in_use: true,
            one_host: false,
            nodes_max: 32,
        }
    }

    async fn check(&self) -> Result<(), Failure> {
        Ok(())
    }

    async fn ensure_network(&self, _: &ClusterId, name: &str) -> Result<ClusterNetwork, Failure> {
        self.call().await?;
        self.hub.lock().networks = 1;
        Ok(ClusterNetwork {
            name: name.to_owned(),
            subnet: "10.87.3.0/24".to_owned(),
            subnet6: "fd42:be11:0:3::/64".to_owned(),
            gateway: "10.87.3.1".to_owned(),
        })
    }

    async fn ensure_machine(&self, request: &MachineRequest) -> Result<String, Failure> {
        self.call().await?;
        let mut state = self.hub.lock();
        if state.node_of(&request.node).is_none() {
            let rate = state.rng.random_range(0.99..1.01);
            let (id, cluster) = (request.node.clone(), request.cluster.clone());
            let machine = Machine::new(id, cluster, request.node_name.clone(), rate);
            state.machines.push(machine);
            let node = state.machines.len() - 1;
            state.note(|s| format!("{} is made", s.name(node)));
            state.boot(node);
        }
        Ok(request.node_name.clone())
    }

    async fn find_machine(&self, node: &NodeId) -> Result<Option<Made>, Failure> {
        self.call().await?;
        let state = self.hub.lock();
        let found = state.node_of(node).filter(|node| !state.machines[*node].deleted);
        Ok(found.map(|node| {
            let machine = &state.machines[node];
            let state = match (machine.up, machine.unclear || machine.is_frozen()) {
                (_, true) => MachineState::Unclear,
                (true, false) => MachineState::Running,
                (false, false) => MachineState::Stopped,
            };
            Made { id: machine.name.clone(), state }
        }))
    }

    async fn start_machine(&self, node: &NodeId) -> Result<(), Failure> {
        self.call().await?;
        let mut state = self.hub.lock();
        let Some(node) = state.node_of(node) else { return Ok(()) };
        if state.machines[node].unclear {
            return Err(Failure::transient("the host does not answer"));
        }
        let delay = state.rng.random_range(100..2_000);
        state.after(delay, Event::Boot { node });
        Ok(())
    }

    async fn stop_machine(&self, node: &NodeId) -> Result<(), Failure> {
        self.call().await?;
        let mut state = self.hub.lock();
        let Some(node) = state.node_of(node) else { return Ok(()) };
        if state.machines[node].unclear {
            return Err(Failure::transient("the host does not answer"));
        }
        if state.machines[node].up {
            state.power_off(node);
        }
        Ok(())
    }

    async fn resize_machine(&self, node: &NodeId, _: &NodeSize) -> Result<(), Failure> {
        self.call().await?;
        let mut state = self.hub.lock();
        let Some(node) = state.node_of(node) else { return Ok(()) };
        if state.machines[node].up {
            return Err(Failure::transient("the machine runs"));
        }
        match state.rng.random_bool(0.1) {
            true => Err(Failure::needs_person("there is no machine of that size")),
            false => Ok(()),
        }
    }

    async fn delete_machine(&self, node: &NodeId) -> Result<(), Failure> {
        self.call().await?;
        let mut state = self.hub.lock();
        let Some(node) = state.node_of(node) else { return Ok(()) };
        if !state.machines[node].deleted {
            state.check_last_copy(node);
            state.power_off(node);
            let machine = &mut state.machines[node];
            machine.deleted = true;
            machine.engine.data = None;
            state.note(|s| format!("{} is deleted", s.name(node)));
        }
        Ok(())
    }

    async fn delete_network(&self, _: &ClusterId) -> Result<(), Failure> {
        self.call().await?;
        self.hub.lock().networks = 0;
        Ok(())
    }

    async fn list_owned(&self) -> Result<Vec<Owned>, Failure> {
        self.call().await?;
        let state = self.hub.lock();
        let mut owned = Vec::new();
        for machine in state.machines.iter().filter(|machine| !machine.deleted) {
            let (cluster, node) = (machine.cluster.clone(), machine.id.clone());
            owned.push(Owned::Machine { cluster, node });
        }
        Ok(owned)
    }
}
