//! A real S3 server of a test's own, on the host, where nodes reach it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::docker::docker;
use crate::ports::free_port;
use crate::wait::until;

/// Killed when dropped; what was stored in it goes with it.
pub struct S3 {
    process: Option<Child>,
    host: String,
    port: u16,
}

impl S3 {
    /// Starts one with nothing in it.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn start() -> anyhow::Result<Self> {
        // The host's address on Docker's own bridge is reached from every network of nodes.
        let format = "{{(index .IPAM.Config 0).Gateway}}";
        let host = docker(&["network", "inspect", "bridge", "--format", format])?;
        let port = free_port(&host)?;
        let mut server = Self { process: None, host, port };
        server.run().await?;
        Ok(server)
    }

    async fn run(&mut self) -> anyhow::Result<()> {
        let program = program()?;
        let process = Command::new(program)
            .args(["-H", &self.host, "-p", &self.port.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("start moto_server")?;
        self.process = Some(process);
        let address = (self.host.clone(), self.port);
        until("the S3 server answers", Duration::from_secs(30), || async {
            tokio::net::TcpStream::connect(&address).await.map(|_| ()).map_err(Into::into)
        })
        .await
    }

    /// Takes everything that is stored in it away.
    ///
    /// # Errors
    /// When it does not do so.
    pub async fn clear(&self) -> anyhow::Result<()> {
        let mut stream = tokio::net::TcpStream::connect((self.host.as_str(), self.port)).await?;
        let request = format!("POST /moto-api/reset HTTP/1.0\r\nHost: {}\r\n\r\n", self.host);
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        anyhow::ensure!(answer.contains(" 200 "), "{answer}");
        Ok(())
    }

    /// Changes some bytes in the middle of the largest thing in a bucket.
    ///
    /// # Errors
    /// When it does not do so.
    pub fn damage(&self, bucket: &str) -> anyhow::Result<()> {
        let script = "import sys, boto3\n\
            s3 = boto3.client('s3', endpoint_url=sys.argv[1], aws_access_key_id='access', \
                aws_secret_access_key='secret', region_name='us-east-1')\n\
            listed = s3.list_objects_v2(Bucket=sys.argv[2])['Contents']\n\
            key = max(listed, key=lambda one: one['Size'])['Key']\n\
            body = bytearray(s3.get_object(Bucket=sys.argv[2], Key=key)['Body'].read())\n\
            middle = len(body) // 2\n\
            for at in range(middle, middle + 64): body[at] ^= 255\n\
            s3.put_object(Bucket=sys.argv[2], Key=key, Body=bytes(body))\n";
        let told = Command::new(python()?).args(["-c", script, &self.url(), bucket]).output()?;
        let said = String::from_utf8_lossy(&told.stderr).into_owned();
        anyhow::ensure!(told.status.success(), "{said}");
        Ok(())
    }

    /// Lets it answer no more, without losing what is in it.
    ///
    /// # Errors
    /// When it does not run.
    pub fn freeze(&self, is_frozen: bool) -> anyhow::Result<()> {
        let id = self.process.as_ref().context("it runs")?.id().to_string();
        let signal = if is_frozen { "-STOP" } else { "-CONT" };
        let status = Command::new("kill").args([signal, &id]).status()?;
        anyhow::ensure!(status.success(), "it could not be told");
        Ok(())
    }

    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}:{}", self.host, self.port)
    }

    /// A repository in a bucket of that name.
    #[must_use]
    pub fn repository(&self, name: &str, bucket: &str) -> Value {
        json!({
            "name": name,
            "place": {
                "kind": "s3", "endpoint": self.url(), "bucket": bucket, "access_key": "access",
            },
            "secret": "secret",
        })
    }
}

/// The S3 server's program, installed where it was not.
fn program() -> anyhow::Result<PathBuf> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/ensure-s3");
    let told = Command::new(script).output().context("run scripts/ensure-s3")?;
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    told.lines().last().map(PathBuf::from).context("scripts/ensure-s3 names the program")
}

/// A Python with what stores of tests are made of.
pub(crate) fn python() -> anyhow::Result<PathBuf> {
    Ok(program()?.with_file_name("python3"))
}

impl Drop for S3 {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}
