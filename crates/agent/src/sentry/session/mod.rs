//! The session with the server: dialled out, kept for ever, begun anew when it breaks.

use std::time::Duration;

use anyhow::{Context as _, bail};
use bellwether_protocol::session::{MESSAGE_BYTES_MAX, PATH};
use bellwether_protocol::{FromAgent, FromServer};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::sync::{mpsc, watch};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tracing::{debug, info, warn};

use crate::join::{Identity, dial};
use crate::sentry::hands::FromSession;

/// Dialling and greeting.
const DIAL_MAX: Duration = Duration::from_secs(3);

/// Before the next attempt: at first, and at most.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// A message that cannot be sent for so long.
const SEND_MAX: Duration = Duration::from_secs(5);

/// Keeps a session. Messages to send come in; while there is no session they are dropped, for each
/// report holds everything.
pub(super) async fn keep(
    servers: Vec<String>,
    identity: watch::Receiver<Identity>,
    mut outgoing: mpsc::Receiver<FromAgent>,
    incoming: mpsc::Sender<FromSession>,
) {
    let mut back_off = BACK_OFF.0;
    let mut is_news = true;
    for server in servers.iter().cycle() {
        let who = identity.borrow().clone();
        let attempt = tokio::time::timeout(DIAL_MAX, open(server, &who)).await;
        let result = match attempt {
            Ok(Ok(socket)) => {
                while outgoing.try_recv().is_ok() {}
                if incoming.send(FromSession::Connected).await.is_err() {
                    return;
                }
                let (was_heard, result) = talk(socket, &mut outgoing, &incoming).await;
                if was_heard {
                    (is_news, back_off) = (true, BACK_OFF.0);
                }
                if incoming.send(FromSession::Disconnected).await.is_err() {
                    return;
                }
                result
            }
            Ok(Err(error)) => Err(error),
            Err(_) => Err(anyhow::anyhow!("it did not answer in time")),
        };
        match result {
            Ok(()) => return,
            Err(error) if std::mem::replace(&mut is_news, false) => {
                warn!("no session with the server {server}: {error:#}; trying again");
            }
            Err(error) => debug!("no session with the server {server}: {error:#}"),
        }
        tokio::time::sleep(back_off).await;
        back_off = (back_off * 2).min(BACK_OFF.1);
    }
}

type Socket =
    tokio_tungstenite::WebSocketStream<tokio_rustls::client::TlsStream<tokio::net::TcpStream>>;

async fn open(server: &str, identity: &Identity) -> anyhow::Result<Socket> {
    let stream = dial(server, &identity.ca_certificate, Some(identity)).await?;
    let config = WebSocketConfig::default()
        .read_buffer_size(4 * 1024)
        .write_buffer_size(0)
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX));
    let request = format!("wss://bellwether{PATH}");
    let (socket, _) =
        tokio_tungstenite::client_async_with_config(request, stream, Some(config)).await?;
    Ok(socket)
}

/// Talks until the session breaks; whether the server said anything, and why it ended.
async fn talk(
    socket: Socket,
    outgoing: &mut mpsc::Receiver<FromAgent>,
    incoming: &mpsc::Sender<FromSession>,
) -> (bool, anyhow::Result<()>) {
    let mut was_heard = false;
    let result = exchange(socket, outgoing, incoming, &mut was_heard).await;
    (was_heard, result)
}

async fn exchange(
    socket: Socket,
    outgoing: &mut mpsc::Receiver<FromAgent>,
    incoming: &mpsc::Sender<FromSession>,
    was_heard: &mut bool,
) -> anyhow::Result<()> {
    let (mut sink, mut stream) = socket.split();
    loop {
        tokio::select! {
            message = outgoing.recv() => {
                let Some(message) = message else { return Ok(()) };
                let text = serde_json::to_string(&message)?;
                let sending = sink.send(Message::Text(text.into()));
                tokio::time::timeout(SEND_MAX, sending).await.context("it takes nothing in")??;
            }
            message = stream.next() => match message {
                Some(Ok(Message::Text(text))) => {
                    let message: FromServer = serde_json::from_str(text.as_str())
                        .context("it said something this agent does not understand")?;
                    if let FromServer::Refused { reason } = &message {
                        bail!("it refuses this agent: {reason}");
                    }
                    if !std::mem::replace(was_heard, true) {
                        info!("in session with the server");
                    }
                    incoming.send(FromSession::Message(Box::new(message))).await?;
                }
                Some(Ok(Message::Close(_))) | None => bail!("it has closed the session"),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error.into()),
            },
        }
    }
}

#[cfg(test)]
mod tests;
