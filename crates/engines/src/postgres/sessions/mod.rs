//! Sessions of clients that outlive a planned change of primary.
//!
//! The endpoint is the server to the client: TLS and the proof of the password end here. With what
//! the client showed, its session enters the primary, whoever that is. Messages are passed on as
//! they come; only where each begins is looked at. When a planned change holds clients back, a
//! session pauses between two transactions: what it is beside them is looked at, and made again at
//! the next primary once the client has something to say. What cannot be made again (temporary
//! tables, locks, notifications) is told to the client with the end of the session.
//!
//! A primary that is lost unplanned takes its sessions with it, as it always does.

mod carry;
mod enter;
mod login;
mod messages;
mod prober;
pub(super) mod scram;
mod session;
mod talk;
mod wire;
mod words;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bellwether_contracts::sessions::{Sessions, Way};
use ring::hmac;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tracing::debug;

pub use self::prober::PostgresProber;

use self::login::Came;
use self::scram::Verifier;
use self::session::Session;
use self::wire::Tls;
use super::sql;
use crate::files::IDENTITY;
use crate::tls::Current;

/// For so long it is not asked again whether the node's own engine answers.
const READY_FOR: Duration = Duration::from_secs(1);

/// An engine that answers later is not waited for.
const ANSWER_MAX: Duration = Duration::from_millis(500);

/// A user that was made a moment ago may not have come to this node yet.
const USER_MAX: Duration = Duration::from_millis(500);

/// Asking a server to end a statement.
const CANCEL_MAX: Duration = Duration::from_secs(5);

/// Where a session's statements run, and the key to them there.
type Running = (enter::Place, Vec<u8>);

/// The sessions that one endpoint leads.
pub struct PostgresSessions {
    /// To this node's own engine, which knows the users' verifiers.
    sql: sql::Session,
    tls: Current,
    ready: tokio::sync::Mutex<Option<(Instant, bool)>>,
    /// By the key that a client was given.
    running: Mutex<HashMap<Vec<u8>, Running>>,
    /// Makes up salts of users that are not there.
    secret: hmac::Key,
}

impl PostgresSessions {
    /// Beside an engine that listens on that port.
    #[must_use]
    pub fn new(private_port: u16) -> Self {
        let random = ring::rand::SystemRandom::new();
        let secret = hmac::Key::generate(hmac::HMAC_SHA256, &random);
        Self {
            sql: sql::Session::new(private_port),
            tls: Current::of(IDENTITY, &[wire::ALPN]),
            ready: tokio::sync::Mutex::default(),
            running: Mutex::default(),
            secret: secret.expect("the system has random numbers"),
        }
    }

    /// Certificates, once the node has them.
    fn tls(&self) -> Option<Tls> {
        self.tls.ends().map(Tls)
    }

    /// What the engine keeps of a user's password; none when it does not answer.
    async fn verifier(&self, user: &[u8]) -> Option<Verifier> {
        let name: String = user.iter().map(|byte| format!("{byte:02x}")).collect();
        let question = format!(
            "SELECT rolpassword FROM pg_catalog.pg_authid \
             WHERE rolname = convert_from(decode('{name}', 'hex'), 'UTF8')"
        );
        let end = Instant::now() + USER_MAX;
        loop {
            let rows = self.sql.query(&question).await.ok()?;
            let text = rows.first().and_then(|row| row.get::<_, Option<String>>(0));
            if let Some(verifier) = text.and_then(|text| Verifier::parse(&text)) {
                return Some(verifier);
            }
            if Instant::now() >= end {
                return Some(Verifier::of_nobody(&self.secret, user));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Ends the statement of the session whose client was given that key.
    async fn cancel(&self, key: &[u8]) {
        let found = {
            let running = self.running.lock().expect("nothing panics while it is held");
            running.get(key).cloned()
        };
        let Some((place, key)) = found else { return };
        let asking = self.cancel_at(&place, &key);
        match tokio::time::timeout(CANCEL_MAX, asking).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => debug!("a statement could not be ended: {error}"),
            Err(_) => debug!("a statement could not be ended in time"),
        }
    }
}

#[async_trait]
impl Sessions for PostgresSessions {
    fn refusal(&self, words: &str) -> Vec<u8> {
        messages::fatal("57P03", words)
    }

    async fn is_ready(&self) -> bool {
        // One asks, and the others wait for that answer.
        let mut known = self.ready.lock().await;
        if let Some((at, is_ready)) = *known
            && at.elapsed() < READY_FOR
        {
            return is_ready;
        }
        let asking = tokio::time::timeout(ANSWER_MAX, self.sql.query("SELECT 1"));
        let is_ready = self.tls().is_some() && matches!(asking.await, Ok(Ok(_)));
        *known = Some((Instant::now(), is_ready));
        is_ready
    }

    async fn lead(&self, client: TcpStream, way: Arc<dyn Way>) {
        match self.let_in(client).await {
            Ok(Came::User { client, startup, shown }) => {
                let mut session = Session::new(self, client, startup, shown, way);
                if let Some(words) = session.run().await {
                    let _ = session.client.write_all(&words).await;
                }
                let _ = session.client.shutdown().await;
            }
            Ok(Came::Cancel(key)) => self.cancel(&key).await,
            Err(login::Ended) => {}
        }
    }
}
