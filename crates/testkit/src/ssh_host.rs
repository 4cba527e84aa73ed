//! A host of a test's own that is reached by SSH and serves Borg, on the machine of the test.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use crate::docker::docker;
use crate::ports::free_port;
use crate::s3::python;
use crate::wait::until;

/// Killed when dropped; what was stored on it goes with it.
pub struct SshHost {
    process: Child,
    directory: tempfile::TempDir,
    address: String,
    port: u16,
}

impl SshHost {
    /// Starts one with nothing on it.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn start() -> anyhow::Result<Self> {
        // The host's address on Docker's own bridge is reached from every network of nodes.
        let format = "{{(index .IPAM.Config 0).Gateway}}";
        let address = docker(&["network", "inspect", "bridge", "--format", format])?;
        let port = free_port(&address)?;
        let directory = tempfile::Builder::new().prefix("bellwether-test-").tempdir()?;
        let python = python()?;
        for name in ["host", "client"] {
            let path = directory.path().join(name);
            let status = Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-C", "test", "-f"])
                .arg(path)
                .status()?;
            ensure!(status.success(), "no key was made");
        }
        std::fs::copy(directory.path().join("client.pub"), directory.path().join("authorized"))?;
        let process = Command::new(python)
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ssh_host.py"))
            .args([&address, &port.to_string()])
            .arg(directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .context("start the host")?;
        let host = Self { process, directory, address, port };
        let address = (host.address.clone(), port);
        until("the host answers", Duration::from_secs(30), || async {
            tokio::net::TcpStream::connect(&address).await.map(|_| ()).map_err(Into::into)
        })
        .await?;
        Ok(host)
    }

    fn read(&self, name: &str) -> anyhow::Result<String> {
        Ok(std::fs::read_to_string(self.directory.path().join(name))?)
    }

    /// The public half of the key that is let in.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn public_key(&self) -> anyhow::Result<String> {
        let text = self.read("client.pub")?;
        Ok(text.split(' ').take(2).collect::<Vec<_>>().join(" "))
    }

    /// A repository in a directory of that name.
    ///
    /// # Errors
    /// When the keys cannot be read.
    pub fn repository(&self, name: &str) -> anyhow::Result<Value> {
        let host_key = self.read("host.pub")?;
        let host_key: Vec<&str> = host_key.split(' ').take(2).collect();
        Ok(json!({
            "name": name,
            "place": {
                "kind": "borg", "user": "backup", "host": self.address, "port": self.port,
                "path": self.directory.path().join("stored"), "host_key": host_key.join(" "),
            },
            "secret": self.read("client")?,
        }))
    }
}

impl Drop for SshHost {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
