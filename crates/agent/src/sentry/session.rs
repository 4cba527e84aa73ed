//! The session with the server: dialled out, kept for ever, begun anew when it breaks.

use std::time::Duration;

use bellwether_protocol::session::{MESSAGE_BYTES_MAX, PATH};
use bellwether_protocol::{FromAgent, FromServer};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tracing::{info, warn};

use crate::join::{Identity, dial};

/// Dialling and greeting.
const DIAL_MAX: Duration = Duration::from_secs(5);

/// Before the next attempt: at first, and at most.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// A server that says nothing for so long is gone: it acknowledges a primary's every report, and a
/// replica's session is tried by sending.
const SEND_MAX: Duration = Duration::from_secs(5);

/// What the session tells the sentry.
pub(super) enum FromSession {
    Connected,
    Disconnected,
    Message(Box<FromServer>),
}

/// Keeps a session. Messages to send come in; while there is no session they are dropped, for each
/// report holds everything.
pub(super) async fn keep(
    servers: Vec<String>,
    identity: Identity,
    mut outgoing: mpsc::Receiver<FromAgent>,
    incoming: mpsc::Sender<FromSession>,
) {
    let mut back_off = BACK_OFF.0;
    let mut was_connected = true;
    for server in servers.iter().cycle() {
        let attempt = tokio::time::timeout(DIAL_MAX, open(server, &identity)).await;
        let result = match attempt {
            Ok(Ok(socket)) => {
                info!("connected to the server");
                (was_connected, back_off) = (true, BACK_OFF.0);
                while outgoing.try_recv().is_ok() {}
                if incoming.send(FromSession::Connected).await.is_err() {
                    return;
                }
                let result = talk(socket, &mut outgoing, &incoming).await;
                if incoming.send(FromSession::Disconnected).await.is_err() {
                    return;
                }
                result
            }
            Ok(Err(error)) => Err(error),
            Err(_) => Err(anyhow::anyhow!("it did not answer in time")),
        };
        if let Err(error) = result
            && std::mem::replace(&mut was_connected, false)
        {
            warn!("no session with the server: {error:#}; trying again");
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

async fn talk(
    socket: Socket,
    outgoing: &mut mpsc::Receiver<FromAgent>,
    incoming: &mpsc::Sender<FromSession>,
) -> anyhow::Result<()> {
    let (mut sink, mut stream) = socket.split();
    loop {
        tokio::select! {
            message = outgoing.recv() => {
                let Some(message) = message else { return Ok(()) };
                let text = serde_json::to_string(&message)?;
                tokio::time::timeout(SEND_MAX, sink.send(Message::Text(text.into()))).await??;
            }
            message = stream.next() => match message {
                Some(Ok(Message::Text(text))) => {
                    let message: FromServer = serde_json::from_str(text.as_str())?;
                    if let FromServer::Refused { reason } = &message {
                        anyhow::bail!("the server refuses this agent: {reason}");
                    }
                    incoming.send(FromSession::Message(Box::new(message))).await?;
                }
                Some(Ok(Message::Close(_))) | None => anyhow::bail!("the server has closed it"),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error.into()),
            },
        }
    }
}
