//! How a session enters the primary: as its user, with what the user has shown.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bellwether_contracts::sessions::{Counted, Reached, Way};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use super::PostgresSessions;
use super::login::{Startup, cancel};
use super::messages::{Message, message, pair};
use super::scram::{self, Shown};
use super::wire::Server;
use crate::led::overtaken;

/// Between two attempts.
const RETRY_EVERY: Duration = Duration::from_millis(20);

/// "Cannot connect now", and "the engine is being stopped": another is about to be primary, or
/// this one is about to serve.
const NOT_NOW: [&str; 3] = ["57P01", "57P02", "57P03"];

/// A session at the primary.
pub(super) struct Entered {
    pub(super) server: Server,
    pub(super) term: u64,
    pub(super) counted: Option<Counted>,
    pub(super) place: Place,
    /// What the server tells of itself.
    pub(super) told: BTreeMap<String, String>,
    /// What it said beside that, for the client: notices.
    pub(super) notices: Vec<u8>,
    /// Process and secret, which end a statement.
    pub(super) key: Vec<u8>,
}

/// Where a server is reached once more.
#[derive(Clone)]
pub(super) struct Place {
    from: IpAddr,
    to: SocketAddr,
    name: String,
    is_here: bool,
}

/// Why a session has not entered.
pub(super) enum Stopped {
    /// The primary's refusal, as it was said.
    Refused(Vec<u8>),
    /// No primary was there for as long as a client waits.
    NoPrimary,
}

enum Failed {
    Refused(Vec<u8>),
    /// Worth another attempt.
    Broken,
}

impl From<io::Error> for Failed {
    fn from(_: io::Error) -> Self {
        Self::Broken
    }
}

impl PostgresSessions {
    /// Enters the primary, whoever that is by then.
    pub(super) async fn enter(
        &self,
        way: &dyn Way,
        startup: &Startup,
        shown: &Shown,
    ) -> Result<Entered, Stopped> {
        let entering = async {
            loop {
                let reached = way.reach().await;
                let term = reached.term;
                let led = way.led();
                tokio::select! {
                    entered = self.enter_once(reached, startup, shown) => match entered {
                        Ok(entered) => return Ok(entered),
                        Err(Failed::Refused(said)) => return Err(Stopped::Refused(said)),
                        Err(Failed::Broken) => tokio::time::sleep(RETRY_EVERY).await,
                    },
                    // One that is frozen never answers; its successor is known by now.
                    () = overtaken(led, term) => {}
                }
            }
        };
        let entered = tokio::time::timeout(way.wait_max(), entering).await;
        entered.unwrap_or(Err(Stopped::NoPrimary))
    }

    async fn enter_once(
        &self,
        reached: Reached,
        startup: &Startup,
        shown: &Shown,
    ) -> Result<Entered, Failed> {
        let place = Place {
            from: reached.stream.local_addr()?.ip(),
            to: reached.stream.peer_addr()?,
            name: reached.name,
            is_here: reached.is_here,
        };
        let mut server = self.encrypt(reached.stream, &place).await?;
        server.write_all(&startup.bytes()).await?;
        server.flush().await?;
        let mut client = scram::Client::new(shown);
        let mut entered = Entered {
            server,
            term: reached.term,
            counted: Some(reached.counted),
            place,
            told: BTreeMap::new(),
            notices: Vec::new(),
            key: Vec::new(),
        };
        loop {
            let said = Message::read(&mut entered.server).await?;
            match said.kind {
                b'R' => answer(&mut entered.server, &mut client, &said).await?,
                b'S' => entered.told.extend(pair(&said.body)),
                b'K' => entered.key = said.body,
                b'Z' => return Ok(entered),
                b'E' if said.field(b'C').is_some_and(|code| NOT_NOW.contains(&code.as_str())) => {
                    return Err(Failed::Broken);
                }
                b'E' => return Err(Failed::Refused(said.bytes())),
                b'N' => entered.notices.extend(said.bytes()),
                _ => {}
            }
        }
    }

    /// Encrypts a connection that leaves the node.
    async fn encrypt(&self, stream: TcpStream, place: &Place) -> io::Result<Server> {
        match self.tls() {
            _ if place.is_here => Ok(Server::Plain(stream)),
            Some(tls) => tls.connect(stream, &place.name).await,
            None => Err(io::Error::other("the node has no certificate yet")),
        }
    }

    /// Asks the server there to end the statement whose key this is.
    pub(super) async fn cancel_at(&self, place: &Place, key: &[u8]) -> io::Result<()> {
        let socket = if place.to.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.bind(SocketAddr::new(place.from, 0))?;
        let stream = socket.connect(place.to).await?;
        let mut server = self.encrypt(stream, place).await?;
        server.write_all(&cancel(key)).await?;
        server.flush().await?;
        // The end of the connection says that it was heard.
        let _ = server.read_u8().await;
        Ok(())
    }
}

/// Answers what the server asks in a login.
async fn answer(
    server: &mut Server,
    client: &mut scram::Client<'_>,
    said: &Message,
) -> Result<(), Failed> {
    let rest = said.body.get(4..).unwrap_or_default();
    let text = std::str::from_utf8(rest).map_err(io::Error::other)?;
    let answer = match said.number() {
        Some(10) if text.split('\0').any(|offered| offered == scram::PLAIN) => {
            let first = client.first();
            let length = u32::try_from(first.len()).unwrap_or(u32::MAX).to_be_bytes();
            [scram::PLAIN.as_bytes(), &[0], &length, first.as_bytes()].concat()
        }
        Some(11) => client.last(text).ok_or(Failed::Broken)?.into_bytes(),
        Some(12) if client.is_server(text) => return Ok(()),
        Some(0) => return Ok(()),
        _ => return Err(io::Error::other("the engine asks for what is not known here").into()),
    };
    server.write_all(&message(b'p', &answer)).await?;
    server.flush().await?;
    Ok(())
}
