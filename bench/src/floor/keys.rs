//! The floor of Valkey and Redis.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use bellwether_testkit::docker::docker;
use bellwether_testkit::wait::until;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A container with an engine in it; removed when dropped.
struct Bare {
    container: String,
    address: String,
}

impl Bare {
    fn start(engine: &str, of: Option<&Self>) -> anyhow::Result<Self> {
        let image = format!("bellwether/node-{engine}:8");
        let (server, from) = (format!("{engine}-server"), of.map(|of| of.address.as_str()));
        let mut run = vec!["run", "--detach", "--rm", "--entrypoint", &server, &image];
        run.extend(["--protected-mode", "no", "--repl-diskless-sync-delay", "0"]);
        if let Some(from) = from {
            run.extend(["--replicaof", from, "6379"]);
        }
        let container = docker(&run)?;
        let format = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
        let address = docker(&["inspect", "--format", format, &container])?;
        Ok(Self { container, address })
    }

    async fn connect(&self) -> anyhow::Result<TcpStream> {
        Ok(TcpStream::connect((self.address.as_str(), 6379)).await?)
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        let _ = docker(&["rm", "--force", "--volumes", &self.container]);
    }
}

/// Says a line; the first piece of what is answered.
async fn say(stream: &mut TcpStream, line: &str) -> anyhow::Result<String> {
    stream.write_all(format!("{line}\r\n").as_bytes()).await?;
    let mut answer = vec![0; 8192];
    let read = tokio::time::timeout(Duration::from_secs(1), stream.read(&mut answer)).await??;
    let answer = String::from_utf8_lossy(&answer[..read]).into_owned();
    ensure!(read > 0 && !answer.starts_with('-'), "{line}: {answer}");
    Ok(answer)
}

pub(super) async fn measure(engine: &str) -> anyhow::Result<f64> {
    let (primary, replica) = tokio::task::block_in_place(|| {
        let primary = Bare::start(engine, None)?;
        let replica = Bare::start(engine, Some(&primary))?;
        anyhow::Ok((primary, replica))
    })?;
    let limit = Duration::from_secs(20);
    let mut promoter = until("the replica answers", limit, || replica.connect()).await?;
    until("the replica follows", limit, || async {
        let mut stream = replica.connect().await?;
        let said = say(&mut stream, "INFO replication").await?;
        ensure!(said.contains("master_link_status:up"), "not yet");
        Ok(())
    })
    .await?;
    let mut writer = primary.connect().await?;
    let container = primary.container.clone();
    let mut kill = tokio::task::spawn_blocking(move || docker(&["kill", &container]));
    let mut last = Instant::now();
    while say(&mut writer, "SET key value").await.is_ok() {
        last = Instant::now();
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    say(&mut promoter, "REPLICAOF NO ONE").await?;
    let mut writer = replica.connect().await?;
    say(&mut writer, "SET key value").await.context("the first write")?;
    let gap = last.elapsed();
    (&mut kill).await??;
    Ok(gap.as_secs_f64() * 1_000.0)
}
