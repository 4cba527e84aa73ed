//! The sentry's Unix socket: worker and endpoint connect, and who wants to know the status.

use std::path::Path;

use bellwether_protocol::local::{FromSentry, ToSentry};
use tokio::io::BufReader;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tracing::debug;

use crate::lines;

/// What a local process says, with the way to answer it.
pub(super) struct FromLocal {
    pub(super) message: ToSentry,
    pub(super) answer: mpsc::Sender<FromSentry>,
}

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
    while let Ok((stream, _)) = listener.accept().await {
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
