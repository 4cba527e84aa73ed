//! The Docker provider on real Docker: what is made behaves like a machine, twice is once, what a
//! killed server left is completed, and nothing is left.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use bellwether_contracts::provider::{MachineRequest, MachineState, Owned};
use bellwether_contracts::{Class, Failure, Provider};
use bellwether_model::cluster::NodeSize;
use bellwether_model::{Bytes, ClusterId, NodeId};
use bellwether_providers::docker::{Docker, DockerOptions};
use bellwether_testkit::docker::{container_of, docker, inside, left_of};
use bellwether_testkit::wait::until;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// A provider with a mark of its own; what it made is removed at the end, whatever happens.
struct Maker {
    provider: Docker,
    options: DockerOptions,
    directory: tempfile::TempDir,
}

/// Stands for the agent: a machine is a machine whatever runs on it.
const AGENT: &str = "#!/bin/sh\nexec sleep infinity\n";

impl Maker {
    fn new() -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let agent_binary = directory.path().join("agent");
        std::fs::write(&agent_binary, AGENT)?;
        let owner = format!("test-{}", ClusterId::generate());
        let options = DockerOptions { owner, agent_binary, ..DockerOptions::default() };
        Ok(Self { provider: Docker::new(options.clone()), options, directory })
    }

    /// The same server, started anew.
    fn again(&self) -> Docker {
        Docker::new(self.options.clone())
    }

    /// The same server with another Docker, or none.
    fn at_socket(&self, path: &Path) -> Docker {
        Docker::new(DockerOptions { socket: Some(path.to_owned()), ..self.options.clone() })
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
            agent_config: r#"{"token":"nobody"}"#.to_owned(),
        })
    }

    async fn owned(&self) -> anyhow::Result<Vec<Owned>> {
        Ok(self.provider.list_owned().await?)
    }

    async fn state(&self, node: &NodeId) -> anyhow::Result<Option<MachineState>> {
        Ok(self.provider.find_machine(node).await?.map(|machine| machine.state))
    }
}

impl Drop for Maker {
    fn drop(&mut self) {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/clean-nodes");
        let _ = Command::new(script).arg(&self.options.owner).output();
    }
}

fn mount_point(node: &NodeId) -> PathBuf {
    DockerOptions::default().mounts.join(node.as_str())
}

fn volume_of(node: &NodeId) -> String {
    format!("bellwether-disk-{node}")
}

/// Where the disk's file is on this machine.
fn place_of(node: &NodeId) -> anyhow::Result<PathBuf> {
    let volume = volume_of(node);
    Ok(docker(&["volume", "inspect", "--format", "{{.Mountpoint}}", &volume])?.into())
}

fn run(program: &str, arguments: &[&str]) -> anyhow::Result<()> {
    let output = Command::new(program).args(arguments).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{program} {arguments:?}: {said}");
    Ok(())
}

fn unmount(node: &NodeId) -> anyhow::Result<()> {
    run("umount", &[&mount_point(node).to_string_lossy()])
}

/// What Docker does not know: mounts, their directories, loop devices.
fn left_on_this_machine(node: &NodeId) -> Vec<String> {
    let mut left = Vec::new();
    if mount_point(node).exists() {
        left.push(format!("the directory {}", mount_point(node).display()));
    }
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    left.extend(mounts.lines().filter(|line| line.contains(node.as_str())).map(str::to_owned));
    for device in std::fs::read_dir("/sys/block").into_iter().flatten().flatten() {
        let file = std::fs::read_to_string(device.path().join("loop/backing_file"));
        left.extend(file.into_iter().filter(|file| file.contains(node.as_str())));
    }
    left
}

fn expect_nothing(request: &MachineRequest) -> anyhow::Result<()> {
    assert_eq!(left_of(request.cluster.as_str())?, Vec::<String>::new());
    assert_eq!(left_on_this_machine(&request.node), Vec::<String>::new());
    Ok(())
}

fn expect_addresses(container: &str, request: &MachineRequest) -> anyhow::Result<()> {
    let addresses = inside(container, "ip -brief address show scope global")?;
    assert!(addresses.contains(&format!("{}/", request.address)), "{addresses}");
    assert!(addresses.contains(&format!("{}/", request.address6)), "{addresses}");
    Ok(())
}

#[tokio::test]
async fn a_machine_has_no_more_than_the_size_asked_for() -> anyhow::Result<()> {
    let maker = Maker::new()?;
    let request = maker.request().await?;
    maker.provider.ensure_machine(&request).await?;
    let container = container_of(request.node.as_str())?;
    // As the kernel has them, by either version of control groups.
    let limits = "cd /sys/fs/cgroup; cat memory.max memory/memory.limit_in_bytes \
                  cpu.max cpu/cpu.cfs_quota_us 2>/dev/null || true";
    let limits = inside(&container, limits)?;
    let limits: Vec<&str> = limits.split_whitespace().take(2).collect();
    assert_eq!(limits, [(300 << 20).to_string().as_str(), "50000"], "half a core of 100 ms");

    // And as processes feel them: whoever holds more memory is killed, two that never rest get
    // half a second of a second.
    let hold = "head -c 500000000 /dev/zero | tail -c 400000000 | wc -c";
    assert_eq!(inside(&container, hold)?, "0", "so much memory was to be had");
    let busy = "timeout 1 sh -c 'while :; do :; done'";
    let began = Instant::now();
    let times = inside(&container, &format!("{busy} & {busy} & wait; times"))?;
    let most = began.elapsed().as_secs_f64() * 0.5 + 0.2;
    let used: f64 = times
        .split_whitespace()
        .filter_map(|time| time.strip_suffix('s')?.split_once('m'))
        .filter_map(|(minutes, seconds)| {
            Some(minutes.parse::<f64>().ok()? * 60.0 + seconds.parse::<f64>().ok()?)
        })
        .sum();
    assert!(used > 0.05 && used < most, "{used} s of a processor, at most {most}: {times}");

    // The firewall is the machine's own.
    inside(&container, "nft add table inet mine && nft list table inet mine")?;
    let capabilities = docker(&[
        "inspect",
        "--format",
        "{{.HostConfig.Privileged}} {{.HostConfig.CapAdd}}",
        &container,
    ])?;
    assert_eq!(capabilities.replace("CAP_", ""), "false [NET_ADMIN]", "and nothing beyond it");
    Ok(())
}

#[tokio::test]
async fn a_disk_fills_up_at_its_size_and_gives_back_what_is_deleted() -> anyhow::Result<()> {
    let maker = Maker::new()?;
    let request = maker.request().await?;
    maker.provider.ensure_machine(&request).await?;
    let container = container_of(request.node.as_str())?;
    let image = place_of(&request.node)?.join("disk.img");
    let on_host = || anyhow::Ok(std::fs::metadata(&image)?.blocks() * 512);
    let empty = on_host()?;
    assert!(empty < 64 << 20, "an empty disk takes {empty} bytes of the host");

    let fill = "dd if=/dev/zero of=/data/filler bs=1M count=1100 2>&1; stat -c %s /data/filler";
    let said = inside(&container, fill)?;
    assert!(said.contains("No space left on device"), "{said}");
    let size: u64 = said.lines().last().unwrap_or_default().parse()?;
    assert!(((800 << 20)..(1 << 30)).contains(&size), "{size} bytes fitted");
    // Only the machine suffers: the host's file is no longer than promised.
    assert_eq!(std::fs::metadata(&image)?.len(), 1 << 30);
    assert!(on_host()? <= (1 << 30) + (1 << 20));

    inside(&container, "rm /data/filler && sync")?;
    until("the host has the room again", Duration::from_secs(20), || async {
        let taken = on_host()?;
        ensure!(taken < empty + (64 << 20), "{taken} bytes are taken");
        Ok(())
    })
    .await?;

    // What a machine puts on its disk is no program and no device to the host.
    inside(&container, "cp /bin/true /data/tool && chmod 4755 /data/tool")?;
    let options = Command::new("findmnt")
        .args(["--noheadings", "--output", "OPTIONS"])
        .arg(mount_point(&request.node))
        .output()?;
    let options = String::from_utf8_lossy(&options.stdout).into_owned();
    assert!(options.contains("nosuid") && options.contains("nodev"), "{options}");
    Ok(())
}

#[tokio::test]
async fn addresses_and_data_outlive_every_way_to_stop() -> anyhow::Result<()> {
    let maker = Maker::new()?;
    let request = maker.request().await?;
    maker.provider.ensure_machine(&request).await?;
    let container = container_of(request.node.as_str())?;
    inside(&container, "echo kept > /data/mark && sync")?;
    for way in [&["kill"][..], &["stop"], &["restart", "--time", "5"]] {
        docker(&[way, &[container.as_str()]].concat())?;
        if way[0] != "restart" {
            assert_eq!(maker.state(&request.node).await?, Some(MachineState::Stopped), "{way:?}");
            maker.provider.start_machine(&request.node).await?;
        }
        assert_eq!(maker.state(&request.node).await?, Some(MachineState::Running), "{way:?}");
        expect_addresses(&container, &request)?;
        assert_eq!(inside(&container, "cat /data/mark")?, "kept");
        maker.provider.start_machine(&request.node).await?;
    }
    // As after a start of the host: nothing is mounted, and the container must not run without.
    docker(&["stop", &container])?;
    unmount(&request.node)?;
    assert!(docker(&["start", &container]).is_err(), "it started without its disk");
    maker.provider.start_machine(&request.node).await?;
    assert_eq!(inside(&container, "cat /data/mark")?, "kept");
    Ok(())
}

#[tokio::test]
async fn a_machine_is_called_stopped_only_when_it_is() -> anyhow::Result<()> {
    let maker = Maker::new()?;
    let request = maker.request().await?;
    assert_eq!(maker.state(&request.node).await?, None);
    maker.provider.ensure_machine(&request).await?;
    let container = container_of(request.node.as_str())?;

    // Frozen: it may go on at any moment. It cannot be started, and nobody may be told so.
    docker(&["pause", &container])?;
    assert_eq!(maker.state(&request.node).await?, Some(MachineState::Unclear));
    let failure = maker.provider.start_machine(&request.node).await.expect_err("it is frozen");
    assert!(failure.text.contains("paused"), "{failure}");
    assert_eq!(failure.class, Class::Transient);
    docker(&["unpause", &container])?;
    assert_eq!(maker.state(&request.node).await?, Some(MachineState::Running));

    // Docker starts again by itself what ended by itself.
    std::fs::write(&maker.options.agent_binary, "#!/bin/sh\nsleep 0.2; exit 1\n")?;
    let restless = MachineRequest {
        node: NodeId::generate(),
        address: request.address.replace(".11", ".12"),
        address6: request.address6.replace("::b", "::c"),
        ..request.clone()
    };
    maker.provider.ensure_machine(&restless).await?;
    let end = Instant::now() + Duration::from_secs(2);
    while Instant::now() < end {
        let state = maker.state(&restless.node).await?;
        assert_ne!(state, Some(MachineState::Stopped), "it comes back by itself");
    }
    docker(&["stop", &container_of(restless.node.as_str())?])?;
    assert_eq!(maker.state(&restless.node).await?, Some(MachineState::Stopped));
    Ok(())
}

#[tokio::test]
async fn what_is_made_half_is_completed() -> anyhow::Result<()> {
    let maker = Maker::new()?;
    // A network without machines.
    let request = maker.request().await?;
    assert_eq!(maker.again().ensure_network(&request.cluster, "orders").await?, request.network);
    let id = maker.provider.ensure_machine(&request).await?;
    assert_eq!(maker.provider.ensure_machine(&request).await?, id);
    assert_eq!(maker.again().ensure_machine(&request).await?, id);

    // A machine whose disk is not mounted.
    docker(&["kill", &id])?;
    unmount(&request.node)?;
    assert_eq!(maker.provider.ensure_machine(&request).await?, id);
    inside(&id, "findmnt --noheadings /data")?;

    // A disk without a machine, a disk that is a file without a file system, one that is none.
    let place = place_of(&request.node)?;
    let image = place.join("disk.img");
    let blank = |size: u64| {
        std::fs::remove_file(&image)?;
        anyhow::Ok(std::fs::File::create(&image)?.set_len(size)?)
    };
    let mut last = id;
    for case in ["no machine", "blank", "empty", "unfinished"] {
        docker(&["rm", "-f", &last])?;
        match case {
            "no machine" => {}
            "blank" => unmount(&request.node).and_then(|()| blank(1 << 30))?,
            "empty" => unmount(&request.node).and_then(|()| blank(0))?,
            _ => {
                unmount(&request.node)?;
                std::fs::rename(&image, place.join("disk.1.new"))?;
            }
        }
        let made = maker.again().ensure_machine(&request).await.context(case)?;
        assert_ne!(made, last);
        expect_addresses(&made, &request)?;
        inside(&made, "touch /data/works")?;
        let files = std::fs::read_dir(&place)?.count();
        assert_eq!(files, 1, "{case}: something is left beside the disk");
        last = made;
    }

    // A container that was made and neither filled nor started.
    docker(&["rm", "-f", &last])?;
    let label = |name: &str, value: &str| format!("--label=org.bellwether.{name}={value}");
    let mount = format!("--volume={}/data:/data", mount_point(&request.node).display());
    let half = docker(&[
        "create",
        &label("owner", &maker.options.owner),
        &label("cluster", request.cluster.as_str()),
        &label("node", request.node.as_str()),
        &format!("--network={}", request.network.name),
        &format!("--ip={}", request.address),
        &mount,
        "bellwether/node-postgresql:17",
    ])?;
    assert_eq!(maker.state(&request.node).await?, Some(MachineState::Stopped));
    assert_eq!(maker.again().ensure_machine(&request).await?, half);
    assert_eq!(maker.state(&request.node).await?, Some(MachineState::Running));
    assert_eq!(inside(&half, "cat /etc/bellwether/agent.json")?, request.agent_config);
    assert_eq!(inside(&half, "stat -c %a /etc/bellwether/agent.json")?, "600");
    Ok(())
}

/// The same call until it succeeds, as the server does with what may pass.
async fn again_and_again<T, F>(what: &str, ask: impl Fn() -> F) -> anyhow::Result<T>
where
    F: Future<Output = Result<T, Failure>>,
{
    let (asked, limit) = (&ask, Duration::from_secs(15));
    until(what, limit, || async move {
        asked().await.map_err(|failure| {
            assert_eq!(failure.class, Class::Transient, "{failure}");
            failure.into()
        })
    })
    .await
}

#[tokio::test]
async fn making_and_deleting_may_be_cut_off_anywhere() -> anyhow::Result<()> {
    let maker = Maker::new()?;
    let mut cut = Duration::from_millis(4);
    let mut was_cut = 0;
    loop {
        let request = maker.request().await?;
        let making = maker.provider.ensure_machine(&request);
        let made = tokio::time::timeout(cut, making).await;
        let second = maker.again();
        let id = again_and_again("made", || second.ensure_machine(&request)).await?;
        assert_eq!(container_of(request.node.as_str())?, id, "there is one");
        expect_addresses(&id, &request)?;
        inside(&id, "touch /data/works")?;

        let deleting = async {
            second.delete_machine(&request.node).await?;
            second.delete_network(&request.cluster).await
        };
        let deleted = tokio::time::timeout(cut, deleting).await;
        was_cut += usize::from(made.is_err()) + usize::from(deleted.is_err());
        let third = maker.again();
        again_and_again("deleted", || third.delete_machine(&request.node)).await?;
        again_and_again("its network, too", || third.delete_network(&request.cluster)).await?;
        expect_nothing(&request)?;
        if made.is_ok() && deleted.is_ok() {
            break;
        }
        cut = cut * 5 / 3;
    }
    assert!(was_cut > 4, "only {was_cut} times it was cut off");
    Ok(())
}

#[tokio::test]
async fn deleting_is_complete_whatever_is_left_to_delete() -> anyhow::Result<()> {
    let maker = Maker::new()?;
    for gone in ["nothing", "container", "volume", "network", "all"] {
        let request = maker.request().await?;
        let id = maker.provider.ensure_machine(&request).await?;
        if ["container", "volume", "network", "all"].contains(&gone) {
            docker(&["rm", "-f", &id])?;
        }
        if ["volume", "all"].contains(&gone) {
            // By somebody who did not know that it is mounted.
            docker(&["volume", "rm", &volume_of(&request.node)])?;
        }
        if ["network", "all"].contains(&gone) {
            docker(&["network", "rm", &request.network.name])?;
        }
        for _ in 0..2 {
            maker.provider.delete_machine(&request.node).await.context(gone)?;
            maker.provider.delete_network(&request.cluster).await.context(gone)?;
        }
        expect_nothing(&request)?;
    }
    // A container of a stranger on the cluster's network does not keep it.
    let request = maker.request().await?;
    let (name, image) = (&request.network.name, "bellwether/node-postgresql:17");
    let stranger = docker(&["run", "-d", "--net", name, "--entrypoint=sleep", image, "60"])?;
    let deleted = maker.provider.delete_network(&request.cluster).await;
    docker(&["rm", "-f", &stranger])?;
    deleted?;
    expect_nothing(&request)?;
    assert_eq!(maker.owned().await?, Vec::new());
    Ok(())
}

#[tokio::test]
async fn what_nobody_refers_to_is_found_and_removed() -> anyhow::Result<()> {
    let maker = Maker::new()?;
    let (whole, disk, network) =
        (maker.request().await?, maker.request().await?, maker.request().await?);
    maker.provider.ensure_machine(&whole).await?;
    let id = maker.provider.ensure_machine(&disk).await?;
    docker(&["rm", "-f", &id])?;
    maker.provider.delete_network(&disk.cluster).await?;
    let mut owned = maker.owned().await?;
    let machine = |r: &MachineRequest| (r.cluster.clone(), r.node.clone());
    let (cluster, node) = machine(&whole);
    let mut expected = vec![
        Owned::Machine { cluster: cluster.clone(), node: node.clone() },
        Owned::Disk { cluster: cluster.clone(), node },
        Owned::Network { cluster },
    ];
    let (cluster, node) = machine(&disk);
    expected.push(Owned::Disk { cluster, node });
    expected.push(Owned::Network { cluster: network.cluster.clone() });
    let text = |owned: &Owned| format!("{owned:?}");
    owned.sort_by_key(text);
    expected.sort_by_key(text);
    assert_eq!(owned, expected);
    for orphan in owned {
        match orphan {
            Owned::Machine { node, .. } | Owned::Disk { node, .. } => {
                maker.provider.delete_machine(&node).await?;
            }
            Owned::Network { cluster } => maker.provider.delete_network(&cluster).await?,
        }
    }
    assert_eq!(maker.owned().await?, Vec::new());
    for request in [whole, disk, network] {
        expect_nothing(&request)?;
    }
    Ok(())
}

#[tokio::test]
async fn two_servers_see_and_touch_their_own_alone() -> anyhow::Result<()> {
    let (one, other) = (Maker::new()?, Maker::new()?);
    let request = one.request().await?;
    one.provider.ensure_machine(&request).await?;
    assert_eq!(other.owned().await?, Vec::new());
    assert_eq!(other.state(&request.node).await?, None);
    let theirs = other.request().await?;
    assert_ne!(theirs.network.subnet, request.network.subnet);
    assert_ne!(theirs.network.subnet6, request.network.subnet6);

    // Not even one that has the other's ids, as from a copied store.
    other.provider.delete_machine(&request.node).await?;
    other.provider.delete_network(&request.cluster).await?;
    let failure = other.provider.ensure_machine(&request).await.expect_err("it is another's");
    assert!(failure.text.contains("another server's"), "{failure}");
    other.provider.start_machine(&request.node).await.expect_err("not its own");
    let is_there = one.owned().await?;
    assert_eq!(is_there.len(), 3, "a machine, its disk and its network: {is_there:?}");
    assert_eq!(one.state(&request.node).await?, Some(MachineState::Running));
    docker(&["restart", "--time", "5", &container_of(request.node.as_str())?])?;
    inside(&container_of(request.node.as_str())?, "touch /data/works")?;
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_made_is_refused_in_words_and_leaves_nothing() -> anyhow::Result<()> {
    let maker = Maker::new()?;
    let good = maker.request().await?;
    maker.provider.delete_network(&good.cluster).await?;
    let size = |disk: u64| NodeSize { disk: Bytes(disk), ..good.size };
    let wrong = [
        // Sparse files take little; still, what this host could never hold is not begun.
        ("free some space", MachineRequest { size: size(1 << 50), ..good.clone() }),
        ("ensure-images", MachineRequest { version: "9".to_owned(), ..good.clone() }),
        ("orders", good.clone()),
    ];
    for (word, request) in wrong {
        let failure = maker.provider.ensure_machine(&request).await.expect_err(word);
        assert!(failure.text.contains(word), "{word}: {failure}");
        assert_ne!(failure.class, Class::Transient, "{word}: {failure}");
        let machines: Vec<Owned> = maker.owned().await?;
        // Docker looks for the network last; what was made for it is deleted by who asked.
        assert!(word == "orders" || machines.is_empty(), "{word}: {machines:?}");
        maker.provider.delete_machine(&request.node).await?;
        expect_nothing(&request)?;
    }
    let missing = maker.directory.path().join("missing");
    let options = DockerOptions { agent_binary: missing, ..maker.options.clone() };
    let failure = Docker::new(options).ensure_machine(&good).await.expect_err("no agent");
    assert!(failure.text.contains("agent's program"), "{failure}");
    assert_eq!(maker.owned().await?, Vec::new());
    Ok(())
}

#[tokio::test]
async fn a_full_host_is_named_and_left_as_it_was() -> anyhow::Result<()> {
    let maker = Maker::new()?;
    let request = maker.request().await?;
    let id = maker.provider.ensure_machine(&request).await?;
    docker(&["rm", "-f", &id])?;
    unmount(&request.node)?;
    // A tiny file system where the disk would come to lie.
    let place = place_of(&request.node)?;
    std::fs::remove_file(place.join("disk.img"))?;
    let text = place.to_string_lossy().into_owned();
    run("mount", &["-t", "tmpfs", "-o", "size=16m", "tmpfs", &text])?;
    let refused = maker.provider.ensure_machine(&request).await;
    let files = std::fs::read_dir(&place)?.count();
    run("umount", &[&text])?;
    let failure = refused.expect_err("there is no room");
    assert_eq!(failure.class, Class::NeedsPerson);
    assert!(
        failure.text.contains("16.0 MiB free") || failure.text.contains("16 MiB free"),
        "{failure}"
    );
    assert!(failure.text.contains("free some space"), "{failure}");
    assert_eq!(files, 0, "something was begun");
    assert_eq!(maker.state(&request.node).await?, None);
    // With room again it is made.
    maker.provider.ensure_machine(&request).await?;
    maker.provider.delete_machine(&request.node).await?;
    maker.provider.delete_network(&request.cluster).await?;
    expect_nothing(&request)
}

/// A Docker that answers every question with this, or never.
fn docker_that_says(path: &Path, answer: Option<&'static str>) -> anyhow::Result<()> {
    let listener = tokio::net::UnixListener::bind(path)?;
    tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            if let Some(answer) = answer {
                let _ = stream.write_all(answer.as_bytes()).await;
            } else {
                open.push(stream);
            }
        }
    });
    Ok(())
}

#[tokio::test]
async fn a_docker_that_cannot_say_is_never_taken_for_a_stopped_machine() -> anyhow::Result<()> {
    let maker = Maker::new()?;
    maker.provider.check().await?;
    let node = NodeId::generate();
    let at = |name: &str| maker.directory.path().join(name);

    // Nothing there, and a socket that nobody listens at.
    drop(std::os::unix::net::UnixListener::bind(at("dead"))?);
    for name in ["missing", "dead"] {
        let provider = maker.at_socket(&at(name));
        let failure = provider.check().await.expect_err(name);
        assert_eq!(failure.class, Class::NeedsPerson, "{failure}");
        assert!(failure.text.contains("ensure-docker"), "{failure}");
        provider.find_machine(&node).await.expect_err("who could know?");
        provider.delete_machine(&node).await.expect_err("who could know?");
        provider.list_owned().await.expect_err("who could know?");
    }

    // Errors of its own, an answer that breaks off, one that is no answer.
    let wrong = [
        (
            "HTTP/1.1 500 Wrong\r\nContent-Length: 23\r\n\r\n{\"message\":\"it is ill\"}",
            "it is ill",
        ),
        ("HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\n[", "broke off"),
        ("", "broke off"),
    ];
    for (index, (answer, words)) in wrong.into_iter().enumerate() {
        let path = at(&format!("wrong-{index}"));
        docker_that_says(&path, Some(answer))?;
        let provider = maker.at_socket(&path);
        let failure = provider.find_machine(&node).await.expect_err(answer);
        assert!(failure.text.contains(words), "{answer}: {failure}");
        assert_eq!(failure.class, Class::Transient, "{answer}: {failure}");
        provider.check().await.expect_err(answer);
        provider.delete_machine(&node).await.expect_err(answer);
    }

    // Silence has an end.
    docker_that_says(&at("silent"), None)?;
    let began = Instant::now();
    let failure = maker.at_socket(&at("silent")).check().await.expect_err("it says nothing");
    assert!(failure.text.contains("does not answer"), "{failure}");
    assert!(began.elapsed() < Duration::from_secs(6));
    Ok(())
}
