//! One JSON document per line over a stream: what the agent's processes speak among themselves.

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncBufReadExt, AsyncWrite, AsyncWriteExt as _};

/// Sends one document.
///
/// # Errors
/// When the other side is gone.
pub async fn send<T: Serialize>(
    stream: &mut (impl AsyncWrite + Unpin),
    message: &T,
) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(message).map_err(std::io::Error::other)?;
    line.push(b'\n');
    stream.write_all(&line).await
}

/// Receives one document; none at the end.
///
/// # Errors
/// When the line is no such document.
pub async fn receive<T: DeserializeOwned>(
    stream: &mut (impl AsyncBufReadExt + Unpin),
    line: &mut Vec<u8>,
) -> std::io::Result<Option<T>> {
    // What a cancelled call has read already stays in `line`.
    stream.read_until(b'\n', line).await?;
    if line.is_empty() {
        return Ok(None);
    }
    let message = serde_json::from_slice(line).map_err(std::io::Error::other);
    line.clear();
    message.map(Some)
}
