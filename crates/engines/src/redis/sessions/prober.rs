//! The client that measures how long writes wait.
//!
//! Its write puts nothing into a key that is not there: the engine treats it as every write, and
//! refuses it where it would refuse new data, but no key comes to be, and nothing is replicated.

use std::io;

use async_trait::async_trait;
use bellwether_contracts::sessions::{Counted, Way};
use bellwether_contracts::{Failure, Prober};
use bellwether_model::Term;
use bellwether_protocol::local::Routes;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio_rustls::client::TlsStream;

use crate::files::IDENTITY;
use crate::redis::resp::{Value, command, read};
use crate::redis::{PROBE_KEY, PROBE_USER};
use crate::tls::Current;

/// Measures one endpoint.
pub struct RedisProber {
    tls: Current,
    password: String,
    kept: Mutex<Option<Entered>>,
}

/// A session with a primary.
struct Entered {
    stream: BufReader<TlsStream<TcpStream>>,
    term: Term,
    _counted: Counted,
}

impl RedisProber {
    /// With what these routes tell.
    #[must_use]
    pub fn new(routes: &Routes) -> Self {
        Self {
            tls: Current::of(IDENTITY, &[]),
            password: routes.probe_password.0.clone(),
            kept: Mutex::default(),
        }
    }

    /// A session with the primary that leads now.
    async fn session(&self, way: &dyn Way) -> io::Result<Entered> {
        let kept = self.kept.lock().await.take();
        let led = way.led().borrow().term;
        if let Some(kept) = kept.filter(|kept| kept.term >= led) {
            return Ok(kept);
        }
        let tls = self.tls.ends().ok_or_else(|| io::Error::other("there is no certificate yet"))?;
        let reached = way.reach().await;
        let name = ServerName::try_from(reached.name).map_err(io::Error::other)?;
        let stream = tls.connector.connect(name, reached.stream).await?;
        let mut stream = BufReader::new(stream);
        ask(&mut stream, &["AUTH", PROBE_USER, &self.password]).await?;
        Ok(Entered { stream, term: reached.term, _counted: reached.counted })
    }
}

#[async_trait]
impl Prober for RedisProber {
    async fn write(&self, way: &dyn Way) -> Result<Term, Failure> {
        let written = async {
            let mut session = self.session(way).await?;
            ask(&mut session.stream, &["SETRANGE", PROBE_KEY, "0", ""]).await?;
            Ok::<_, io::Error>(session)
        };
        let session =
            written.await.map_err(|error| Failure::transient(format!("the prober: {error}")))?;
        let term = session.term;
        *self.kept.lock().await = Some(session);
        Ok(term)
    }

    async fn ended(&self) {
        let mut kept = self.kept.lock().await;
        match kept.as_mut() {
            Some(session) => {
                // What it says unasked is its last word.
                let _ = session.stream.read_u8().await;
                *kept = None;
            }
            None => {
                drop(kept);
                std::future::pending().await
            }
        }
    }
}

/// Whether it was done; a refusal is an error.
async fn ask(stream: &mut BufReader<TlsStream<TcpStream>>, words: &[&str]) -> io::Result<()> {
    stream.write_all(&command(words)).await?;
    stream.flush().await?;
    match read(stream).await? {
        Value::Error(said) => Err(io::Error::other(said)),
        _ => Ok(()),
    }
}
