//! The sentry's Unix socket: worker and endpoint connect, and who wants to know the status.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use bellwether_protocol::local::{FromSentry, ToSentry};
use tokio::io::BufReader;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tracing::debug;

use super::hands::FromLocal;
use crate::lines;
use crate::paths::Paths;

/// Listens; the socket belongs to root alone.
pub(super) fn listen(path: &Path) -> std::io::Result<UnixListener> {
    use std::os::unix::fs::PermissionsExt as _;
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory)?;
    }
    let _ = std::fs::remove_file(path);
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

pub(super) async fn accept(listener: UnixListener, incoming: mpsc::Sender<FromLocal>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors, most likely: others close some meanwhile.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let incoming = incoming.clone();
        tokio::spawn(async move {
            if let Err(error) = talk(stream, incoming).await {
                debug!("a local connection has ended: {error}");
            }
        });
    }
}

async fn talk(stream: UnixStream, incoming: mpsc::Sender<FromLocal>) -> anyhow::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::new(read);
    let (answer, mut answers) = mpsc::channel(16);
    let mut line = Vec::new();
    loop {
        tokio::select! {
            message = lines::receive::<ToSentry>(&mut read, &mut line) => match message? {
                Some(message) => {
                    incoming.send(FromLocal { message, answer: answer.clone() }).await?;
                }
                None => return Ok(()),
            },
            message = answers.recv() => if let Some(message) = message {
                lines::send(&mut write, &message).await?;
            },
        }
    }
}

/// Asks the sentry of this node what it reported last and prints it.
///
/// # Errors
/// When no sentry runs here.
pub async fn print_status(paths: &Paths) -> anyhow::Result<()> {
    let stream = UnixStream::connect(&paths.socket).await.context("no sentry runs here")?;
    let (read, mut write) = stream.into_split();
    lines::send(&mut write, &ToSentry::Status).await?;
    let status: Option<FromSentry> =
        lines::receive(&mut BufReader::new(read), &mut Vec::new()).await?;
    let text = serde_json::to_string_pretty(&status)?;
    std::io::Write::write_all(&mut std::io::stdout(), format!("{text}\n").as_bytes())?;
    Ok(())
}
