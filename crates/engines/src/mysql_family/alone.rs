//! An engine over data that is not in use yet: only the agent reaches it. It writes no log of its
//! own, follows nobody, and may run beside the engine that serves.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use bellwether_contracts::Failure;
use bellwether_contracts::repository::Progress;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};

use super::OS_USER;
use super::node::Node;
use super::session::Session;
use super::words::Words;
use crate::files::remove;
use crate::process::failed;

/// Its socket.
const DIRECTORY: &str = "/run/bellwether/mysql-apart";

/// It answers within this time, or ends.
const START_MAX: Duration = Duration::from_secs(600);

/// Between two questions whether it answers.
const ASK_EVERY: Duration = Duration::from_millis(50);

/// Of what is run, told in one piece.
const PIECE_BYTES: usize = 256 << 10;

/// The programs of both take what was written in one event.
const PACKET: &str = "--max-allowed-packet=1G";

/// Failures of a client that reaches nobody any more begin so; others are the engine's own.
const UNREACHED: &str = "ERROR 2";

/// Ended when this is dropped.
pub(crate) struct Alone {
    child: Child,
    session: Session,
}

fn socket() -> PathBuf {
    Path::new(DIRECTORY).join("server.sock")
}

impl Node {
    /// Starts one over the data in that directory, which nothing else has open.
    pub(super) async fn start_apart(&self, data: &Path) -> Result<Alone, Failure> {
        let directory = Path::new(DIRECTORY);
        remove(directory)?;
        OS_USER.own_directory(directory)?;
        let child = self
            .processes
            .command(self.words.program)
            .args(["--no-defaults", "--skip-networking", "--skip-log-bin", PACKET])
            .args(["--performance-schema=OFF", "--event-scheduler=OFF"])
            .arg("--default-time-zone=+00:00")
            // Data that is not complete is thrown away.
            .arg("--innodb-flush-log-at-trx-commit=0")
            .args(self.words.alone)
            .arg(format!("--datadir={}", data.display()))
            .arg(format!("--socket={}", socket().display()))
            .arg(format!("--pid-file={DIRECTORY}/server.pid"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| Failure::permanent(format!("an engine apart: {error}")))?;
        let mut alone = Alone { child, session: Session::at(&socket()) };
        let end = Instant::now() + START_MAX;
        while alone.session.query("SELECT 1").await.is_err() {
            if matches!(alone.child.try_wait(), Ok(Some(_))) {
                return Err(Failure::transient("an engine apart ended while it started"));
            }
            if Instant::now() > end {
                return Err(Failure::transient("an engine apart does not come to answer"));
            }
            tokio::time::sleep(ASK_EVERY).await;
        }
        Ok(alone)
    }
}

impl Alone {
    /// How many transactions the data holds, where the engine knows that without its log.
    pub(super) async fn logged(&self, words: &Words) -> Result<u64, Failure> {
        let rows = self.session.query(words.logged).await?;
        Ok(rows.first().map(words.place).unwrap_or_default().offset)
    }

    /// Runs what files of the log hold from there on.
    pub(super) async fn run_log(
        &self,
        node: &Node,
        from: &str,
        files: &[PathBuf],
        progress: Progress<'_>,
    ) -> Result<(), Failure> {
        let mut read = node.command(node.words.log_reader);
        read.args(["--no-defaults", "--verify-binlog-checksum", from]).args(files);
        let (read, ran) = run_log(&mut read, node.words.client, &socket(), progress).await?;
        let (read_said, ran_said) = (said(&read), said(&ran));
        if !ran.status.success() {
            let what = "the log that was kept cannot be run";
            let failure = failed(what, &ran_said);
            let is_final = ran_said.contains("ERROR ") && !ran_said.contains(UNREACHED);
            return Err(if is_final { Failure::permanent(failure.text) } else { failure });
        }
        match read.status.success() {
            true => Ok(()),
            false => Err(Failure::permanent(
                failed("the log that was kept cannot be read", &read_said).text,
            )),
        }
    }

    /// Stops it in an orderly way.
    pub(super) async fn stop(mut self) -> Result<(), Failure> {
        self.session.execute(&["SHUTDOWN"]).await?;
        self.session.forget().await;
        match tokio::time::timeout(START_MAX, self.child.wait()).await {
            Ok(Ok(ended)) if ended.success() => Ok(()),
            _ => Err(Failure::transient("an engine apart did not stop in an orderly way")),
        }
    }
}

/// Has a client run what a program reads from the log, as the superuser of the engine at that
/// socket, which lies in a closed directory; how both ended.
pub(crate) async fn run_log(
    read: &mut Command,
    client: &str,
    socket: &Path,
    progress: Progress<'_>,
) -> Result<(Output, Output), Failure> {
    let broken = |error: std::io::Error| Failure::transient(format!("running the log: {error}"));
    let mut reader = read
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(broken)?;
    let mut runner = Command::new(Path::new("/usr/bin").join(client))
        .args(["--no-defaults", "--binary-mode", PACKET, "--user=root"])
        .arg(format!("--socket={}", socket.display()))
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("TZ", "UTC")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(broken)?;
    let (output, input) = (reader.stdout.take(), runner.stdin.take());
    let pass = async move {
        let (Some(mut output), Some(mut input)) = (output, input) else { return Ok(()) };
        let (mut piece, mut done) = (vec![0; PIECE_BYTES], 0);
        loop {
            let read = output.read(&mut piece).await?;
            // A client that ended early says why below.
            if read == 0 || input.write_all(&piece[..read]).await.is_err() {
                return Ok::<_, std::io::Error>(());
            }
            done += read as u64;
            progress(done, done);
        }
    };
    let (passed, read, ran) =
        tokio::join!(pass, reader.wait_with_output(), runner.wait_with_output());
    passed.map_err(broken)?;
    Ok((read.map_err(broken)?, ran.map_err(broken)?))
}

pub(crate) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).trim().to_owned()
}
