//! A real server of a test's own: own data directory, own ports, own mark on what it makes.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};

use crate::api::Api;
use crate::docker::docker;
use crate::ports::free_port;
use crate::wait::until;

/// Killed, and all that it made removed, when dropped.
pub struct Server {
    directory: tempfile::TempDir,
    ports: (u16, u16),
    process: Option<Child>,
    /// Options beside those that every test's server has.
    options: Vec<String>,
}

fn program(variable: &str) -> anyhow::Result<PathBuf> {
    let path = std::env::var_os(variable)
        .with_context(|| format!("{variable} must name the program under test; `make` sets it"))?;
    Ok(path.into())
}

impl Server {
    /// Starts a server with nothing in it.
    ///
    /// # Errors
    /// When a program is missing or the server does not come up.
    pub async fn start() -> anyhow::Result<(Self, Api)> {
        Self::start_with(&[]).await
    }

    /// The same with further options, in force also after a restart.
    ///
    /// # Errors
    /// When a program is missing or the server does not come up.
    pub async fn start_with(options: &[&str]) -> anyhow::Result<(Self, Api)> {
        let directory = tempfile::Builder::new().prefix("bellwether-test-").tempdir()?;
        let ports = (free_port("::")?, free_port("127.0.0.1")?);
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        let mut server = Self { directory, ports, process: None, options };
        let api = server.restart().await?;
        Ok((server, api))
    }

    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports.1)
    }

    /// The TLS port, where agents dial.
    #[must_use]
    pub fn agent_port(&self) -> u16 {
        self.ports.0
    }

    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The server's log so far.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    /// Starts the server's process again over the same data.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn restart(&mut self) -> anyhow::Result<Api> {
        self.kill();
        let data = self.directory.path().join("data");
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.directory.path().join("log"))?;
        let process = Command::new(program("BELLWETHER_BIN")?)
            .arg("server")
            .arg("--data")
            .arg(&data)
            .args(["--listen", &format!("[::]:{}", self.ports.0)])
            .args(["--local", &format!("127.0.0.1:{}", self.ports.1)])
            .arg("--agent-binary")
            .arg(program("BELLWETHER_AGENT_BIN")?)
            .args(&self.options)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("start the server")?;
        self.process = Some(process);
        let url = self.url();
        until("the server answers", Duration::from_secs(20), || async {
            let password = std::fs::read_to_string(data.join("first-password"))?;
            Api::sign_in(&url, "admin", password.trim()).await
        })
        .await
        .with_context(|| format!("the server's log:\n{}", self.log()))
    }

    /// Kills the server's process at once (SIGKILL).
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Lets the server's process stand still.
    ///
    /// # Errors
    /// When it does not run.
    pub fn freeze(&self) -> anyhow::Result<()> {
        self.signal("STOP")
    }

    /// Lets it go on.
    ///
    /// # Errors
    /// When it does not run.
    pub fn thaw(&self) -> anyhow::Result<()> {
        self.signal("CONT")
    }

    fn signal(&self, name: &str) -> anyhow::Result<()> {
        let process = self.process.as_ref().context("the server does not run")?;
        let status = Command::new("kill").args(["-s", name, &process.id().to_string()]).status();
        anyhow::ensure!(status.context("run kill")?.success(), "no SIG{name} for the server");
        Ok(())
    }

    /// What the server has on its disk, to be put back later.
    ///
    /// # Errors
    /// When it cannot be copied.
    pub fn back_up(&self) -> anyhow::Result<tempfile::TempDir> {
        let copy = tempfile::Builder::new().prefix("bellwether-test-").tempdir()?;
        self.copy(&self.directory.path().join("data"), copy.path())?;
        Ok(copy)
    }

    /// Kills the server and puts an earlier copy in the place of what it has on its disk.
    ///
    /// # Errors
    /// When that cannot be done.
    pub fn restore(&mut self, copy: &Path) -> anyhow::Result<()> {
        self.kill();
        let data = self.directory.path().join("data");
        std::fs::remove_dir_all(&data)?;
        self.copy(copy, &data)
    }

    fn copy(&self, from: &Path, to: &Path) -> anyhow::Result<()> {
        std::fs::create_dir_all(to)?;
        let status = Command::new("cp").arg("-a").arg(from.join(".")).arg(to).status();
        anyhow::ensure!(status.context("run cp")?.success(), "{} not copied", from.display());
        Ok(())
    }

    /// Fails if the log has an ERROR: something a person would have had to mend.
    ///
    /// # Errors
    /// With the lines.
    pub fn check_log(&self) -> anyhow::Result<()> {
        let log = self.log();
        let errors: Vec<&str> = log.lines().filter(|line| line.contains(" ERROR ")).collect();
        if !errors.is_empty() {
            bail!("the server's log has errors:\n{}", errors.join("\n"));
        }
        Ok(())
    }

    fn owner(&self) -> Option<String> {
        // The server writes the mark that its machines carry beside its data.
        let path = self.directory.path().join("data").join("instance");
        std::fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        // Test runners keep it to themselves unless the test failed.
        if std::env::var_os("NEXTEST").is_some() || std::thread::panicking() {
            eprintln!("--- the server's log ---\n{}", self.log());
        }
        if std::env::var_os("BELLWETHER_KEEP").is_some() {
            return;
        }
        let Some(owner) = self.owner() else { return };
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/clean-nodes");
        let filter = format!("label=org.bellwether.owner={owner}");
        let left = docker(&["ps", "-aq", "--filter", &filter]).unwrap_or_default();
        let networks = docker(&["network", "ls", "-q", "--filter", &filter]).unwrap_or_default();
        if !left.is_empty() || !networks.is_empty() {
            let _ = Command::new(script).arg(&owner).stdout(Stdio::null()).status();
        }
    }
}
