//! The Docker provider on real Docker: what is made behaves like a machine, twice is once, and
//! nothing is left.

use std::path::PathBuf;

use bellwether_contracts::provider::{MachineRequest, MachineState, Owned};
use bellwether_contracts::{Class, Provider};
use bellwether_model::cluster::NodeSize;
use bellwether_model::{Bytes, ClusterId, NodeId};
use bellwether_providers::docker::{Docker, DockerOptions};
use bellwether_testkit::docker::{container_of, docker, inside, left_of};

/// A provider with a mark of its own; what it made is removed at the end, whatever happens.
struct Maker {
    provider: Docker,
    owner: String,
}

impl Maker {
    fn new() -> Self {
        let owner = format!("test-{}", ClusterId::generate());
        let agent_binary = std::env::var_os("BELLWETHER_AGENT_BIN").map(PathBuf::from);
        let agent_binary = agent_binary.expect("`make` names the agent's program");
        let options =
            DockerOptions { owner: owner.clone(), agent_binary, ..DockerOptions::default() };
        Self { provider: Docker::new(options), owner }
    }

    async fn request(&self) -> anyhow::Result<MachineRequest> {
        let cluster = ClusterId::generate();
        let network = self.provider.ensure_network(&cluster, "orders").await?;
        let place = |subnet: &str, end: &str| {
            let base = subnet.split('/').next().unwrap_or_default();
            format!("{}{end}", base.strip_suffix('0').unwrap_or(base))
        };
        Ok(MachineRequest {
            address: place(&network.subnet, "11"),
            address6: place(&network.subnet6, "b"),
            cluster,
            cluster_name: "orders".to_owned(),
            node: NodeId::generate(),
            node_name: "orders-1".to_owned(),
            network,
            size: NodeSize { cpus: 0.5, memory: Bytes(300 << 20), disk: Bytes(1 << 30) },
            engine: "postgresql".to_owned(),
            version: "17".to_owned(),
            agent_config: r#"{"servers":[],"ca_certificate":"","token":"nobody"}"#.to_owned(),
        })
    }

    async fn owned(&self) -> anyhow::Result<Vec<Owned>> {
        Ok(self.provider.list_owned().await?)
    }
}

impl Drop for Maker {
    fn drop(&mut self) {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/clean-nodes");
        let _ = std::process::Command::new(script).arg(&self.owner).output();
    }
}

#[tokio::test]
async fn a_machine_has_the_size_and_the_addresses_asked_for() -> anyhow::Result<()> {
    let maker = Maker::new();
    let request = maker.request().await?;
    maker.provider.ensure_machine(&request).await?;
    let container = container_of(request.node.as_str())?;
    // As the kernel has them, by either version of control groups.
    let limits = "cd /sys/fs/cgroup; cat memory.max memory/memory.limit_in_bytes \
                  cpu.max cpu/cpu.cfs_quota_us 2>/dev/null || true";
    let limits = inside(&container, limits)?;
    let limits: Vec<&str> = limits.split_whitespace().take(2).collect();
    assert_eq!(limits, [(300 << 20).to_string().as_str(), "50000"], "half a core of 100 ms");
    inside(&container, "nft list tables")?;

    // The disk fills up at its size, and only the machine suffers.
    let fill = "dd if=/dev/zero of=/data/filler bs=1M count=1100 2>&1; stat -c %s /data/filler";
    let said = inside(&container, fill)?;
    assert!(said.contains("No space left on device"), "{said}");
    let size: u64 = said.lines().last().unwrap_or_default().parse()?;
    assert!(((800 << 20)..(1 << 30)).contains(&size), "{size} bytes fitted");
    inside(&container, "rm /data/filler")?;

    // The same addresses and the same data after a power cut.
    inside(&container, "echo kept > /data/mark && sync")?;
    docker(&["kill", &container])?;
    let found = maker.provider.find_machine(&request.node).await?;
    assert_eq!(found.map(|machine| machine.state), Some(MachineState::Stopped));
    maker.provider.start_machine(&request.node).await?;
    let addresses = inside(&container, "ip -brief address show scope global")?;
    assert!(addresses.contains(&format!("{}/", request.address)), "{addresses}");
    assert!(addresses.contains(&format!("{}/", request.address6)), "{addresses}");
    assert_eq!(inside(&container, "cat /data/mark")?, "kept");

    // Nothing may be concluded from a machine that is frozen.
    docker(&["pause", &container])?;
    let found = maker.provider.find_machine(&request.node).await?;
    assert_eq!(found.map(|machine| machine.state), Some(MachineState::Unclear));
    docker(&["unpause", &container])?;
    Ok(())
}

#[tokio::test]
async fn making_twice_makes_once_and_what_is_half_made_is_completed() -> anyhow::Result<()> {
    let maker = Maker::new();
    let request = maker.request().await?;
    assert_eq!(maker.provider.ensure_network(&request.cluster, "orders").await?, request.network);
    let id = maker.provider.ensure_machine(&request).await?;
    assert_eq!(maker.provider.ensure_machine(&request).await?, id);

    // A server that died between two of its steps left a machine that was never started, a disk
    // without a machine, or a disk without a file system.
    docker(&["kill", &id])?;
    let mount = format!("/run/bellwether/disks/{}", request.node);
    assert!(std::process::Command::new("umount").arg(&mount).status()?.success());
    assert_eq!(maker.provider.ensure_machine(&request).await?, id);
    inside(&id, "findmnt --noheadings /data")?;
    docker(&["rm", "-f", &id])?;
    let again = maker.provider.ensure_machine(&request).await?;
    assert_ne!(again, id);
    docker(&["rm", "-f", &again])?;
    assert!(std::process::Command::new("umount").arg(&mount).status()?.success());
    let volume = format!("bellwether-disk-{}", request.node);
    let place = docker(&["volume", "inspect", "--format", "{{.Mountpoint}}", &volume])?;
    std::fs::rename(format!("{place}/disk.img"), format!("{place}/disk.new"))?;
    maker.provider.ensure_machine(&request).await?;

    for _ in 0..2 {
        maker.provider.delete_machine(&request.node).await?;
        maker.provider.delete_network(&request.cluster).await?;
    }
    assert_eq!(left_of(request.cluster.as_str())?, Vec::<String>::new());
    assert!(!std::path::Path::new(&mount).exists(), "{mount} is left");
    assert_eq!(maker.owned().await?, Vec::new());
    Ok(())
}

#[tokio::test]
async fn two_servers_see_and_touch_their_own_alone() -> anyhow::Result<()> {
    let (one, other) = (Maker::new(), Maker::new());
    let request = one.request().await?;
    one.provider.ensure_machine(&request).await?;
    assert_eq!(other.owned().await?, Vec::new());
    assert_eq!(other.provider.find_machine(&request.node).await?, None);
    let same = other.request().await?;
    assert_ne!(same.network.subnet, request.network.subnet);
    other.provider.delete_network(&request.cluster).await?;
    let is_there = one.owned().await?;
    assert_eq!(is_there.len(), 3, "a machine, its disk and its network: {is_there:?}");
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_made_is_refused_in_words_and_leaves_no_machine() -> anyhow::Result<()> {
    let maker = Maker::new();
    let mut request = maker.request().await?;
    request.version = "9".to_owned();
    let failure = maker.provider.ensure_machine(&request).await.expect_err("no such image");
    assert!(failure.text.contains("ensure-images"), "{}", failure.text);
    request.version = "17".to_owned();
    // Sparse files take little; still, what this host could never hold is not begun.
    request.size.disk = Bytes(1 << 50);
    maker.provider.delete_machine(&request.node).await?;
    let failure = maker.provider.ensure_machine(&request).await.expect_err("too large");
    assert_eq!(failure.class, Class::NeedsPerson);
    assert!(failure.text.contains("free some space"), "{}", failure.text);
    let machines =
        docker(&["ps", "-aq", "--filter", &format!("label=org.bellwether.owner={}", maker.owner)])?;
    assert_eq!(machines, "");
    Ok(())
}
