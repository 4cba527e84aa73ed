//! A machine's disk: a sparse file in a labelled volume, with a file system of the size asked for,
//! mounted on the host; the machine is given a directory within it.
//!
//! The directory within, not the root, is bound: when the host was started anew and nothing is
//! mounted yet, the container then refuses to start instead of writing to an empty directory.

use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use bellwether_contracts::Failure;
use bellwether_contracts::provider::Owned;
use bellwether_model::{Bytes, ClusterId, NodeId};
use bollard::models::VolumeCreateRequest;
use bollard::query_parameters::{ListVolumesOptions, RemoveVolumeOptions};

use super::{CLUSTER, Docker, NODE, OWNER, failure};

/// The file in the volume.
const IMAGE: &str = "disk.img";

/// What makes and mounts disks, and the package it is in.
const PROGRAMS: [(&str, &str); 6] = [
    ("mkfs.ext4", "e2fsprogs"),
    ("e2fsck", "e2fsprogs"),
    ("resize2fs", "e2fsprogs"),
    ("mount", "mount"),
    ("umount", "mount"),
    ("losetup", "mount"),
];

/// Where they are looked for.
const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

const NOT_ROOT: &str = "the server must run as root to make disks of a fixed size";

/// The kernel lets go of an unmounted disk within this time.
const DETACH_MAX: Duration = Duration::from_secs(2);

/// Of the host's disk, at least so much stays free beside a new disk's first use.
const HOST_FREE_MIN: u64 = 1 << 30;

impl Docker {
    fn disk_name(node: &NodeId) -> String {
        format!("bellwether-disk-{node}")
    }

    fn mount_point(&self, node: &NodeId) -> PathBuf {
        self.options.mounts.join(node.as_str())
    }

    /// Makes the disk and mounts it, or finds it. The directory to bind.
    pub(super) async fn ensure_disk(
        &self,
        cluster: &ClusterId,
        node: &NodeId,
        size: Bytes,
    ) -> Result<PathBuf, Failure> {
        let name = Self::disk_name(node);
        let volume = VolumeCreateRequest {
            name: Some(name.clone()),
            labels: Some(self.labels(cluster, Some(node))),
            ..VolumeCreateRequest::default()
        };
        let client = self.client().await?;
        let volume = client.create_volume(volume).await.map_err(|e| failure::of(&e))?;
        if !self.is_ours(&volume.labels) {
            return Err(Failure::permanent(format!("the volume {name} is another server's")));
        }
        let directory = Path::new(&volume.mountpoint);
        let image = directory.join(IMAGE);
        if !is_mounted(&self.mount_point(node)) && is_blank(&image) {
            let made = match check_host_space(directory, size) {
                Ok(()) => make_image(&image, size).await,
                Err(failure) => Err(failure),
            };
            if let Err(failure) = made {
                // It never held anything; what goes with it is the beginning of a file system.
                let _ = client.remove_volume(&name, None::<RemoveVolumeOptions>).await;
                return Err(failure);
            }
        }
        self.mount_disk(node, &image).await
    }

    /// Mounts the disk of a machine that exists; where it was mounted, does nothing.
    pub(super) async fn remount_disk(&self, node: &NodeId) -> Result<(), Failure> {
        let Some(directory) = self.disk_directory(node).await? else {
            return Err(Failure::permanent("the machine's disk is gone"));
        };
        self.mount_disk(node, &directory.join(IMAGE)).await.map(|_| ())
    }

    /// Where the disk's file is, on this machine.
    async fn disk_directory(&self, node: &NodeId) -> Result<Option<PathBuf>, Failure> {
        let name = Self::disk_name(node);
        match self.client().await?.inspect_volume(&name).await {
            Ok(volume) if self.is_ours(&volume.labels) => Ok(Some(volume.mountpoint.into())),
            Ok(_) => Err(Failure::permanent(format!("the volume {name} is another server's"))),
            Err(error) if failure::is_gone(&error) => Ok(None),
            Err(error) => Err(failure::of(&error)),
        }
    }

    async fn mount_disk(&self, node: &NodeId, image: &Path) -> Result<PathBuf, Failure> {
        let point = self.mount_point(node);
        if !is_mounted(&point) {
            std::fs::create_dir_all(&point).map_err(|e| at(&point, &e))?;
            // What a machine writes there is no program and no device of the host.
            let options = "loop,noatime,discard,nosuid,nodev";
            run("mount", &["-o", options, text(image)?, text(&point)?]).await?;
        }
        let data = point.join("data");
        std::fs::create_dir_all(&data).map_err(|e| at(&data, &e))?;
        Ok(data)
    }

    /// Makes the disk larger: the file, the device over it, the file system. While it is mounted,
    /// where the kernel lets us; else the machine has to be stopped. One that is that large already
    /// is left as it is.
    pub(super) async fn grow_disk(&self, node: &NodeId, size: Bytes) -> Result<(), Failure> {
        let Some(directory) = self.disk_directory(node).await? else {
            return Err(Failure::permanent("the machine's disk is gone"));
        };
        let image = directory.join(IMAGE);
        let has = std::fs::metadata(&image).map_err(|e| at(&image, &e))?.len();
        if has < size.0 {
            check_host_space(&directory, Bytes(size.0 - has))?;
            let file = std::fs::File::options().write(true).open(&image);
            let file = file.map_err(|e| at(&image, &e))?;
            file.set_len(size.0).and_then(|()| file.sync_all()).map_err(|e| at(&image, &e))?;
        }
        if !grow_in_use() {
            return self.grow_unmounted(node, &directory, &image).await;
        }
        self.mount_disk(node, &image).await?;
        let Some(device) = loop_device_of(&directory) else {
            return Err(Failure::transient("the disk is not mounted"));
        };
        // Also where an earlier attempt came only so far.
        let device = format!("/dev/{device}");
        run("losetup", &["--set-capacity", &device]).await?;
        run("resize2fs", &[&device]).await
    }

    async fn grow_unmounted(
        &self,
        node: &NodeId,
        directory: &Path,
        image: &Path,
    ) -> Result<(), Failure> {
        self.unmount_disk(node).await?;
        until_detached(directory).await?;
        let grown = async {
            // The file system's own program asks for a look first.
            run("e2fsck", &["-f", "-p", text(image)?]).await?;
            run("resize2fs", &[text(image)?]).await
        };
        let grown = grown.await;
        self.mount_disk(node, image).await?;
        grown
    }

    async fn unmount_disk(&self, node: &NodeId) -> Result<(), Failure> {
        let point = self.mount_point(node);
        while is_mounted(&point) {
            run("umount", &[text(&point)?]).await?;
        }
        Ok(())
    }

    /// Unmounts and deletes the disk, and verifies that nothing of it is left. No error when it is
    /// gone; another server's is left alone.
    pub(super) async fn remove_disk(&self, node: &NodeId) -> Result<(), Failure> {
        let name = Self::disk_name(node);
        let client = self.client().await?;
        let directory = match client.inspect_volume(&name).await {
            Ok(volume) if self.is_ours(&volume.labels) => Some(PathBuf::from(volume.mountpoint)),
            Ok(_) => return Ok(()),
            Err(error) if failure::is_gone(&error) => None,
            Err(error) => return Err(failure::of(&error)),
        };
        self.unmount_disk(node).await?;
        let point = self.mount_point(node);
        if point.exists() {
            std::fs::remove_dir(&point).map_err(|e| at(&point, &e))?;
        }
        let Some(directory) = directory else { return Ok(()) };
        until_detached(&directory).await?;
        match client.remove_volume(&name, None::<RemoveVolumeOptions>).await {
            Err(error) if !failure::is_gone(&error) => return Err(failure::of(&error)),
            _ => {}
        }
        match self.disk_directory(node).await? {
            Some(_) => Err(Failure::transient(format!("the volume {name} is still there"))),
            None => Ok(()),
        }
    }

    pub(super) async fn owned_disks(&self) -> Result<Vec<Owned>, Failure> {
        let filters = [("label".to_owned(), vec![format!("{OWNER}={}", self.options.owner)])];
        let options = ListVolumesOptions { filters: Some(filters.into()) };
        let list =
            self.client().await?.list_volumes(Some(options)).await.map_err(|e| failure::of(&e))?;
        let owned = |labels: &std::collections::HashMap<String, String>| {
            Some(Owned::Disk {
                cluster: labels.get(CLUSTER)?.as_str().into(),
                node: labels.get(NODE)?.as_str().into(),
            })
        };
        let volumes = list.volumes.unwrap_or_default();
        Ok(volumes.iter().filter_map(|volume| owned(&volume.labels)).collect())
    }
}

/// Whether the kernel lets this process make a mounted file system larger: it takes
/// `CAP_SYS_RESOURCE` (the ioctl `EXT4_IOC_RESIZE_FS`), which a server in a container may lack.
pub(super) fn grow_in_use() -> bool {
    const CAP_SYS_RESOURCE: u32 = 24;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let held = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let held = held.and_then(|text| u64::from_str_radix(text.trim(), 16).ok()).unwrap_or(0);
    held & (1 << CAP_SYS_RESOURCE) != 0
}

/// Whether this process may and can make disks.
pub(super) fn check() -> Result<(), Failure> {
    if !rustix::process::geteuid().is_root() {
        return Err(Failure::needs_person(NOT_ROOT));
    }
    for (program, package) in PROGRAMS {
        if !PATH.split(':').any(|directory| Path::new(directory).join(program).exists()) {
            return Err(Failure::needs_person(format!(
                "`{program}` is not installed; the package `{package}` has it"
            )));
        }
    }
    Ok(())
}

/// The file is sparse: what is written is what it takes, up to its size.
fn check_host_space(directory: &Path, size: Bytes) -> Result<(), Failure> {
    let stat = rustix::fs::statvfs(directory).map_err(|e| at(directory, &e.into()))?;
    let free = stat.f_bavail * stat.f_frsize;
    let needed = (size.0 / 10).max(HOST_FREE_MIN);
    if free < needed {
        return Err(Failure::needs_person(format!(
            "this machine's disk has {} free, a node's disk of {size} needs at least {}; free some \
             space or ask for a smaller disk",
            Bytes(free),
            Bytes(needed)
        )));
    }
    Ok(())
}

/// Whether it is not there, or is a file that nothing was ever written to.
fn is_blank(image: &Path) -> bool {
    let Ok(mut file) = std::fs::File::open(image) else { return !image.exists() };
    let holds_nothing = file.metadata().is_ok_and(|known| known.blocks() == 0);
    let mut beginning = Vec::new();
    let read = file.by_ref().take(1 << 16).read_to_end(&mut beginning);
    holds_nothing && read.is_ok() && beginning.iter().all(|byte| *byte == 0)
}

/// Under another name until it is complete and on the disk.
async fn make_image(image: &Path, size: Bytes) -> Result<(), Failure> {
    let directory = image.parent().unwrap_or(image);
    remove_unfinished(directory);
    // A name of its own: a program that a killed server left may still write to the former one.
    let new = image.with_extension(format!("{}.new", std::process::id()));
    let file = tokio::fs::File::create(&new).await.map_err(|e| at(&new, &e))?;
    file.set_len(size.0).await.map_err(|e| at(&new, &e))?;
    let options = "lazy_itable_init=1,lazy_journal_init=1,nodiscard";
    run("mkfs.ext4", &["-q", "-F", "-m", "0", "-E", options, text(&new)?]).await?;
    file.sync_all().await.map_err(|e| at(&new, &e))?;
    std::fs::rename(&new, image).map_err(|e| at(image, &e))?;
    let opened = tokio::fs::File::open(directory).await.map_err(|e| at(directory, &e))?;
    opened.sync_all().await.map_err(|e| at(directory, &e))
}

fn remove_unfinished(directory: &Path) {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    for path in entries.map(|entry| entry.path()) {
        if path.extension().is_some_and(|extension| extension == "new") {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Waits until the kernel has let go of the disk's file: it does so a moment after the unmounting.
async fn until_detached(directory: &Path) -> Result<(), Failure> {
    for _ in 0..DETACH_MAX.as_millis() / 10 {
        if loop_device_of(directory).is_none() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    match loop_device_of(directory) {
        None => Ok(()),
        Some(device) => Err(Failure::transient(format!(
            "the disk is unmounted and something still uses it as /dev/{device}"
        ))),
    }
}

/// The loop device over a file in this directory.
fn loop_device_of(directory: &Path) -> Option<String> {
    let devices = std::fs::read_dir("/sys/block").ok()?;
    devices.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).find(|device| {
        let file = std::fs::read_to_string(format!("/sys/block/{device}/loop/backing_file"));
        file.is_ok_and(|file| Path::new(file.trim_end()).starts_with(directory))
    })
}

fn is_mounted(point: &Path) -> bool {
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    mounts.lines().any(|line| line.split(' ').nth(1).map(Path::new) == Some(point))
}

fn text(path: &Path) -> Result<&str, Failure> {
    path.to_str().ok_or_else(|| Failure::permanent(format!("{} is no text", path.display())))
}

fn at(path: &Path, error: &std::io::Error) -> Failure {
    match error.kind() {
        std::io::ErrorKind::PermissionDenied => {
            Failure::needs_person(format!("{}: {error}; {NOT_ROOT}", path.display()))
        }
        std::io::ErrorKind::StorageFull => Failure::needs_person(format!(
            "this machine's disk is full ({}); free some space",
            path.display()
        )),
        _ => Failure::transient(format!("{}: {error}", path.display())),
    }
}

async fn run(program: &str, arguments: &[&str]) -> Result<(), Failure> {
    let output = tokio::process::Command::new(program)
        .args(arguments)
        .env("PATH", PATH)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|error| Failure::needs_person(format!("`{program}` cannot be run: {error}")))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    if said.contains("No space left on device") {
        return Err(Failure::needs_person(format!("this machine's disk is full: {said}")));
    }
    Err(Failure::transient(format!("`{program}` failed: {said}")))
}
