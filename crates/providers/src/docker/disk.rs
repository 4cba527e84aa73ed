//! A machine's disk: a sparse file in a labelled volume, with a file system of the size asked for,
//! mounted on the host; the machine is given a directory within it.
//!
//! The directory within, not the root, is bound: when the host was started anew and nothing is
//! mounted yet, the container then refuses to start instead of writing to an empty directory.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use bellwether_contracts::Failure;
use bellwether_contracts::provider::Owned;
use bellwether_model::{Bytes, ClusterId, NodeId};
use bollard::models::VolumeCreateRequest;
use bollard::query_parameters::{ListVolumesOptions, RemoveVolumeOptions};

use super::{CLUSTER, Docker, NODE, OWNER, failure};

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
            name: Some(name),
            labels: Some(self.labels(cluster, Some(node))),
            ..VolumeCreateRequest::default()
        };
        let volume =
            self.client().await?.create_volume(volume).await.map_err(|e| failure::of(&e))?;
        let image = Path::new(&volume.mountpoint).join("disk.img");
        if !image.exists() {
            check_host_space(Path::new(&volume.mountpoint), size)?;
            make_image(&image, size).await?;
        }
        self.mount_disk(node, &image).await
    }

    /// Mounts the disk of a machine that exists; where it was mounted, does nothing.
    pub(super) async fn remount_disk(&self, node: &NodeId) -> Result<(), Failure> {
        let name = Self::disk_name(node);
        let volume =
            self.client().await?.inspect_volume(&name).await.map_err(|e| failure::of(&e))?;
        self.mount_disk(node, &Path::new(&volume.mountpoint).join("disk.img")).await.map(|_| ())
    }

    async fn mount_disk(&self, node: &NodeId, image: &Path) -> Result<PathBuf, Failure> {
        let point = self.mount_point(node);
        if !is_mounted(&point) {
            std::fs::create_dir_all(&point).map_err(|e| at(&point, &e))?;
            run("mount", &["-o", "loop,noatime,discard", text(image)?, text(&point)?]).await?;
        }
        let data = point.join("data");
        std::fs::create_dir_all(&data).map_err(|e| at(&data, &e))?;
        Ok(data)
    }

    /// Unmounts and deletes the disk. No error when it is gone.
    pub(super) async fn remove_disk(&self, node: &NodeId) -> Result<(), Failure> {
        let point = self.mount_point(node);
        while is_mounted(&point) {
            run("umount", &[text(&point)?]).await?;
        }
        if point.exists() {
            std::fs::remove_dir(&point).map_err(|e| at(&point, &e))?;
        }
        let client = self.client().await?;
        let name = Self::disk_name(node);
        match client.remove_volume(&name, None::<RemoveVolumeOptions>).await {
            Err(error) if !failure::is_gone(&error) => Err(failure::of(&error)),
            _ => Ok(()),
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

async fn make_image(image: &Path, size: Bytes) -> Result<(), Failure> {
    let new = image.with_extension("new");
    let file = std::fs::File::create(&new).map_err(|e| at(&new, &e))?;
    file.set_len(size.0).map_err(|e| at(&new, &e))?;
    drop(file);
    let options = "lazy_itable_init=1,lazy_journal_init=1,nodiscard";
    run("mkfs.ext4", &["-q", "-F", "-m", "0", "-E", options, text(&new)?]).await?;
    std::fs::rename(&new, image).map_err(|e| at(image, &e))
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
        std::io::ErrorKind::PermissionDenied => Failure::needs_person(format!(
            "{}: {error}; the server must run as root to make disks of a fixed size",
            path.display()
        )),
        _ => Failure::transient(format!("{}: {error}", path.display())),
    }
}

async fn run(program: &str, arguments: &[&str]) -> Result<(), Failure> {
    let output = tokio::process::Command::new(program)
        .args(arguments)
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|error| Failure::needs_person(format!("`{program}` cannot be run: {error}")))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(Failure::transient(format!("`{program}` failed: {said}")))
}
