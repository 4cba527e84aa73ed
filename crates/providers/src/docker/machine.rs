//! A machine: one container with the agent's program and configuration in it.

use std::collections::HashMap;
use std::time::Duration;

use bellwether_contracts::Failure;
use bellwether_contracts::provider::{Machine, MachineRequest, MachineState, Owned};
use bellwether_model::NodeId;
use bellwether_model::cluster::NodeSize;
use bollard::models::{
    ContainerCreateBody, ContainerStateStatusEnum, ContainerUpdateBody, EndpointIpamConfig,
    EndpointSettings, HostConfig, HostConfigLogConfig, Mount, MountType, NetworkingConfig,
    RestartPolicy, RestartPolicyNameEnum,
};
use bollard::query_parameters::{
    CreateContainerOptions, InspectContainerOptions, ListContainersOptions, RemoveContainerOptions,
    StartContainerOptions, StopContainerOptions, UploadToContainerOptions,
};

use super::{CLUSTER, Docker, NODE, OWNER, failure, short};

/// Seconds a machine has to stop in an orderly way: its agent stops the engine first.
const STOP_SECONDS: i64 = 20;

/// A container that was killed is gone within this time.
const REMOVE_MAX: Duration = Duration::from_secs(10);

/// Processes and threads of one machine.
const PIDS_MAX: i64 = 4_096;

/// Where the agent's program and its configuration are, from the root.
const AGENT_PATH: &str = "usr/local/bin/bellwether-agent";
const CONFIG_PATH: &str = "etc/bellwether/agent.json";

impl Docker {
    pub(super) async fn make_machine(&self, request: &MachineRequest) -> Result<String, Failure> {
        let client = self.client().await?;
        let found = self.container(&request.node).await?;
        if let Some((id, MachineState::Running)) = found {
            return Ok(id);
        }
        // What may be missing is looked for first, so that then nothing has been made.
        let files = self.files(request).await?;
        let id = match found {
            Some((id, _)) => {
                // The host may have been started anew since: its disk is not mounted then. What
                // held data is never made anew.
                self.remount_disk(&request.node).await?;
                id
            }
            None => self.create_container(request).await?,
        };
        // A container that was made and never started may lack its files: they are put again.
        let options = UploadToContainerOptions { path: "/".to_owned(), ..Default::default() };
        client
            .upload_to_container(&id, Some(options), bollard::body_full(files.into()))
            .await
            .map_err(|error| failure::of(&error))?;
        self.start(&id).await?;
        Ok(id)
    }

    async fn create_container(&self, request: &MachineRequest) -> Result<String, Failure> {
        let client = self.client().await?;
        let image = image_of(request);
        client.inspect_image(&image).await.map_err(|error| failure::of(&error))?;
        let disk = self.ensure_disk(&request.cluster, &request.node, request.size.disk).await?;
        let disk = disk.to_string_lossy().into_owned();
        let name = format!("bellwether-{}-{}", request.node_name, short(request.node.as_str()));
        let options = CreateContainerOptions { name: Some(name), ..Default::default() };
        let body = self.container_body(request, disk);
        match client.create_container(Some(options), body).await {
            Ok(created) => Ok(created.id),
            // What a server that died asked for is still being made.
            Err(error) if failure::is_in_the_way(&error) => {
                Err(Failure::transient(failure::of(&error).text))
            }
            Err(error) => Err(failure::of(&error)),
        }
    }

    fn container_body(&self, request: &MachineRequest, disk: String) -> ContainerCreateBody {
        let memory = i64::try_from(request.size.memory.0).unwrap_or(i64::MAX);
        let addresses = EndpointIpamConfig {
            ipv4_address: Some(request.address.clone()),
            ipv6_address: Some(request.address6.clone()),
            ..EndpointIpamConfig::default()
        };
        let endpoint =
            EndpointSettings { ipam_config: Some(addresses), ..EndpointSettings::default() };
        let log_limits =
            [("max-size", "10m"), ("max-file", "2")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        let host = HostConfig {
            memory: Some(memory),
            memory_swap: Some(memory),
            nano_cpus: Some((request.size.cpus * 1e9) as i64),
            pids_limit: Some(PIDS_MAX),
            // PostgreSQL puts parallel queries' memory there; Docker's own 64 MB are too few.
            shm_size: Some((memory / 2).max(64 << 20)),
            cap_add: Some(vec!["NET_ADMIN".to_owned()]),
            network_mode: Some(request.network.name.clone()),
            restart_policy: Some(RestartPolicy {
                name: Some(RestartPolicyNameEnum::UNLESS_STOPPED),
                maximum_retry_count: None,
            }),
            mounts: Some(vec![Mount {
                typ: Some(MountType::BIND),
                source: Some(disk),
                target: Some("/data".to_owned()),
                ..Mount::default()
            }]),
            log_config: Some(HostConfigLogConfig {
                typ: Some("json-file".to_owned()),
                config: Some(log_limits.into()),
            }),
            ..HostConfig::default()
        };
        ContainerCreateBody {
            hostname: Some(request.node_name.clone()),
            image: Some(image_of(request)),
            labels: Some(self.labels(&request.cluster, Some(&request.node))),
            stop_timeout: Some(STOP_SECONDS),
            host_config: Some(host),
            networking_config: Some(NetworkingConfig {
                endpoints_config: Some([(request.network.name.clone(), endpoint)].into()),
            }),
            ..ContainerCreateBody::default()
        }
    }

    async fn files(&self, request: &MachineRequest) -> Result<Vec<u8>, Failure> {
        let path = &self.options.agent_binary;
        let program = tokio::fs::read(path).await.map_err(|error| {
            Failure::needs_person(format!("the agent's program {}: {error}", path.display()))
        })?;
        let mut archive = tar::Builder::new(Vec::new());
        let config = request.agent_config.as_bytes();
        for (path, mode, content) in
            [(AGENT_PATH, 0o755, program.as_slice()), (CONFIG_PATH, 0o600, config)]
        {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(mode);
            header.set_uid(0);
            header.set_gid(0);
            header.set_cksum();
            archive
                .append_data(&mut header, path, content)
                .map_err(|error| Failure::permanent(format!("the machine's files: {error}")))?;
        }
        archive.into_inner().map_err(|error| Failure::permanent(format!("archive: {error}")))
    }

    async fn start(&self, id: &str) -> Result<(), Failure> {
        let client = self.client().await?;
        match client.start_container(id, None::<StartContainerOptions>).await {
            Err(error) if failure::is_so_already(&error) => Ok(()),
            // Frozen, or about to be removed: not for ever.
            Err(error) if failure::is_in_the_way(&error) => {
                Err(Failure::transient(failure::of(&error).text))
            }
            Err(error) => Err(failure::of(&error)),
            Ok(()) => Ok(()),
        }
    }

    pub(super) async fn start_stopped(&self, node: &NodeId) -> Result<(), Failure> {
        let Some((id, _)) = self.container(node).await? else {
            return Err(Failure::permanent("the machine is gone"));
        };
        self.remount_disk(node).await?;
        self.start(&id).await
    }

    pub(super) async fn stop_running(&self, node: &NodeId) -> Result<(), Failure> {
        let Some((id, _)) = self.container(node).await? else {
            return Err(Failure::permanent("the machine is gone"));
        };
        let client = self.client().await?;
        // It has `STOP_SECONDS`, and is killed then.
        match client.stop_container(&id, None::<StopContainerOptions>).await {
            Err(error) if failure::is_so_already(&error) => Ok(()),
            Err(error) if failure::is_in_the_way(&error) => {
                Err(Failure::transient(failure::of(&error).text))
            }
            Err(error) => Err(failure::of(&error)),
            Ok(()) => Ok(()),
        }
    }

    /// The disk first: it is all that can be refused, and a larger one does no harm.
    pub(super) async fn give_size(&self, node: &NodeId, size: &NodeSize) -> Result<(), Failure> {
        let Some((id, _)) = self.container(node).await? else {
            return Err(Failure::permanent("the machine is gone"));
        };
        self.grow_disk(node, size.disk).await?;
        let memory = i64::try_from(size.memory.0).unwrap_or(i64::MAX);
        let limits = ContainerUpdateBody {
            memory: Some(memory),
            memory_swap: Some(memory),
            nano_cpus: Some((size.cpus * 1e9) as i64),
            ..ContainerUpdateBody::default()
        };
        let client = self.client().await?;
        client.update_container(&id, limits).await.map_err(|error| failure::of(&error))
    }

    pub(super) async fn look_for_machine(&self, node: &NodeId) -> Result<Option<Machine>, Failure> {
        let found = self.container(node).await?;
        Ok(found.map(|(id, state)| Machine { id, state }))
    }

    async fn container(&self, node: &NodeId) -> Result<Option<(String, MachineState)>, Failure> {
        let client = self.client().await?;
        let options = ListContainersOptions {
            all: true,
            filters: Some(self.filter(NODE, node.as_str())),
            ..Default::default()
        };
        let found = client.list_containers(Some(options)).await.map_err(|e| failure::of(&e))?;
        let Some(id) = found.into_iter().find_map(|container| container.id) else {
            return Ok(None);
        };
        // The list can be behind; the container itself is asked.
        match client.inspect_container(&id, None::<InspectContainerOptions>).await {
            Ok(detail) => {
                let status = detail.state.and_then(|state| state.status);
                Ok(Some((id, machine_state(status))))
            }
            Err(error) if failure::is_gone(&error) => Ok(None),
            Err(error) => Err(failure::of(&error)),
        }
    }

    pub(super) async fn remove_machine(&self, node: &NodeId) -> Result<(), Failure> {
        let client = self.client().await?;
        if let Some((id, _)) = self.container(node).await? {
            let options = RemoveContainerOptions { force: true, v: true, link: false };
            match client.remove_container(&id, Some(options)).await {
                // Gone already, or being removed: that is waited for.
                Err(error) if failure::is_gone(&error) || failure::is_in_the_way(&error) => {}
                Err(error) => return Err(failure::of(&error)),
                Ok(()) => {}
            }
        }
        self.until_removed(node).await?;
        self.remove_disk(node).await
    }

    async fn until_removed(&self, node: &NodeId) -> Result<(), Failure> {
        for _ in 0..REMOVE_MAX.as_millis() / 50 {
            if self.container(node).await?.is_none() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Err(Failure::transient("the container is still there"))
    }

    pub(super) async fn owned_machines(&self) -> Result<Vec<Owned>, Failure> {
        let filters =
            HashMap::from([("label".to_owned(), vec![format!("{OWNER}={}", self.options.owner)])]);
        let options =
            ListContainersOptions { all: true, filters: Some(filters), ..Default::default() };
        let client = self.client().await?;
        let found = client.list_containers(Some(options)).await.map_err(|e| failure::of(&e))?;
        let machine = |labels: HashMap<String, String>| {
            Some(Owned::Machine {
                cluster: labels.get(CLUSTER)?.as_str().into(),
                node: labels.get(NODE)?.as_str().into(),
            })
        };
        Ok(found.into_iter().filter_map(|container| machine(container.labels?)).collect())
    }
}

/// The image with the engine's programs.
fn image_of(request: &MachineRequest) -> String {
    format!("bellwether/node-{}:{}", request.engine, request.version)
}

/// Only a container whose processes are certainly gone counts as stopped.
fn machine_state(status: Option<ContainerStateStatusEnum>) -> MachineState {
    match status {
        Some(ContainerStateStatusEnum::RUNNING) => MachineState::Running,
        Some(
            ContainerStateStatusEnum::EXITED
            | ContainerStateStatusEnum::CREATED
            | ContainerStateStatusEnum::DEAD,
        ) => MachineState::Stopped,
        _ => MachineState::Unclear,
    }
}
