//! How a session enters the primary: as its user, with what the user has shown.

use std::io;
use std::time::Duration;

use bellwether_contracts::sessions::{Counted, Led, Reached, Way};
use bellwether_model::Term;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::client::TlsStream;

use super::MysqlSessions;
use super::greeting::{Greeting, Wish};
use super::login::ask_password;
use super::packets::{EOF, ERROR, Link, MORE, OK, Reader, error_code};
use super::proofs::{NATIVE, SHA2, Shown};
use crate::led::overtaken;
use crate::passing::Client;

/// Between two attempts.
const RETRY_EVERY: Duration = Duration::from_millis(20);

/// "The server is being stopped": another is about to be primary.
const NOT_NOW: u16 = 1053;

/// In the place of a plugin, where it is not known which one the user has: the engine says so.
const ANY_PLUGIN: &[u8] = b"any";

/// What `caching_sha2_password` says: that the proof will do, and that it wants the password.
const WILL_DO: [u8; 2] = [MORE, 3];
const SAY_PASSWORD: [u8; 2] = [MORE, 4];

/// A primary's end.
pub(super) type Server = TlsStream<TcpStream>;

/// A session at the primary.
pub(super) struct Entered {
    pub(super) server: Server,
    pub(super) term: Term,
    pub(super) counted: Option<Counted>,
    /// What the primary said when it let the session in.
    pub(super) welcome: Vec<u8>,
    /// The number by which it counts the connection.
    pub(super) id: u32,
    pub(super) is_mariadb: bool,
}

/// Why a session has not entered.
pub(super) enum Stopped {
    /// The primary's refusal, as it was said.
    Refused(Vec<u8>),
    /// No primary was there for as long as a client waits.
    NoPrimary,
    ClientGone,
}

enum Failed {
    Refused(Vec<u8>),
    /// Worth another attempt.
    Broken,
    ClientGone,
}

impl From<io::Error> for Failed {
    fn from(_: io::Error) -> Self {
        Self::Broken
    }
}

/// Who enters.
struct Visitor<'a> {
    wish: &'a Wish,
    shown: &'a mut Shown,
    /// Where it can still be asked.
    client: Option<&'a mut Link<Client>>,
}

impl MysqlSessions {
    /// Enters the primary, whoever that is by then. `client`: one that is coming in, and can be
    /// asked in the primary's name.
    pub(super) async fn enter(
        &self,
        way: &dyn Way,
        wish: &Wish,
        shown: &mut Shown,
        client: Option<&mut Link<Client>>,
    ) -> Result<Entered, Stopped> {
        let mut visitor = Visitor { wish, shown, client };
        let entering = async {
            loop {
                let reached = way.reach().await;
                let (led, term) = (way.led(), reached.term);
                tokio::select! {
                    entered = self.enter_once(reached, &mut visitor, way.led()) => match entered {
                        Ok(entered) => return Ok(entered),
                        Err(Failed::Refused(said)) => return Err(Stopped::Refused(said)),
                        Err(Failed::ClientGone) => return Err(Stopped::ClientGone),
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

    /// Hears what the primary says first, and remembers it.
    pub(super) async fn hear_greeting(&self, way: &dyn Way) -> Result<Greeting, Stopped> {
        let hearing = async {
            loop {
                let reached = way.reach().await;
                match self.greeted(&mut Link::new(reached.stream)).await {
                    Ok(greeting) => return Ok(greeting),
                    Err(Failed::Refused(said)) => return Err(Stopped::Refused(said)),
                    Err(_) => tokio::time::sleep(RETRY_EVERY).await,
                }
            }
        };
        let heard = tokio::time::timeout(way.wait_max(), hearing).await;
        heard.unwrap_or(Err(Stopped::NoPrimary))
    }

    async fn greeted(&self, link: &mut Link<TcpStream>) -> Result<Greeting, Failed> {
        let said = link.read().await?;
        check(&said)?;
        let greeting = Greeting::read(&said).ok_or(Failed::Broken)?;
        let mut known = self.greeting.lock().expect("nothing panics while it is held");
        *known = Some(greeting.clone());
        Ok(greeting)
    }

    async fn enter_once(
        &self,
        reached: Reached,
        visitor: &mut Visitor<'_>,
        led: watch::Receiver<Led>,
    ) -> Result<Entered, Failed> {
        let mut link = Link::new(reached.stream);
        let greeting = self.greeted(&mut link).await?;
        let offered = greeting.offered();
        link.write(&visitor.wish.ask_tls(offered)).await?;
        let tls = self.tls.ends().ok_or(Failed::Broken)?;
        let name = ServerName::try_from(reached.name).map_err(io::Error::other)?;
        let stream = tls.connector.connect(name, link.stream).await?;
        let mut server = Link { stream, number: link.number };
        let first = visitor.shown.answer(&greeting.plugin, &greeting.nonce);
        let (plugin, proof) = match first {
            Some(proof) => (&greeting.plugin[..], proof),
            None => match visitor.shown.answer(NATIVE, &greeting.nonce) {
                Some(proof) => (NATIVE, proof),
                None => (ANY_PLUGIN, Vec::new()),
            },
        };
        server.write(&visitor.wish.bytes(offered, plugin, &proof)).await?;
        let welcome = self.show(&mut server, visitor, led).await?;
        Ok(Entered {
            server: server.stream,
            term: reached.term,
            counted: Some(reached.counted),
            welcome,
            id: greeting.id,
            is_mariadb: greeting.is_mariadb(),
        })
    }

    /// Shows the primary whatever it asks for, until it lets the visitor in.
    async fn show(
        &self,
        server: &mut Link<Server>,
        visitor: &mut Visitor<'_>,
        led: watch::Receiver<Led>,
    ) -> Result<Vec<u8>, Failed> {
        loop {
            let said = server.read().await?;
            check(&said)?;
            match said.first() {
                Some(&OK) => return Ok(said),
                Some(&EOF) => self.switch(server, visitor, &said, &led).await?,
                _ if said == WILL_DO => {}
                _ if said == SAY_PASSWORD && visitor.shown.password().is_some() => {
                    let password = visitor.shown.password().unwrap_or_default();
                    let password = zeroize::Zeroizing::new([password, &[0]].concat());
                    server.write(&password).await?;
                }
                // Of a way to show it that is only known to both of them.
                Some(&MORE) => {
                    let answer = visitor.asked(&said, &led).await?;
                    server.write(&answer).await?;
                }
                _ => return Err(Failed::Broken),
            }
        }
    }

    /// The primary wants it shown by another plugin.
    async fn switch(
        &self,
        server: &mut Link<Server>,
        visitor: &mut Visitor<'_>,
        said: &[u8],
        led: &watch::Receiver<Led>,
    ) -> Result<(), Failed> {
        let mut reader = Reader(&said[1..]);
        let plugin = reader.until_zero().ok_or(Failed::Broken)?;
        let nonce = reader.0.strip_suffix(&[0]).unwrap_or(reader.0);
        // Some begin with nothing, to be told by which plugin.
        let may_be_asked = matches!(visitor.shown, Shown::Empty) && visitor.client.is_some();
        let known = visitor.shown.answer(plugin, nonce).filter(|_| !may_be_asked);
        if let Some(answer) = known {
            return Ok(server.write(&answer).await?);
        }
        if plugin == SHA2
            && let Some(client) = visitor.client.as_mut()
        {
            let asking = ask_password(client, nonce);
            *visitor.shown = unless_held(asking, led).await?;
            let answer = visitor.shown.answer(SHA2, nonce).unwrap_or_default();
            return Ok(server.write(&answer).await?);
        }
        let answer = visitor.asked(said, led).await?;
        if plugin == NATIVE {
            *visitor.shown = self.native(&visitor.wish.user, &answer, nonce).await;
        }
        Ok(server.write(&answer).await?)
    }
}

impl Visitor<'_> {
    /// Passes a question on to the client, and brings its answer.
    async fn asked(
        &mut self,
        question: &[u8],
        led: &watch::Receiver<Led>,
    ) -> Result<Vec<u8>, Failed> {
        // What is asked of a session that moves it cannot answer.
        let words = "the primary asks for what cannot be shown again";
        let refused =
            || Failed::Refused(super::packets::error(super::REFUSED, super::STATE, words));
        let client = self.client.as_mut().ok_or_else(refused)?;
        let asking = async {
            client.write(question).await?;
            client.read().await
        };
        unless_held(asking, led).await
    }
}

/// Nobody waits for a client that is asked while a planned change holds clients back.
async fn unless_held<T>(
    asking: impl Future<Output = io::Result<T>>,
    led: &watch::Receiver<Led>,
) -> Result<T, Failed> {
    let mut led = led.clone();
    tokio::select! {
        asked = tokio::time::timeout(super::login::SAY_MAX, asking) => match asked {
            Ok(Ok(asked)) => Ok(asked),
            Ok(Err(_)) | Err(_) => Err(Failed::ClientGone),
        },
        _ = led.wait_for(|led| led.is_held) => {
            let words = "the primary changes just now; try again";
            Err(Failed::Refused(super::packets::error(super::REFUSED, super::STATE, words)))
        }
    }
}

/// Whether something else than an error was said.
fn check(said: &[u8]) -> Result<(), Failed> {
    match error_code(said) {
        Some(NOT_NOW) => Err(Failed::Broken),
        Some(_) => Err(Failed::Refused(said.to_vec())),
        None if said.first() == Some(&ERROR) => Err(Failed::Broken),
        None => Ok(()),
    }
}
