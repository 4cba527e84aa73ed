//! How a client comes in: TLS, what it wants, and who it is.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::PostgresSessions;
use super::messages::{self, Message, authentication, message};
use super::scram::{self, Refusal, Shown};
use super::wire::Tls;
use crate::passing::Client;
use crate::postgres::{PROBE_USER, REPLICATION_USER, REWIND_USER, SUPERUSER};

/// The whole of it, as with the engine's `authentication_timeout`.
const LOGIN_MAX: Duration = Duration::from_secs(60);

/// The engine's own limit of a first message.
const STARTUP_BYTES_MAX: usize = 10_000;

/// Numbers in the place of a version (PostgreSQL's manual, "Message Formats").
const CANCEL: u32 = 0x04d2_162e;
const ASK_TLS: u32 = 0x04d2_162f;
const ASK_GSS: u32 = 0x04d2_1630;

/// The version that is spoken: 3.0.
const VERSION: u32 = 0x0003_0000;

/// The first byte of TLS, for clients that begin with it at once.
const TLS_HANDSHAKE: u8 = 0x16;

/// Who has come.
pub(super) enum Came {
    /// A user, let in, with what it wants of its session.
    User { client: Client, startup: Startup, shown: Shown },
    /// Somebody who wants a statement to end, and has the key to it.
    Cancel(Vec<u8>),
}

/// What a client asks for at its start.
pub(super) struct Startup {
    pub(super) user: Vec<u8>,
    /// Names and values, each ended by a zero, as they are sent on.
    pub(super) parameters: Vec<u8>,
}

/// Why nobody has come in; the client has been told.
pub(super) struct Ended;

impl From<io::Error> for Ended {
    fn from(_: io::Error) -> Self {
        Self
    }
}

impl PostgresSessions {
    /// Lets a client in, or tells it why not.
    pub(super) async fn let_in(&self, stream: TcpStream) -> Result<Came, Ended> {
        let coming = self.come(stream);
        tokio::time::timeout(LOGIN_MAX, coming).await.unwrap_or(Err(Ended))
    }

    async fn come(&self, mut stream: TcpStream) -> Result<Came, Ended> {
        let tls = self.tls().ok_or(Ended)?;
        let mut first = [0];
        // Each offer of encryption is answered once.
        for _ in 0..3 {
            if stream.peek(&mut first).await? == 0 {
                return Err(Ended);
            }
            if first[0] == TLS_HANDSHAKE {
                return self.come_encrypted(&tls, tls.accept(stream).await?).await;
            }
            let (number, body) = read_first(&mut stream).await?;
            match number {
                ASK_TLS => {
                    stream.write_all(b"S").await?;
                    return self.come_encrypted(&tls, tls.accept(stream).await?).await;
                }
                ASK_GSS => stream.write_all(b"N").await?,
                CANCEL => return Ok(Came::Cancel(body)),
                _ => {
                    let words = "no encryption: connections have to use TLS; \
                                 set sslmode=require or better";
                    stream.write_all(&messages::fatal("28000", words)).await?;
                    return Err(Ended);
                }
            }
        }
        Err(Ended)
    }

    async fn come_encrypted(&self, tls: &Tls, mut client: Client) -> Result<Came, Ended> {
        let (number, body) = read_first(&mut client).await?;
        if number == CANCEL {
            return Ok(Came::Cancel(body));
        }
        if number >> 16 != VERSION >> 16 {
            let words = "this version of the protocol is not supported; 3.0 is";
            return Err(tell(client, "0A000", words).await);
        }
        let Some((startup, unknown)) = Startup::read(&body) else {
            return Err(tell(client, "08P01", "the first message is malformed").await);
        };
        if startup.user.is_empty() {
            return Err(tell(client, "28000", "no user name was given").await);
        }
        if let Some(words) = startup.rejected() {
            return Err(tell(client, "28000", &words).await);
        }
        if number != VERSION || !unknown.is_empty() {
            client.write_all(&negotiate(&unknown)).await?;
        }
        let shown = self.check(tls, &mut client, &startup.user).await;
        match shown {
            Ok(shown) => Ok(Came::User { client, startup, shown }),
            Err(Some(Refusal::Wrong)) => {
                let user = String::from_utf8_lossy(&startup.user);
                let words = format!("password authentication failed for user \"{user}\"");
                Err(tell(client, "28P01", &words).await)
            }
            Err(Some(Refusal::Unanswered)) => {
                let words = "this node's engine does not answer; try again";
                Err(tell(client, "57P03", words).await)
            }
            Err(Some(Refusal::Malformed(why))) => Err(tell(client, "08P01", why).await),
            Err(None) => Err(Ended),
        }
    }

    /// Lets the client show that it knows the user's password. `None`: it has gone.
    async fn check(
        &self,
        tls: &Tls,
        client: &mut Client,
        user: &[u8],
    ) -> Result<Shown, Option<Refusal>> {
        let malformed = |why| Some(Refusal::Malformed(why));
        let offers = format!("{}\0{}\0\0", scram::BOUND, scram::PLAIN);
        say(client, &authentication(10, offers.as_bytes())).await?;
        let body = hear(client).await?;
        let begun = body.iter().position(|byte| *byte == 0).and_then(|end| {
            let mechanism = std::str::from_utf8(&body[..end]).ok()?;
            // The length of what follows, which is the rest.
            let first = std::str::from_utf8(body.get(end + 5..)?).ok()?;
            Some((mechanism, first))
        });
        let (mechanism, first) = begun.ok_or(malformed("the answer to SASL is malformed"))?;
        let verifier = self.verifier(user).await.ok_or(Refusal::Unanswered)?;
        let server = scram::Server::begin(mechanism, first, verifier, tls.certificate())?;
        say(client, &authentication(11, server.first().as_bytes())).await?;
        let body = hear(client).await?;
        let last = std::str::from_utf8(&body).map_err(|_| malformed("SCRAM is text"))?;
        let (shown, answer) = server.end(last)?;
        say(client, &authentication(12, answer.as_bytes())).await?;
        Ok(shown)
    }
}

async fn say(client: &mut Client, bytes: &[u8]) -> Result<(), Option<Refusal>> {
    client.write_all(bytes).await.map_err(|_| None)?;
    client.flush().await.map_err(|_| None)
}

/// Hears a client's answer in a login.
async fn hear(client: &mut Client) -> Result<Vec<u8>, Option<Refusal>> {
    let mut limited = client.take(STARTUP_BYTES_MAX as u64);
    match Message::read(&mut limited).await {
        Ok(Message { kind: b'p', body }) => Ok(body),
        Ok(_) => Err(Some(Refusal::Malformed("an answer to SASL was expected"))),
        Err(_) => Err(None),
    }
}

async fn tell(mut client: Client, code: &str, words: &str) -> Ended {
    let _ = client.write_all(&messages::fatal(code, words)).await;
    let _ = client.shutdown().await;
    Ended
}

/// A first message, which has no kind: the number it begins with, and the rest.
async fn read_first(from: &mut (impl AsyncRead + Unpin)) -> Result<(u32, Vec<u8>), Ended> {
    let length = from.read_u32().await? as usize;
    let length =
        length.checked_sub(8).filter(|length| *length <= STARTUP_BYTES_MAX).ok_or(Ended)?;
    let number = from.read_u32().await?;
    let mut body = vec![0; length];
    from.read_exact(&mut body).await?;
    Ok((number, body))
}

impl Startup {
    /// That of a client of ours.
    pub(super) fn of(parameters: &[(&str, &str)]) -> Self {
        let user = parameters.iter().find(|(name, _)| *name == "user");
        let each = |(name, value): &(&str, &str)| format!("{name}\0{value}\0").into_bytes();
        Self {
            user: user.map(|(_, value)| value.as_bytes().to_vec()).unwrap_or_default(),
            parameters: parameters.iter().flat_map(each).collect(),
        }
    }

    /// Reads names and values; beside them the names of extensions of the protocol, which are not
    /// sent on.
    fn read(body: &[u8]) -> Option<(Self, Vec<Vec<u8>>)> {
        let mut startup = Self { user: Vec::new(), parameters: Vec::new() };
        let mut unknown = Vec::new();
        let mut parts = body.strip_suffix(&[0])?.split(|byte| *byte == 0);
        loop {
            let name = parts.next()?;
            if name.is_empty() {
                return Some((startup, unknown));
            }
            let value = parts.next()?;
            if name.starts_with(b"_pq_.") {
                unknown.push(name.to_vec());
                continue;
            }
            if name == b"user" {
                startup.user = value.to_vec();
            }
            startup.parameters.extend([name, &[0], value, &[0]].concat());
        }
    }

    /// Why nobody is let in for this, whatever the password. The engine says the same, but of the
    /// endpoint, and later.
    fn rejected(&self) -> Option<String> {
        let user = String::from_utf8_lossy(&self.user);
        if [SUPERUSER, REPLICATION_USER, REWIND_USER, PROBE_USER].contains(&user.as_ref()) {
            return Some(format!(
                "pg_hba.conf rejects user \"{user}\", who is for the nodes alone"
            ));
        }
        let mut parts = self.parameters.split(|byte| *byte == 0);
        while let (Some(name), Some(value)) = (parts.next(), parts.next()) {
            let is_stream = ["true", "on", "yes", "1"].iter().any(|on| value == on.as_bytes());
            if name == b"replication" && is_stream {
                let words =
                    "pg_hba.conf rejects physical replication, which is for the nodes alone";
                return Some(words.to_owned());
            }
        }
        None
    }

    /// As it is sent to the primary.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let length = u32::try_from(self.parameters.len() + 9).unwrap_or(u32::MAX);
        let (length, version) = (length.to_be_bytes(), VERSION.to_be_bytes());
        [length.as_slice(), &version, &self.parameters, &[0]].concat()
    }
}

/// A request to end the statement whose key this is.
pub(super) fn cancel(key: &[u8]) -> Vec<u8> {
    let length = u32::try_from(key.len() + 8).unwrap_or(u32::MAX);
    [length.to_be_bytes().as_slice(), &CANCEL.to_be_bytes(), key].concat()
}

/// Says that version 3.0 is spoken, without these extensions.
fn negotiate(unknown: &[Vec<u8>]) -> Vec<u8> {
    let count = u32::try_from(unknown.len()).unwrap_or(u32::MAX);
    let mut body = [VERSION.to_be_bytes(), count.to_be_bytes()].concat();
    for name in unknown {
        body.extend([name.as_slice(), &[0]].concat());
    }
    message(b'v', &body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_message_is_read_and_sent_on_without_extensions() {
        let body = b"user\0app\0_pq_.command_tag\0x\0database\0orders\0\0";
        let (startup, unknown) = Startup::read(body).expect("well formed");
        assert_eq!(startup.user, b"app");
        assert_eq!(unknown, [b"_pq_.command_tag".to_vec()]);
        let bytes = startup.bytes();
        assert_eq!(bytes.len(), u32::from_be_bytes(*bytes.first_chunk().expect("4")) as usize);
        assert_eq!(&bytes[8..], b"user\0app\0database\0orders\0\0");
    }

    #[test]
    fn damaged_first_messages_are_refused() {
        for body in [&b""[..], b"user", b"user\0app", b"user\0app\0", b"\0user\0app\0x"] {
            assert!(Startup::read(body).is_none_or(|(startup, _)| startup.user.is_empty()));
        }
    }
}
