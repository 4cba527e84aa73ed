//! How a client comes in: TLS, what it wants, and what it shows of itself.
//!
//! Whether it is let in the primary alone says. What is asked for here is what the primary would
//! ask for itself, in the same words and over the same TLS, but so that the session can enter the
//! next primary too.

use std::io;
use std::time::Duration;

use bellwether_contracts::sessions::Way;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use zeroize::Zeroizing;

use super::enter::{Entered, Stopped};
use super::greeting::{Greeting, NONCE_BYTES, TLS, Wish};
use super::packets::{EOF, Link, MORE, error, packet};
use super::proofs::{self, NATIVE, SHA2, Shown};
use super::{MysqlSessions, OWN_PREFIX, REFUSED, STATE};
use crate::mysql_family::quote;
use crate::mysql_family::session::text;
use crate::passing::Client;

/// What a client says of itself comes within this time, as the engine's `connect_timeout` has it.
pub(super) const SAY_MAX: Duration = Duration::from_secs(10);

/// The node's own engine says what it keeps of a password.
const KEPT_MAX: Duration = Duration::from_millis(500);

/// `ER_SECURE_TRANSPORT_REQUIRED` and `ER_ACCESS_DENIED_ERROR`.
const NO_TLS: u16 = 3159;
const DENIED: u16 = 1045;

/// More of what it says, as `caching_sha2_password` has it: the password itself.
const SAY_PASSWORD: [u8; 2] = [MORE, 4];

/// A client that is let in.
pub(super) struct Came {
    pub(super) client: Client,
    pub(super) wish: Wish,
    pub(super) shown: Shown,
    /// The number that it was told its connection is counted by.
    pub(super) id: u32,
    pub(super) entered: Entered,
}

/// Why nobody has come in; the client has been told.
pub(super) struct Ended;

impl From<io::Error> for Ended {
    fn from(_: io::Error) -> Self {
        Self
    }
}

impl MysqlSessions {
    /// Lets a client in, or tells it why not.
    pub(super) async fn let_in(&self, mut stream: TcpStream, way: &dyn Way) -> Result<Came, Ended> {
        let greeting = match self.greeting(way).await {
            Ok(greeting) => greeting,
            Err(said) => {
                stream.write_all(&packet(0, &said)).await?;
                return Err(Ended);
            }
        };
        let (id, nonce) = (self.next_id(), proofs::nonce());
        let coming = self.come(stream, &greeting, id, &nonce);
        let come = tokio::time::timeout(SAY_MAX, coming).await.unwrap_or(Err(Ended));
        let (mut link, wish, mut shown) = come?;
        let entered = self.enter(way, &wish, &mut shown, Some(&mut link)).await;
        let said = match entered {
            Ok(entered) => {
                link.write(&entered.welcome).await?;
                return Ok(Came { client: link.stream, wish, shown, id, entered });
            }
            Err(Stopped::Refused(said)) => said,
            Err(Stopped::NoPrimary) => no_primary(way),
            Err(Stopped::ClientGone) => return Err(Ended),
        };
        link.write(&said).await?;
        link.stream.shutdown().await?;
        Err(Ended)
    }

    /// What primaries say first, or what one of them says instead.
    async fn greeting(&self, way: &dyn Way) -> Result<Greeting, Vec<u8>> {
        let known = self.greeting.lock().expect("nothing panics while it is held").clone();
        match known {
            Some(greeting) => Ok(greeting),
            None => self.hear_greeting(way).await.map_err(|stopped| match stopped {
                Stopped::Refused(said) => said,
                _ => no_primary(way),
            }),
        }
    }

    async fn come(
        &self,
        stream: TcpStream,
        greeting: &Greeting,
        id: u32,
        nonce: &[u8; NONCE_BYTES],
    ) -> Result<(Link<Client>, Wish, Shown), Ended> {
        let tls = self.tls.ends().ok_or(Ended)?;
        let mut link = Link::new(stream);
        link.write(&greeting.bytes(id, nonce)).await?;
        let asks = link.read().await?;
        let wants_tls =
            asks.first_chunk().is_some_and(|flags| u32::from_le_bytes(*flags) & TLS > 0);
        if !wants_tls {
            let words = "Connections using insecure transport are prohibited";
            link.write(&error(NO_TLS, "HY000", words)).await?;
            return Err(Ended);
        }
        let stream = tls.acceptor.accept(link.stream).await.map(Box::new)?;
        let mut link = Link { stream, number: link.number };
        let said = link.read().await?;
        let Some((wish, proof)) = Wish::read(&said, greeting.offered()) else {
            let words = "Bad handshake: the first message is malformed, or of an old protocol";
            return Err(refuse(link, 1043, STATE, words).await);
        };
        let user = String::from_utf8_lossy(&wish.user);
        if user.starts_with(OWN_PREFIX) {
            let words = format!("Access denied for user '{user}', who is for the nodes alone");
            return Err(refuse(link, DENIED, "28000", &words).await);
        }
        let plugin = if proof.plugin.is_empty() { &greeting.plugin } else { &proof.plugin };
        let shown = match (&plugin[..], &proof.bytes[..]) {
            (_, []) => Shown::Empty,
            (SHA2, _) => hear_password(&mut link).await?,
            (NATIVE, proof) => self.native(&wish.user, proof, nonce).await,
            _ => Shown::Nothing,
        };
        Ok((link, wish, shown))
    }

    /// What a proof by `mysql_native_password` shows, if the node's own engine knows the user.
    pub(super) async fn native(&self, user: &[u8], proof: &[u8], nonce: &[u8]) -> Shown {
        let Ok(user) = std::str::from_utf8(user) else { return Shown::Nothing };
        let question = format!(
            "SELECT authentication_string AS kept FROM mysql.user WHERE User = {}",
            quote(user)
        );
        // One that was made, or whose password was changed, a moment ago may not have come yet.
        let mut shown = None;
        for pause in [0, 50, 200] {
            tokio::time::sleep(Duration::from_millis(pause)).await;
            let asking = self.engine.query_within(&question, KEPT_MAX);
            let Ok(rows) = asking.await else { break };
            let kept = rows.iter().filter_map(|row| text(row, "kept"));
            shown = kept.into_iter().find_map(|kept| Shown::by_native(proof, nonce, &kept));
            if shown.is_some() {
                break;
            }
        }
        shown.unwrap_or(Shown::Nothing)
    }
}

/// Asks a client that has begun with `caching_sha2_password` for its password.
async fn hear_password(link: &mut Link<Client>) -> io::Result<Shown> {
    link.write(&SAY_PASSWORD).await?;
    let mut said = Zeroizing::new(link.read().await?);
    // Ended by a zero.
    said.pop();
    Ok(Shown::Password(said))
}

/// Asks a client to begin anew with `caching_sha2_password`.
pub(super) async fn ask_password(link: &mut Link<Client>, nonce: &[u8]) -> io::Result<Shown> {
    link.write(&[&[EOF][..], SHA2, &[0], nonce, &[0]].concat()).await?;
    match link.read().await?.is_empty() {
        true => Ok(Shown::Empty),
        false => hear_password(link).await,
    }
}

/// A client that waited in vain for a primary is told so.
pub(super) fn no_primary(way: &dyn Way) -> Vec<u8> {
    let seconds = way.wait_max().as_secs();
    let words = format!(
        "the cluster has had no primary for {seconds} s that this node can reach; try again later"
    );
    error(REFUSED, STATE, &words)
}

async fn refuse(mut link: Link<Client>, code: u16, state: &str, words: &str) -> Ended {
    let _ = link.write(&error(code, state, words)).await;
    let _ = link.stream.shutdown().await;
    Ended
}
